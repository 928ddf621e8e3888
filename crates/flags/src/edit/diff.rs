//! What differs between two documents, in words, flag by flag. Order and blanks are no difference;
//! the digits of a number are.

use crate::document::Document;
use crate::edit::rollout::shares_of;
use crate::form::{FlagForm, Form};
use crate::text::Member;
use std::collections::BTreeSet;
use std::fmt;

/// How a flag differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagChange {
    /// The key of the flag; for rules that flags share `$evaluators.NAME`, for what is said of the
    /// whole set `metadata`.
    pub key: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// What differs, one line each.
    pub words: Vec<String>,
}

/// What became of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

impl fmt::Display for FlagChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
        };
        write!(f, "{sign} {}: {}", self.key, self.words.join("; "))
    }
}

/// What differs from the first document to the second, in the order of keys, what is shared last.
pub fn diff(before: &Document, after: &Document) -> Vec<FlagChange> {
    let (old, new) = (Side::of(before), Side::of(after));
    let flags = |side: &Side<'_>| side.form.flags.iter().map(|flag| flag.key.to_owned()).collect();
    let (old_keys, new_keys): (BTreeSet<String>, BTreeSet<String>) = (flags(&old), flags(&new));
    let mut changes: Vec<FlagChange> = old_keys
        .union(&new_keys)
        .filter_map(|key| flag(key, old.flag(key), new.flag(key), &old, &new))
        .collect();
    let rules = named(old.form.evaluators, new.form.evaluators, &old, &new);
    for (name, words) in rules {
        let what = format!("rule {words}");
        changes.push(FlagChange {
            key: format!("$evaluators.{name}"),
            kind: kind_of(&words),
            words: vec![what],
        });
    }
    let set = named(old.form.metadata, new.form.metadata, &old, &new);
    if !set.is_empty() {
        let words = set.into_iter().map(|(name, words)| format!("`{name}` {words}")).collect();
        changes.push(FlagChange { key: "metadata".to_owned(), kind: ChangeKind::Changed, words });
    }
    changes
}

struct Side<'a> {
    document: &'a Document,
    form: Form<'a>,
}

impl<'a> Side<'a> {
    fn of(document: &'a Document) -> Side<'a> {
        Side { document, form: document.form() }
    }

    fn flag(&self, key: &str) -> Option<&FlagForm<'a>> {
        self.form.find(key)
    }

    fn text(&self) -> &'a str {
        self.document.text()
    }
}

fn flag(
    key: &str,
    before: Option<&FlagForm<'_>>,
    after: Option<&FlagForm<'_>>,
    old: &Side<'_>,
    new: &Side<'_>,
) -> Option<FlagChange> {
    let change = |kind, words| Some(FlagChange { key: key.to_owned(), kind, words });
    match (before, after) {
        (None, None) => None,
        (None, Some(after)) => change(ChangeKind::Added, vec![summary(after)]),
        (Some(before), None) => change(ChangeKind::Removed, vec![summary(before)]),
        (Some(before), Some(after)) => {
            if before.node.same(old.text(), after.node, new.text()) {
                return None;
            }
            let mut words = Vec::new();
            if before.state != after.state {
                words.push(format!("state {} -> {}", before.state.as_str(), after.state.as_str()));
            }
            if before.default != after.default {
                words.push(format!("default {} -> {}", shown(before), shown(after)));
            }
            for (name, what) in named(before.variants, after.variants, old, new) {
                words.push(format!("variant `{name}` {what}"));
            }
            words.extend(rules(before, after, old, new));
            for (name, what) in named(before.metadata, after.metadata, old, new) {
                words.push(format!("metadata `{name}` {what}"));
            }
            if words.is_empty() {
                words.push("members that are not known here".to_owned());
            }
            change(ChangeKind::Changed, words)
        }
    }
}

fn rules(
    before: &FlagForm<'_>,
    after: &FlagForm<'_>,
    old: &Side<'_>,
    new: &Side<'_>,
) -> Option<String> {
    let same = match (before.targeting, after.targeting) {
        (None, None) => true,
        (Some(a), Some(b)) => a.same(old.text(), b, new.text()),
        _ => false,
    };
    if same {
        return None;
    }
    let (from, to) = (shares_of(before, old.text()), shares_of(after, new.text()));
    if from != to && !(from.is_empty() && to.is_empty()) {
        let shares = |shares: &[(String, f64)]| {
            let texts =
                shares.iter().map(|(name, percent)| format!("`{name}` {} %", rounded(*percent)));
            let text = texts.collect::<Vec<_>>().join(", ");
            if text.is_empty() { "none".to_owned() } else { text }
        };
        return Some(format!("shares {} -> {}", shares(&from), shares(&to)));
    }
    Some(match (before.targeting, after.targeting) {
        (None, _) => "rules added".to_owned(),
        (_, None) => "rules removed".to_owned(),
        _ => "rules changed".to_owned(),
    })
}

