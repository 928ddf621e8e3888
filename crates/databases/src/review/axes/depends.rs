//! Does its success depend on data: what in the rows could make it fail.

use crate::review::known::Known;
use crate::statement::{Constraint, ConstraintKind, DefaultValue, Name, Statement, TypeChange};

/// What in the data could make a statement fail.
pub(super) fn depends(statement: &Statement, known: &Known) -> Option<String> {
    use Statement as S;
    if statement.table().is_some_and(|table| known.is_empty(table)) && !statement.is_data() {
        return None;
    }
    Some(match statement {
        S::AddColumn { table, column } => {
            if column.not_null && column.default == DefaultValue::Missing {
                format!("fails when {table} has rows")
            } else {
                let demanded = column.constraints.iter().find_map(|c| constrained(table, c))?;
                return (column.default != DefaultValue::Missing).then_some(demanded);
            }
        }
        S::AlterType { table, column, to, .. } => match known.type_change(table, column, to) {
            TypeChange::Rewrite { fails: true, .. } => {
                format!("fails when a value of {table}.{column} does not fit {to}")
            }
            TypeChange::Unknown => format!("may fail when a value does not fit {to}"),
            _ => return None,
        },
        S::SetNotNull { table, column } => {
            if known.never_null(table, column) {
                return None;
            }
            format!("fails when {table}.{column} is NULL anywhere")
        }
        S::AddConstraint { table, constraint } => return constrained(table, constraint),
        S::ValidateConstraint { table, constraint } => {
            format!("fails when a row of {table} does not meet {constraint}")
        }
        S::CreateIndex { table, unique: true, concurrently, .. } => {
            let left = if *concurrently { ", and leaves an invalid index" } else { "" };
            format!("fails when rows of {table} are not unique{left}")
        }
        S::AttachPartition { partition, .. } => {
            format!("fails when a row of {partition} does not belong there")
        }
        S::StricterDomain { domain, not_valid: false } => {
            format!("fails when a value of {domain} does not meet it")
        }
        S::Insert { table } | S::Update { table, .. } | S::Merge { table } => {
            format!("fails when a constraint of {table} does not hold")
        }
        S::Delete { table, .. } => format!("fails when rows of {table} are referred to"),
        S::Truncate { table, cascade: false, .. } => {
            format!("fails when another table refers to {table}")
        }
        S::CopyRows => "fails when a row does not fit".to_owned(),
        S::DropType { type_name, cascade: false } => {
            format!("fails when something uses {type_name}")
        }
        S::Opaque { .. } | S::MetaCommand { .. } | S::Unreadable { .. } => {
            "may fail for any reason".to_owned()
        }
        _ => return None,
    })
}

fn constrained(table: &Name, constraint: &Constraint) -> Option<String> {
    if constraint.not_valid {
        return None;
    }
    Some(match &constraint.kind {
        ConstraintKind::Check { .. } => format!("fails when a row of {table} does not meet it"),
        ConstraintKind::ForeignKey { to } => {
            format!("fails when a row of {table} refers to no row of {to}")
        }
        ConstraintKind::Unique { using_index: Some(_) } => return None,
        ConstraintKind::Unique { .. } => format!("fails when rows of {table} are not unique"),
        ConstraintKind::PrimaryKey { .. } => {
            format!("fails when a key of {table} is NULL or not unique")
        }
        ConstraintKind::Exclude => format!("fails when rows of {table} collide"),
        ConstraintKind::NotNull { column } => {
            format!("fails when {table}.{column} is NULL anywhere")
        }
    })
}
