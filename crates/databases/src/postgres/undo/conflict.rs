//! Which rows of users stand against a constraint that is to come back, in numbers.

use super::ABOUT;
use crate::postgres::catalogue::{Name, Object};
use crate::postgres::connection::Connection;
use crate::postgres::kind::Kind;
use crate::postgres::trouble::PostgresError;

/// How many rows stand against this object of the schema to arrive at. None when it demands
/// nothing of rows that could be counted.
pub(crate) fn count(
    connection: &mut Connection,
    name: &Name,
    object: &Object,
) -> Result<Option<u64>, PostgresError> {
    let Some(sql) = question(name, object) else { return Ok(None) };
    Ok(u64::try_from(connection.number(ABOUT, &sql)?).ok())
}

/// Some of these rows, as people recognise them.
pub(crate) fn some(
    connection: &mut Connection,
    name: &Name,
    object: &Object,
) -> Result<Vec<String>, PostgresError> {
    let Some(sql) = question(name, object) else { return Ok(Vec::new()) };
    let shown = match sql.strip_prefix(COUNT) {
        Some(rest) => format!("SELECT t::text FROM {rest} LIMIT {SHOWN_MAX}"),
        None => sql.replacen(SUM, "SELECT x::text", 1) + &format!(" LIMIT {SHOWN_MAX}"),
    };
    let rows = connection.rows(ABOUT, &shown)?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// How many rows are shown.
const SHOWN_MAX: usize = 3;

/// How the questions begin that count rows, and those that count what is there too often.
const COUNT: &str = "SELECT pg_catalog.count(*) FROM ";
const SUM: &str = "SELECT coalesce(pg_catalog.sum(n - 1), 0)";

fn question(name: &Name, object: &Object) -> Option<String> {
    let of = object.of.as_deref()?;
    if name.kind == Kind::Column {
        let null =
            format!("SELECT pg_catalog.count(*) FROM {of} t WHERE t.{} IS NULL", object.local);
        return object.flag("not_null").then_some(null);
    }
    let text = object.word("definition");
    match object.word("type") {
        "check" => {
            let demand = text.strip_prefix("CHECK ")?.trim_end_matches(" NOT VALID");
            let demand = demand.trim_end_matches(" NO INHERIT");
            Some(format!("SELECT pg_catalog.count(*) FROM {of} t WHERE NOT {demand}"))
        }
        "primary key" | "unique" => Some(twice(of, list(text)?)),
        "foreign key" => orphans(of, text),
        _ if name.kind == Kind::Index && text.starts_with("CREATE UNIQUE INDEX") => {
            let from = text.find(" USING ")?;
            Some(twice(of, list(&text[from..])?))
        }
        _ => None,
    }
}

/// What stands between the first pair of parentheses that belong together.
fn list(text: &str) -> Option<&str> {
    let from = text.find('(')?;
    let mut depth = 0_u32;
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return text.get(from + 1..at);
        }
    }
    None
}

fn twice(of: &str, columns: &str) -> String {
    format!(
        "{SUM} FROM (SELECT {columns}, pg_catalog.count(*) AS n FROM {of} \
         GROUP BY {columns} HAVING pg_catalog.count(*) > 1 AND pg_catalog.num_nulls({columns}) = 0) x"
    )
}

fn orphans(of: &str, text: &str) -> Option<String> {
    let own = list(text)?;
    let rest = &text[text.find(" REFERENCES ")? + " REFERENCES ".len()..];
    let parent = &rest[..rest.find('(')?];
    let theirs = list(rest)?;
    let pairs = own.split(", ").zip(theirs.split(", "));
    let equal: Vec<String> = pairs.map(|(own, their)| format!("p.{their} = t.{own}")).collect();
    let filled: Vec<String> = own.split(", ").map(|own| format!("t.{own} IS NOT NULL")).collect();
    Some(format!(
        "SELECT pg_catalog.count(*) FROM {of} t WHERE {} AND NOT EXISTS (SELECT FROM {parent} p \
         WHERE {})",
        filled.join(" AND "),
        equal.join(" AND ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(list(text), expected, "{text}");
        check("UNIQUE (a, lower((b)::text)) WITH (x=1)", Some("a, lower((b)::text)"));
        check("UNIQUE", None);
        let key = orphans("s.t", "FOREIGN KEY (a, b) REFERENCES s.p(c, d) ON DELETE CASCADE");
        assert_eq!(
            key.as_deref(),
            Some(
                "SELECT pg_catalog.count(*) FROM s.t t WHERE t.a IS NOT NULL AND t.b IS NOT NULL \
                 AND NOT EXISTS (SELECT FROM s.p p WHERE p.c = t.a AND p.d = t.b)"
            )
        );
    }
}
