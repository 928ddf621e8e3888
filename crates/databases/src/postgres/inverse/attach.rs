//! Partitions and their indexes join what they are parts of.

use super::Sql;
use super::plan::Plan;
use super::settings::index_name;
use crate::postgres::catalogue::Name;
use crate::postgres::kind::Kind;

/// Joins a new partition, or the new index of one, to its parent.
pub(super) fn attach(plan: &Plan<'_>, name: &Name, out: &mut Vec<Sql>) {
    let Some(object) = plan.old(name) else { return };
    let parent = object.text("partition_of").unwrap_or_default();
    if matches!(name.kind, Kind::Table | Kind::ForeignTable) {
        // The checks of a parent that stands have to be there before a partition joins it.
        let checks = plan.parts.get(parent).into_iter().flatten().filter(|part| {
            part.kind == Kind::Constraint
                && !plan.creates.contains(*part)
                && plan.new_one(part).is_some()
        });
        for check in checks {
            let Some(check) = plan.old(check).filter(|check| check.word("type") == "check") else {
                continue;
            };
            let own =
                Name { kind: Kind::Constraint, name: format!("{}.{}", name.name, check.local) };
            // One that stood apart may have kept what it had.
            if plan.new_one(&own).is_some() && !plan.drops.contains(&own) {
                continue;
            }
            let (local, text) = (&check.local, check.word("definition"));
            let sql = format!("ALTER TABLE {} ADD CONSTRAINT {local} {text}", name.name);
            out.push(Sql::new(format!("{name} has the check {local} of its parent"), sql));
        }
        let bound = object.word("bound");
        let sql = format!("ALTER TABLE ONLY {parent} ATTACH PARTITION {} {bound}", name.name);
        let statement = Sql::new(format!("{name} joins {parent}"), sql);
        let stood = plan.new_one(name).is_some();
        out.push(if stood {
            statement.caution("fails where rows lie outside its bounds")
        } else {
            statement
        });
    } else {
        let index = index_name(name, object);
        let sql = format!("ALTER INDEX {parent} ATTACH PARTITION {index}");
        out.push(Sql::new(format!("{name} joins {parent}"), sql));
    }
}
