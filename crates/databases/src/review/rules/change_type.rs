//! `change-type`: a column gets another type, which rewrites the table.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{Statement, TypeChange};

pub(super) const RULE: Rule = Rule {
    name: "change-type",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a column gets another type, which rewrites the table",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AlterType { table, column, to, .. } = at.statement else { return None };
    at.axes.breaks.as_ref()?;
    let was = at.known.type_of(table, column);
    let from = was.map_or_else(|| "a type that no script here names".to_owned(), str::to_owned);
    let worst = match at.known.type_change(table, column, to) {
        TypeChange::Unknown => "perhaps writes every row anew",
        TypeChange::Rewrite { loses: true, .. } => "writes every row anew, and values may be cut",
        _ => "writes every row anew",
    };
    let message = format!(
        "{table}.{column} from {from} to {to} {worst} while readers and writers wait, and old \
         code may not know the type"
    );
    Found::new(message).instead(format!(
        "add a column of type {to}, write both from new code or a trigger, copy in batches, read \
         the new one, and drop the old one in a later release"
    ))
}
