//! Has it an inverse: how a statement is taken back, and what must be kept for that beforehand.

use crate::statement::Statement;
use ripcord_core::schema::{Inverse, Mode};
use serde::Serialize;

/// How that which a statement destroys is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Copied aside, or hidden in place.
    pub mode: Mode,
    /// In words, with how it comes back.
    pub how: &'static str,
}

/// How a statement is taken back.
pub(super) fn inverse(statement: &Statement, destroys: &[String], asked: bool) -> Inverse {
    use Statement as S;
    match statement {
        _ if asked => Inverse::None,
        S::Opaque { .. }
        | S::MetaCommand { .. }
        | S::Unreadable { .. }
        | S::CopyRows
        | S::Cluster { .. }
        | S::DropWholesale { .. } => Inverse::Opaque,
        _ if !destroys.is_empty() || statement.is_data() => Inverse::Kept,
        _ => Inverse::Catalogue,
    }
}

/// How what a statement destroys is kept; none when nothing need be, or nothing can.
pub(super) fn kept(statement: &Statement, destroys: &[String]) -> Option<Kept> {
    use Statement as S;
    let kept = |mode, how| Some(Kept { mode, how });
    let drop = |how| kept(Mode::Drop, how);
    let hide = |how| kept(Mode::Hide, how);
    match statement {
        S::DropIndex { .. } | S::DropConstraint { .. } => drop(
            "its definition is kept; it is built again, and rows written since may not meet it",
        ),
        S::DropDefinition { .. } => drop("its definition, owner and privileges are kept"),
        S::DropType { cascade: false, .. } => hide("the type is moved aside, and back"),
        _ if destroys.is_empty() => None,
        S::DropColumn { .. } => {
            hide("the column is renamed and freed of its demands; renamed back, it keeps its place")
        }
        S::DropTable { .. } => hide("the table is moved to another schema, and back"),
        S::DropSchema { .. } => hide("the schema is renamed, and back"),
        S::DropMaterializedView { .. } => hide("the view is moved to another schema, and back"),
        S::DropSequence { .. } | S::AlterSequence { .. } => drop("the position is written down"),
        S::Truncate { .. } => drop("all rows are copied aside; rows written since stay"),
        S::Update { .. } => {
            drop("old and new values are kept; only what nobody changed since goes back")
        }
        S::Delete { .. } | S::Merge { .. } => drop("the rows are copied aside as they go"),
        S::AlterType { .. } => {
            drop("the values that do not survive the change are kept, and put back after widening")
        }
        S::SetExpression { .. } | S::AlterComposite { .. } => {
            drop("the values are copied aside with their keys")
        }
        S::DropExtension { .. } | S::DropType { .. } => {
            drop("columns that go with it are copied aside with their keys")
        }
        _ => None,
    }
}
