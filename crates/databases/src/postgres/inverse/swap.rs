//! Types whose values cannot be taken away: a new type takes the name, the columns are converted
//! through text, and the old type goes.

use super::Sql;
use super::plan::Plan;
use super::text::literal;
use crate::postgres::catalogue::{Name, Object};
use crate::postgres::kind::Kind;

/// The name that the type bears while its successor stands beside it.
const ASIDE: &str = "ripcord_aside";

/// Labels that are missing are added; anything else needs another type.
pub(super) fn labels(plan: &Plan<'_>, name: &Name, old: &Object, new: &Object, out: &mut Vec<Sql>) {
    if plan.whole || !super::alter::only_adds_labels(old, new) {
        let sql = format!("CREATE TYPE {} AS ENUM ({})", name.name, super::create::labels(old));
        return swap(plan, name, old, &sql, out);
    }
    let (to, from) = (old.list("labels"), new.list("labels"));
    for (at, label) in to.iter().enumerate() {
        if from.contains(label) {
            continue;
        }
        let place = match at.checked_sub(1).and_then(|before| to.get(before)) {
            Some(before) => format!("AFTER {}", literal(before)),
            None => {
                from.first().map(|first| format!("BEFORE {}", literal(first))).unwrap_or_default()
            }
        };
        let sql = format!("ALTER TYPE {} ADD VALUE {} {place}", name.name, literal(label));
        let statement = Sql::new(format!("{name} has {label} again"), sql.trim_end().to_owned());
        out.push(Sql { apart: true, ..statement });
    }
}

/// A type of the same name takes the place of one that differs.
pub(super) fn swap(plan: &Plan<'_>, name: &Name, old: &Object, create: &str, out: &mut Vec<Sql>) {
    let schema = name.name.strip_suffix(&old.local).unwrap_or_default();
    out.push(Sql::new(
        format!("set {name} aside"),
        format!("ALTER TYPE {} RENAME TO {ASIDE}", name.name),
    ));
    out.push(Sql::new(format!("create {name}"), create));
    let users = plan.after.objects.iter().filter(|(user, object)| {
        user.kind == Kind::Column && object.requires.contains(name) && !object.flag("inherited")
    });
    for (user, _) in users {
        // A column that goes is gone by now, and one of a view that stands in the way as well.
        let kept = plan.old(user).filter(|_| !plan.drops.contains(user));
        let Some(column) = kept.filter(|column| column.requires.contains(name)) else { continue };
        let of = column.of.as_deref().unwrap_or_default();
        let kind = column.word("type");
        let sql = format!(
            "ALTER TABLE {of} ALTER COLUMN {} TYPE {kind} USING {}::text::{kind}",
            column.local, column.local
        );
        let statement = Sql::new(format!("convert {user}"), sql)
            .caution("rewrites the table; fails where a value is not among the old ones");
        out.push(Sql { object: Some(user.clone()), ..statement });
    }
    out.push(Sql::new(format!("drop the newer {name}"), format!("DROP TYPE {schema}{ASIDE}")));
    if let Some(owner) = old.text("owner") {
        out.push(Sql::new(
            format!("give {name} to {owner}"),
            format!("ALTER TYPE {} OWNER TO {owner}", name.name),
        ));
    }
    super::privileges::fresh(plan, name, old, out);
}
