//! Bringing flags back three-way: what nobody changed since goes back, what somebody changed stays
//! and is told.

use crate::document::Document;
use crate::edit::splice::Splices;
use crate::error::FlagsError;
use crate::form::Form;
use std::collections::BTreeSet;

/// What came of a merge.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// The document as it is now, with what was taken.
    pub document: Document,
    /// The flags that go back.
    pub taken: Vec<String>,
    /// The flags that somebody changed since: they stay as they are.
    pub conflicts: Vec<String>,
}

/// Merges flag by flag: `base` is what was put in force, `theirs` what is in force now, `ours` what
/// is to come back. Rules that flags share, and what is said of the whole set, stay as they are now.
///
/// # Errors
///
/// [`FlagsError`] when the result is not a document, which means a flag of one of the three was
/// not one.
pub fn merge(base: &Document, ours: &Document, theirs: &Document) -> Result<Merge, FlagsError> {
    let (base_form, our_form, their_form) = (base.form(), ours.form(), theirs.form());
    let keys: BTreeSet<&str> = [&base_form, &our_form, &their_form]
        .iter()
        .flat_map(|form| form.flags.iter().map(|flag| flag.key))
        .collect();
    let (mut taken, mut conflicts) = (Vec::new(), Vec::new());
    let mut splices = Splices::new(theirs.text());
    let mut dropped = Vec::new();
    for key in keys {
        let old = (&base_form, base.text(), key);
        let wanted = (&our_form, ours.text(), key);
        let now = (&their_form, theirs.text(), key);
        if same(wanted, now) || same(wanted, old) {
            continue;
        }
        if !same(now, old) {
            conflicts.push(key.to_owned());
            continue;
        }
        taken.push(key.to_owned());
        match our_form.find(key).map(|flag| flag.node.lexeme(ours.text())) {
            Some(json) => theirs.place_flag(&mut splices, &their_form, key, json)?,
            None => dropped.push(key),
        }
    }
    let document = Document::from_text(splices.apply())?.without_flags(&dropped)?;
    Ok(Merge { document, taken, conflicts })
}

type Side<'a> = (&'a Form<'a>, &'a str, &'a str);

/// Whether a flag says the same on two sides, or is on neither.
fn same(a: Side<'_>, b: Side<'_>) -> bool {
    match (a.0.find(a.2), b.0.find(b.2)) {
        (None, None) => true,
        (Some(left), Some(right)) => left.node.same(a.1, right.node, b.1),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(flags: &[(&str, &str)]) -> Document {
        let flags: Vec<String> = flags
            .iter()
            .map(|(key, default)| {
                format!(r#""{key}":{{"state":"ENABLED","variants":{{"a":1.0,"b":2}},"defaultVariant":"{default}"}}"#)
            })
            .collect();
        let text = format!(r#"{{"own":1.0,"flags":{{{}}}}}"#, flags.join(","));
        Document::parse(text.as_bytes()).expect("a good document")
    }

    #[test]
    fn untouched_flags_go_back_and_touched_ones_are_told() {
        let ours = document(&[
            ("kept", "a"),
            ("back", "a"),
            ("touched", "a"),
            ("gone", "a"),
            ("same", "a"),
        ]);
        let base = document(&[
            ("kept", "a"),
            ("back", "b"),
            ("touched", "b"),
            ("new", "b"),
            ("newer", "b"),
            ("same", "b"),
        ]);
        let theirs = document(&[
            ("kept", "b"),
            ("back", "b"),
            ("touched", "a"),
            ("new", "b"),
            ("newer", "b"),
            ("same", "a"),
            ("theirs", "a"),
        ]);
        let theirs = theirs.set_state("touched", crate::FlagState::Disabled).expect("a change");
        let merged = merge(&base, &ours, &theirs).expect("a merge");
        assert_eq!(merged.taken, ["back", "gone", "new", "newer"]);
        assert_eq!(merged.conflicts, ["touched"]);
        let defaults = merged.document.defaults();
        let check = |key: &str, expected: Option<&str>| {
            assert_eq!(defaults.get(key).map(String::as_str), expected, "{key}");
        };
        check("kept", Some("b"));
        check("back", Some("a"));
        check("touched", Some("disabled"));
        check("gone", Some("a"));
        check("new", None);
        check("newer", None);
        check("same", Some("a"));
        check("theirs", Some("a"));
        assert!(merged.document.text().starts_with(r#"{"own":1.0,"#));
    }

    #[test]
    fn blanks_and_order_are_no_change() {
        let base = document(&[("f", "b")]);
        let spaced = base
            .text()
            .replace(r#""state":"ENABLED","#, "")
            .replace(r#""b"}"#, r#""b", "state" : "ENABLED"}"#);
        let theirs = Document::parse(spaced.as_bytes()).expect("a good document");
        let merged = merge(&base, &document(&[("f", "a")]), &theirs).expect("a merge");
        assert_eq!((merged.taken.len(), merged.conflicts.len()), (1, 0));
        let digits = base.text().replace("1.0,\"b\"", "1.00,\"b\"");
        let theirs = Document::parse(digits.as_bytes()).expect("a good document");
        let merged = merge(&base, &document(&[("f", "a")]), &theirs).expect("a merge");
        assert_eq!((merged.taken.len(), merged.conflicts.len()), (0, 1));
    }
}
