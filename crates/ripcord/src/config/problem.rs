//! From what the TOML reader says to a failure with code, caret and hint.

use crate::config::caret::caret;
use crate::config::suggestion::nearest;
use crate::failure::{Code, Failure};
use serde::de::Error;
use std::fmt::Display;
use toml::de::Error as TomlError;

/// An impossible value: what is wrong with it, and on the next line what to write instead.
pub(crate) fn value_error<E: Error>(what: impl Display, hint: impl Display) -> E {
    E::custom(format!("{what}\n{hint}"))
}

/// A text that is not TOML.
pub(crate) fn syntax(name: &str, text: &str, error: &TomlError) -> Failure {
    let failure = Failure::new(Code::ConfigSyntax, one_line(error.message()));
    failure.at(place(name, text, error))
}

/// What is said of a text that stands where a reference to a secret should.
pub(crate) const NO_REFERENCE: &str = "this is no reference to a secret";

/// TOML that does not have our shape.
pub(crate) fn shape(name: &str, text: &str, error: &TomlError) -> Failure {
    let message = error.message();
    let failure = if let Some((key, known)) = unknown(message, "unknown field ") {
        let failure = Failure::new(Code::ConfigUnknownKey, format!("unknown key `{key}`"));
        suggest(failure, key, &known)
    } else if let Some((word, known)) = unknown(message, "unknown variant ") {
        let failure = Failure::new(Code::ConfigValue, format!("`{word}` is not possible here"));
        suggest(failure, word, &known)
    } else if let Some(key) = quoted(message, "missing field ") {
        return missing(name, text, error, key);
    } else {
        let (what, hint) = message.split_once('\n').unwrap_or((message, ""));
        let failure = Failure::new(Code::ConfigValue, plain(what));
        if hint.is_empty() { failure } else { failure.hint(hint) }
    };
    if failure.error == NO_REFERENCE {
        // It may be the secret itself, and what is said here ends up in the logs of builds.
        return failure.at(place(name, &masked(text, error), error));
    }
    failure.at(place(name, text, error))
}

/// A missing key has no place of its own; its table has one, unless that is the whole file.
fn missing(name: &str, text: &str, error: &TomlError, key: &str) -> Failure {
    let hint = match key {
        "service" => "write `service = \"NAME\"` at the beginning",
        "artifact" => "add [artifact] with `path` and `command`",
        "environments" => "add [environments.production] with `listen = \"127.0.0.1:8080\"`",
        _ => "add it to this table",
    };
    let what = format!("the key `{key}` is missing");
    if error.span().is_none_or(|span| span.start == 0) {
        return Failure::new(Code::ConfigMissingKey, format!("{what} in {name}")).hint(hint);
    }
    Failure::new(Code::ConfigMissingKey, what).hint(hint).at(place(name, text, error))
}

/// The reader's words for types, in TOML's own words.
fn plain(message: &str) -> String {
    let Some((what, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    let expected = match expected {
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        "i64" => "a whole number",
        other => other.strip_prefix("struct ").map_or(other, |_| "a table"),
    };
    format!("{what}, expected {expected}")
}

/// The text with the place of the error made unreadable.
fn masked(text: &str, error: &TomlError) -> String {
    let Some(span) = error.span() else { return String::new() };
    let mask =
        |(at, character)| if span.contains(&at) && character != '\n' { '*' } else { character };
    text.char_indices().map(mask).collect()
}

fn place(name: &str, text: &str, error: &TomlError) -> String {
    caret(name, text, error.span().unwrap_or(0..0))
}

fn suggest(failure: Failure, word: &str, known: &[&str]) -> Failure {
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nearest(word, known) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None if known.is_empty() => failure.hint("nothing may stand here"),
        None => failure.hint(format!("possible here: {list}")),
    }
}

/// The unknown name and the known ones, from serde's "unknown field `a`, expected one of `b`, `c`".
fn unknown<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let (name, rest) = message.strip_prefix(prefix)?.strip_prefix('`')?.split_once("`, ")?;
    let known = rest.split('`').skip(1).step_by(2).collect();
    Some((name, known))
}

fn quoted<'a>(message: &'a str, prefix: &str) -> Option<&'a str> {
    message.strip_prefix(prefix)?.strip_prefix('`')?.strip_suffix('`')
}

fn one_line(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join(", ")
}
