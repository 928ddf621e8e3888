//! Does it destroy: tables, columns, rows and values that do not come back by themselves.

use crate::review::known::Known;
use crate::statement::{Statement, TypeChange};

/// What a statement removes that its script did not create.
pub(super) fn destroys(statement: &Statement, known: &Known) -> Vec<String> {
    if statement.table().is_some_and(|table| known.is_born(table)) {
        return Vec::new();
    }
    removed(statement, known).into_iter().collect()
}

fn removed(statement: &Statement, known: &Known) -> Option<String> {
    use Statement as S;
    Some(match statement {
        S::DropTable { table, .. } => format!("table {table}"),
        S::DropColumn { table, column, .. } => format!("column {table}.{column}"),
        S::DropSchema { schema, .. } => format!("schema {schema} with all that is in it"),
        S::DropMaterializedView { view, .. } if !known.is_born(view) => {
            format!("materialized view {view}")
        }
        S::DropSequence { sequence, .. } => format!("the position of sequence {sequence}"),
        S::DropExtension { extension, cascade: true } => {
            format!("columns and objects that use extension {extension}")
        }
        S::DropType { type_name, cascade: true } => {
            format!("columns of type {type_name}")
        }
        S::DropWholesale { what } => format!("whatever {what} removes"),
        S::Cluster { what } if what.to_ascii_lowercase().starts_with("drop database") => {
            "a whole database".to_owned()
        }
        S::Truncate { table, cascade: true, .. } => {
            format!("all rows of {table} and of tables that refer to it")
        }
        S::Truncate { table, .. } => format!("all rows of {table}"),
        S::Delete { table, .. } => format!("rows of {table}"),
        S::Update { table, .. } => format!("values of {table}"),
        S::Merge { table } => format!("rows or values of {table}"),
        S::AlterType { table, column, to, .. } => match known.type_change(table, column, to) {
            TypeChange::Rewrite { loses: true, .. } => {
                format!("what does not fit of {table}.{column}")
            }
            TypeChange::Unknown => format!("perhaps what does not fit of {table}.{column}"),
            _ => return None,
        },
        S::SetExpression { table, column } => format!("values of {table}.{column}"),
        S::AlterComposite { type_name, drops } if !drops.is_empty() => {
            format!("{} of every {type_name}", drops.join(", "))
        }
        S::AlterSequence { sequence, restarts: true } => {
            format!("the position of sequence {sequence}")
        }
        S::Opaque { .. } | S::MetaCommand { .. } | S::Unreadable { .. } => {
            "perhaps whatever it touches".to_owned()
        }
        _ => return None,
    })
}
