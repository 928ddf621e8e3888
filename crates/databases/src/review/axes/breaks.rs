//! Does it break the old code: what it reads is gone, renamed or narrower, or what it writes no
//! longer meets what is demanded.

use crate::review::known::Known;
use crate::statement::{
    Constraint, ConstraintKind, DefaultValue, Granting, Name, Object, Statement, TypeChange,
};

/// Why code written for the schema before fails on the schema after.
pub(super) fn breaks(statement: &Statement, known: &Known) -> Option<String> {
    if statement.table().is_some_and(|table| known.is_born(table)) {
        return None;
    }
    removed(statement, known).or_else(|| demanded(statement, known)).or_else(|| unseen(statement))
}

/// What old code reads or calls goes away.
fn removed(statement: &Statement, known: &Known) -> Option<String> {
    use Statement as S;
    Some(match statement {
        S::DropTable { table, .. } => format!("table {table} is gone"),
        S::DropColumn { table, column, .. } => format!("column {table}.{column} is gone"),
        S::DropSchema { schema, .. } => format!("all of schema {schema} is gone"),
        S::DropType { type_name, .. } if !known.is_born(type_name) => {
            format!("type {type_name} is gone")
        }
        S::DropMaterializedView { view, .. } if !known.is_born(view) => {
            format!("materialized view {view} is gone")
        }
        S::DropSequence { sequence, .. } if !known.is_born(sequence) => {
            format!("sequence {sequence} is gone")
        }
        S::DropExtension { extension, .. } => {
            format!("what extension {extension} brought is gone")
        }
        S::DropWholesale { what } => format!("{what} removes whatever was owned"),
        S::DropDefinition { object, .. } if is_called(object) && !known.is_born(&object.name) => {
            format!("{} {} is gone", object.kind, object.name)
        }
        S::RenameColumn { table, from, to } => format!("column {table}.{from} is called {to}"),
        S::Rename { object, to } if is_named(object) && !known.is_born(&object.name) => {
            format!("{} {} is called {to}", object.kind, object.name)
        }
        S::SetSchema { object, schema } if is_named(object) && !known.is_born(&object.name) => {
            format!("{} {} moves to schema {schema}", object.kind, object.name)
        }
        S::AlterType { table, column, to, .. } => match known.type_change(table, column, to) {
            TypeChange::Same | TypeChange::Catalogue => return None,
            TypeChange::Rewrite { .. } | TypeChange::Unknown => {
                format!("column {table}.{column} has another type: {to}")
            }
        },
        S::AlterComposite { type_name, drops } if !drops.is_empty() => {
            format!("{type_name} loses {}", drops.join(", "))
        }
        S::RenameEnumValue { type_name, from, .. } => {
            format!("{type_name} no longer knows '{from}'")
        }
        S::DetachPartition { table, partition, .. } => {
            format!("rows of {partition} are no longer in {table}")
        }
        S::Truncate { table, .. } => format!("all rows of {table} are gone"),
        S::Privileges { granting: Granting::Revoke, .. } => {
            "a privilege that it needs may be gone".to_owned()
        }
        _ => return None,
    })
}

/// What old code writes no longer meets what is demanded.
fn demanded(statement: &Statement, known: &Known) -> Option<String> {
    use Statement as S;
    Some(match statement {
        S::AddColumn { table, column } => {
            let name = format!("{table}.{}", column.name);
            if column.not_null && column.default == DefaultValue::Missing {
                format!("column {name} demands a value and has no default")
            } else {
                let constraint = column.constraints.iter().find_map(|c| demand(table, c))?;
                // What rows get that say nothing is NULL, which meets all but NOT NULL.
                return (column.default == DefaultValue::Constant).then_some(constraint);
            }
        }
        S::SetNotNull { table, column } => {
            if known.demands_value(table, column) {
                return None;
            }
            format!("column {table}.{column} demands a value")
        }
        S::AddConstraint { table, constraint } => return demand(table, constraint),
        S::CreateIndex { table, unique: true, .. } => {
            format!("rows of {table} must be unique")
        }
        S::StricterDomain { domain, .. } => format!("values of {domain} must meet more"),
        S::CreateTrigger { trigger, table, .. } => {
            format!("trigger {trigger} acts on what is written to {table}, and may refuse it")
        }
        S::CreateRule { rule, table } => {
            format!("rule {rule} changes what is done to {table}")
        }
        S::RowSecurity { table, stricter: true } => {
            format!("rows of {table} are hidden from whoever no policy allows")
        }
        S::Policy { policy, table } => {
            format!("policy {policy} changes which rows of {table} are seen and written")
        }
        S::Identity { table, column, adds: true } => {
            format!("values written to {table}.{column} may be refused")
        }
        _ => return None,
    })
}

fn demand(table: &Name, constraint: &Constraint) -> Option<String> {
    // NOT VALID spares the rows that are there; new ones are checked all the same.
    Some(match &constraint.kind {
        ConstraintKind::Check { .. } => format!("rows written to {table} must meet a CHECK"),
        ConstraintKind::ForeignKey { to } => {
            format!("rows written to {table} must refer to a row of {to}")
        }
        ConstraintKind::Unique { using_index: Some(_) } => return None,
        ConstraintKind::PrimaryKey { using_index: Some(_) } => {
            format!("rows of {table} must have a key")
        }
        ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. } => {
            format!("rows of {table} must be unique")
        }
        ConstraintKind::Exclude => format!("rows of {table} must not collide"),
        ConstraintKind::NotNull { column } => format!("column {table}.{column} demands a value"),
    })
}

fn unseen(statement: &Statement) -> Option<String> {
    match statement {
        Statement::Opaque { what } => Some(format!("{what} may do anything")),
        Statement::MetaCommand { .. } => Some("what psql does here is not seen".to_owned()),
        Statement::Unreadable { .. } => Some("what is not understood may do anything".to_owned()),
        _ => None,
    }
}

/// Whether code calls such a thing by name; triggers, policies and rules act by themselves.
fn is_called(object: &Object) -> bool {
    let acts = ["trigger", "policy", "rule", "event trigger", "statistics", "publication"];
    !acts.contains(&object.kind.as_str())
}

fn is_named(object: &Object) -> bool {
    is_called(object) && object.kind != "index"
}
