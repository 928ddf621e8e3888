//! Statements that drop.

use super::Sql;
use super::plan::Plan;
use super::text::target;
use crate::postgres::catalogue::Name;
use crate::postgres::kind::Kind;

/// Drops an object of the schema as it is.
pub(super) fn remove(plan: &Plan<'_>, name: &Name, out: &mut Vec<Sql>) {
    let Some(object) = plan.new_one(name) else { return };
    let of = object.of.as_deref().unwrap_or_default();
    let local = &object.local;
    let sql = match name.kind {
        Kind::Column => format!("ALTER TABLE {of} DROP COLUMN {local}"),
        Kind::Attribute => format!("ALTER TYPE {of} DROP ATTRIBUTE {local}"),
        Kind::Constraint => format!("ALTER TABLE {of} DROP CONSTRAINT {local}"),
        Kind::DomainConstraint => format!("ALTER DOMAIN {of} DROP CONSTRAINT {local}"),
        Kind::Default => format!("ALTER TABLE ONLY {of} ALTER COLUMN {local} DROP DEFAULT"),
        // The column gives it up when it is changed.
        Kind::Sequence if object.flag("identity") => return,
        // It holds no object, and goes when nothing is granted in it any more.
        Kind::DefaultPrivileges => {
            return super::privileges::defaults(name, object, None, out);
        }
        // One that only differs from the parent's goes back to what the parent's is.
        Kind::Trigger if object.flag("inherited") => {
            out.push(Sql::new(
                format!("enable {name} as its parent's is"),
                format!("ALTER TABLE ONLY {of} ENABLE TRIGGER {local}"),
            ));
            return;
        }
        _ => format!("DROP {}", target(name, object)),
    };
    let statement = Sql::new(format!("drop {name}"), sql);
    let stays_gone = !plan.creates.contains(name);
    out.push(match name.kind {
        Kind::Table if stays_gone => statement.caution("rows written to it are lost unless kept"),
        Kind::Column if stays_gone && plan.holds_data(name) => {
            statement.caution("values written to it are lost unless kept")
        }
        Kind::Sequence => statement.caution("where it stands is lost"),
        _ => statement,
    });
}
