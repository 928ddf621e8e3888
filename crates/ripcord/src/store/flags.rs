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
    let shown = |error: FlagsError| match error.problem() {
        Some(problem) => {
            let failure = wrong(&problem.what).at(caret(&name, text, problem.place.span.clone()));
            if problem.hint.is_empty() { failure } else { failure.hint(problem.hint.as_str()) }
        }
        None => wrong(&error),
    };
    let document = Document::parse(bytes).map_err(shown)?;
    // The rules too: a flag whose rules cannot be read would answer with errors once in force.
    ripcord_flags::FlagSet::parse(text).map_err(shown)?;
    let document_digest = Some(Digest::of_bytes(bytes));
    let defaults = document.defaults();
    Ok(FlagSet { document: document_digest, defaults, ..FlagSet::default() })
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
            &["error[RC0107]: flags.json: ", "--> flags.json:2:8", "2 |   \"a\": nope", "hint: "],
        );
        check("{}", &["RC0107", "the document has no member `flags`"]);
        check(
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "of"}}}"#,
            &["flags.json: flag `a` has the default variant `of`, but only: on"],
        );
        check(
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true, "off": 0}}}}"#,
            &["flag `a` has variants of different types"],
        );
        check(
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "targeting": {"iff": 1}}}}"#,
            &["RC0107", "there is no operator `iff`", "hint: operators are"],
        );
        check(
            r#"{"flags": {"a": {"state": "on", "variants": {"on": true}}}}"#,
            &["flag `a` has an unknown state"],
        );
    }
}
