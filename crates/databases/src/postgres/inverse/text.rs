//! How statements name objects and write values.

use crate::postgres::catalogue::{Name, Object};
use crate::postgres::kind::Kind;
use std::collections::BTreeMap;

/// A value as a literal, under standard conforming strings.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as an identifier, quoted whatever it is.
pub(super) fn identifier(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// How DROP, COMMENT ON and ALTER … OWNER name an object.
pub(super) fn target(name: &Name, object: &Object) -> String {
    let sql = name.kind.sql();
    let of = object.of.as_deref().unwrap_or_default();
    match name.kind {
        Kind::Constraint | Kind::Trigger | Kind::Rule | Kind::Policy => {
            format!("{sql} {} ON {of}", object.local)
        }
        Kind::DomainConstraint => format!("{sql} {} ON DOMAIN {of}", object.local),
        Kind::Attribute => format!("COLUMN {}", name.name),
        _ => format!("{sql} {}", name.name),
    }
}

/// Storage parameters, each `name=value`, as WITH and SET take them.
pub(super) fn parameters(options: &[&str]) -> String {
    let one = |option: &&str| match option.split_once('=') {
        Some((name, value)) => format!("{name} = {}", literal(value)),
        None => (*option).to_owned(),
    };
    options.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The names of storage parameters, as RESET takes them.
pub(super) fn parameter_names(options: &[&str]) -> String {
    let name = |option: &&str| option.split_once('=').map_or(*option, |(name, _)| name).to_owned();
    options.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Options of foreign objects, as CREATE takes them, with a space before.
pub(super) fn foreign_options(options: &BTreeMap<&str, String>) -> String {
    let one = |(name, value): (&&str, &String)| format!("{} {}", identifier(name), literal(value));
    let list: Vec<String> = options.iter().map(one).collect();
    if list.is_empty() { String::new() } else { format!(" OPTIONS ({})", list.join(", ")) }
}

/// The same as ALTER takes them to get from one to the other, if they differ.
pub(super) fn changed_options(
    from: &BTreeMap<&str, String>,
    to: &BTreeMap<&str, String>,
) -> Option<String> {
    let mut list = Vec::new();
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        list.push(format!("DROP {}", identifier(name)));
    }
    for (name, value) in to {
        let verb = if from.contains_key(name) { "SET" } else { "ADD" };
        if from.get(name) != Some(value) {
            list.push(format!("{verb} {} {}", identifier(name), literal(value)));
        }
    }
    if list.is_empty() { None } else { Some(format!("OPTIONS ({})", list.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out() {
        assert_eq!(literal("it's \\"), "'it''s \\'");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(parameters(&["fillfactor=70", "x"]), "fillfactor = '70', x");
    }

    #[test]
    fn options_change() {
        let options = |list: &[(&'static str, &str)]| -> BTreeMap<&'static str, String> {
            list.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        let from = options(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let to = options(&[("b", "2"), ("c", "4"), ("d", "5")]);
        let expected = "OPTIONS (DROP \"a\", SET \"c\" '4', ADD \"d\" '5')";
        assert_eq!(changed_options(&from, &to).as_deref(), Some(expected));
        assert_eq!(changed_options(&to, &to), None);
    }
}
