//! The flags document of a release, in flagd's format: checked for what would make a service
//! fail, and summed up as the default of each flag. It is not evaluated here.

use crate::config::caret;
use crate::failure::{Code, Failure};
use ripcord_core::model::{Digest, FlagSet};
use ripcord_flags::{Document, FlagsError};
use std::path::Path;

/// The digest of a document and the default variant of each of its flags.
pub(crate) fn flag_set(path: &Path, bytes: &[u8]) -> Result<FlagSet, Failure> {
    let name = path.display().to_string();
    let wrong =
        |what: &dyn std::fmt::Display| Failure::new(Code::FlagsInvalid, format!("{name}: {what}"));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(&"not UTF-8"))?;
    let document = Document::parse(bytes).map_err(|error| match &error {
        FlagsError::Form { line, column, .. } if *line > 0 => {
            let at = offset(text, *line, *column);
            wrong(&error)
                .at(caret(&name, text, at..at + 1))
                .hint("the format is flagd's: { \"flags\": { \"NAME\": { \"state\": ... } } }")
        }
        _ => wrong(&error),
    })?;
    Ok(FlagSet { document: Some(Digest::of_bytes(bytes)), defaults: document.defaults() })
}

/// The byte at a line and column as `serde_json` counts them.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    before + column.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let shown = match flag_set("flags.json".as_ref(), text.as_bytes()) {
            Ok(set) => format!("{:?}", set.defaults),
            Err(failure) => failure.to_string(),
        };
        for part in expected {
            assert!(shown.contains(part), "«{part}» is not in: {shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        check(
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": "x"}}}"#,
            &[r#"{"a": "x"}"#],
        );
        check(
            "{\"flags\": {\n  \"a\": nope\n}}",
            &["error[RC0107]: flags.json: ", "--> flags.json:2:9", "2 |   \"a\": nope", "hint: "],
        );
        check("{}", &["RC0107", "missing field `flags`"]);
        check(
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "of"}}}"#,
            &["flags.json: flag `a` has the default variant `of`, but only: on"],
        );
        check(
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true, "off": 0}}}}"#,
            &["flag `a` has variants of different types"],
        );
        check(
            r#"{"flags": {"a": {"state": "on", "variants": {"on": true}}}}"#,
            &["unknown variant"],
        );
    }
}