/// At most three decimals, which is what commands set.
fn rounded(percent: f64) -> f64 {
    (percent * 1000.0).round() / 1000.0
}

fn summary(flag: &FlagForm<'_>) -> String {
    let rules = if flag.targeting.is_some() { ", with rules" } else { "" };
    format!("{}, default {}{rules}", flag.state.as_str(), shown(flag))
}

fn shown(flag: &FlagForm<'_>) -> String {
    flag.default.map_or("what the code says".to_owned(), |name| format!("`{name}`"))
}

/// What differs between members of the same kind, in the order of their names.
fn named(
    before: &[Member],
    after: &[Member],
    old: &Side<'_>,
    new: &Side<'_>,
) -> Vec<(String, String)> {
    let find = |members: &[Member], name: &str| {
        members.iter().find(|member| &*member.key == name).map(|member| member.value.clone())
    };
    let names: BTreeSet<&str> = before.iter().chain(after).map(|member| &*member.key).collect();
    let mut found = Vec::new();
    for name in names {
        let words = match (find(before, name), find(after, name)) {
            (None, Some(value)) => format!("added: {}", short(value.lexeme(new.text()))),
            (Some(value), None) => format!("removed: {}", short(value.lexeme(old.text()))),
            (Some(a), Some(b)) if !a.same(old.text(), &b, new.text()) => {
                format!("{} -> {}", short(a.lexeme(old.text())), short(b.lexeme(new.text())))
            }
            _ => continue,
        };
        found.push((name.to_owned(), words));
    }
    found
}

fn kind_of(words: &str) -> ChangeKind {
    match words.split(':').next() {
        Some("added") => ChangeKind::Added,
        Some("removed") => ChangeKind::Removed,
        _ => ChangeKind::Changed,
    }
}

/// A value on one line and not too long.
fn short(lexeme: &str) -> String {
    let line: String = lexeme.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(60).collect();
    if cut.len() < line.len() { format!("{cut}...") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(flags: &str) -> Document {
        Document::parse(format!(r#"{{"flags":{{{flags}}}}}"#).as_bytes()).expect("a good document")
    }

    fn check(before: &str, after: &str, expected: &[&str]) {
        let found = diff(&document(before), &document(after));
        let found: Vec<String> = found.iter().map(FlagChange::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn differences_are_told_in_words() {
        let f = r#""f":{"state":"ENABLED","variants":{"on":1.0,"off":0},"defaultVariant":"on"}"#;
        check(f, f, &[]);
        check("", f, &["+ f: ENABLED, default `on`"]);
        check(f, "", &["- f: ENABLED, default `on`"]);
        check(f, &f.replace("ENABLED", "DISABLED"), &["~ f: state ENABLED -> DISABLED"]);
        check(f, &f.replace("\"on\"}", "null}"), &["~ f: default `on` -> what the code says"]);
        check(f, &f.replace("1.0", "1.00"), &["~ f: variant `on` 1.0 -> 1.00"]);
        check(
            f,
            &f.replace("\"off\":0", "\"no\":0"),
            &["~ f: variant `no` added: 0; variant `off` removed: 0"],
        );
        let with = |rest: &str| format!("{}{rest}}}", f.trim_end_matches('}'));
        check(f, &with(r#","targeting":{"var":"x"}"#), &["~ f: rules added"]);
        check(&with(r#","targeting":{"var":"x"}"#), f, &["~ f: rules removed"]);
        check(
            &with(r#","targeting":{"var":"x"}"#),
            &with(r#","targeting":{"var":"y"}"#),
            &["~ f: rules changed"],
        );
        check(
            &with(r#","targeting":{"fractional":[["on",10],["off",90]]}"#),
            &with(r#","targeting":{"fractional":[["on",1],["off",2]]}"#),
            &["~ f: shares `on` 10 %, `off` 90 % -> `on` 33.333 %, `off` 66.667 %"],
        );
        check(f, &with(r#","metadata":{"owner":"me"}"#), &["~ f: metadata `owner` added: \"me\""]);
        check(f, &with(r#","own":1"#), &["~ f: members that are not known here"]);
    }

    #[test]
    fn what_flags_share_is_told_too() {
        let before = Document::parse(
            br#"{"flags":{},"$evaluators":{"a":{"var":"x"}},"metadata":{"version":"1"}}"#,
        );
        let after = Document::parse(
            br#"{"flags":{},"$evaluators":{"b":{"var":"x"}},"metadata":{"version":"2"}}"#,
        );
        let found = diff(&before.expect("good"), &after.expect("good"));
        let found: Vec<String> = found.iter().map(FlagChange::to_string).collect();
        assert_eq!(
            found,
            [
                r#"- $evaluators.a: rule removed: {"var":"x"}"#,
                r#"+ $evaluators.b: rule added: {"var":"x"}"#,
                "~ metadata: `version` \"1\" -> \"2\"",
            ]
        );
    }
}
