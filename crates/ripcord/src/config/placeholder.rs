//! Placeholders in commands and environment variables: `{config}`, `{database}` and so on.
//! They are filled in when an instance starts; here is only which there are.

use crate::config::problem::value_error;
use crate::config::suggestion::nearest;
use serde::de::Error;

/// Every placeholder, by its name between the braces.
pub(crate) const NAMES: [&str; 6] =
    ["config", "database", "environment", "flags", "release", "state"];

/// What the placeholders stand for in one environment and release.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The directory with the release's configuration files.
    pub(crate) config: String,
    /// The database file; empty when the service has none.
    pub(crate) database: String,
    /// The name of the environment.
    pub(crate) environment: String,
    /// The flags document in force.
    pub(crate) flags: String,
    /// The release.
    pub(crate) release: String,
    /// The state directory.
    pub(crate) state: String,
}

/// Fills the placeholders in. What is filled in is not looked through again, and braces around
/// anything else stay as they are.
pub(crate) fn fill(text: &str, places: &Places) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next(rest) {
        filled.push_str(before);
        match name {
            "config" => filled.push_str(&places.config),
            "database" => filled.push_str(&places.database),
            "environment" => filled.push_str(&places.environment),
            "flags" => filled.push_str(&places.flags),
            "release" => filled.push_str(&places.release),
            "state" => filled.push_str(&places.state),
            other => {
                filled.push('{');
                filled.push_str(other);
                filled.push('}');
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// Whether a text uses this placeholder.
pub(crate) fn uses(text: &str, name: &str) -> bool {
    names(text).contains(&name)
}

/// Refuses a text with a placeholder that does not exist.
pub(crate) fn known<E: Error>(text: &str) -> Result<(), E> {
    let Some(name) = names(text).into_iter().find(|name| !NAMES.contains(name)) else {
        return Ok(());
    };
    let list = NAMES.map(|name| format!("{{{name}}}")).join(", ");
    let hint = match nearest(name, &NAMES) {
        Some(near) => format!("did you mean {{{near}}}? There are {list}"),
        None => format!("there are {list}; other braces belong into a configuration file"),
    };
    Err(value_error(format!("there is no placeholder {{{name}}}"), hint))
}

fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, name, after)) = next(rest) {
        names.push(name);
        rest = after;
    }
    names
}

/// The first `{name}` with what is before and after it. Braces around anything but small letters
/// and `_` are no placeholder, so that JSON can be written.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    for (open, _) in text.match_indices('{') {
        let after = &text[open + 1..];
        let length = after.bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
        if length > 0 && after[length..].starts_with('}') {
            return Some((&text[..open], &after[..length], &after[length + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places {
            config: "/c".into(),
            database: "/d/{flags}".into(),
            environment: "prod".into(),
            flags: "/f".into(),
            release: "v1".into(),
            state: "/s".into(),
        }
    }

    #[test]
    fn fills_in_once() {
        let check = |text: &str, expected: &str| assert_eq!(fill(text, &places()), expected);
        check("{config}/a {release}-{environment}", "/c/a v1-prod");
        check("{database} {flags}{state}", "/d/{flags} /f/s");
        check("{{release}}", "{v1}");
        check("{\"a\": {}} { release } {Release}", "{\"a\": {}} { release } {Release}");
        check("{", "{");
        check("", "");
    }

    #[test]
    fn every_name_is_filled_in_and_no_other() {
        for name in NAMES {
            let text = format!("{{{name}}}");
            assert_ne!(fill(&text, &places()), text);
        }
        assert_eq!(fill("{other}", &places()), "{other}");
    }
}
