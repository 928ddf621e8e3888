//! What a change of flags would mean, before it is made: what is wrong with the new document, and
//! which share of users gets another variant. Pure.

use crate::config::caret;
use crate::failure::{Code, Failure};
use ripcord_flags::{Bucketing, Document, Finding, FlagSet, FlagsError, Known, Severity, Share};
use ripcord_flags::{lint, moved};
use std::collections::BTreeSet;

/// The most flags whose users are counted for one change.
const COUNTED_MAX: usize = 5;

/// The users that a change moves, by flag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Moves {
    /// Flags with the share of their users, the largest first.
    flags: Vec<(String, Share)>,
    /// How many flags were not looked at.
    uncounted: usize,
}

/// Refuses a document that would not give some users what it says, and tells what else is worth a
/// look: of the flags `touched` only, since nobody is to be kept from a change by another's flag.
pub(crate) fn reviewed(
    document: &str,
    touched: &BTreeSet<String>,
    unix_seconds: i64,
) -> Result<Vec<String>, Failure> {
    let document = Document::parse(document.as_bytes()).map_err(super::keeper::invalid)?;
    let known = Known { unix_seconds: Some(unix_seconds), ..Known::default() };
    let concerns = |finding: &Finding| match &finding.flag {
        Some(flag) => touched.contains(flag),
        None => finding.severity == Severity::Error,
    };
    let mut warnings = Vec::new();
    for finding in lint(&document, &known).iter().filter(|finding| concerns(finding)) {
        match finding.severity {
            Severity::Error => return Err(refused("flags.json", document.text(), finding)),
            Severity::Warning => warnings.push(finding.to_string()),
            Severity::Note => {}
        }
    }
    Ok(warnings)
}

/// A finding as the failure that it is, with the line and a caret below.
fn refused(name: &str, text: &str, finding: &Finding) -> Failure {
    let problem = &finding.problem;
    let failure = Failure::new(Code::FlagsInvalid, format!("{name}: {}", problem.what)).at(caret(
        name,
        text,
        problem.place.span.clone(),
    ));
    if problem.hint.is_empty() { failure } else { failure.hint(problem.hint.as_str()) }
}

impl Moves {
    /// The users who get another variant of one of these flags.
    pub(crate) fn of(
        before: &str,
        after: &str,
        flags: &BTreeSet<String>,
    ) -> Result<Moves, Failure> {
        let set = |text: &str| FlagSet::parse(text).map_err(super::keeper::invalid);
        let (before, after) = (set(before)?, set(after)?);
        let there = |flag: &&String| before.position(flag).is_some();
        let both = flags.iter().filter(there).filter(|flag| after.position(flag).is_some());
        let both: Vec<&String> = both.collect();
        let mut counted: Vec<(String, Share)> = both
            .iter()
            .take(COUNTED_MAX)
            .map(|flag| ((*flag).clone(), moved(&before, &after, flag)))
            .filter(|(_, share)| share.moved > 0)
            .collect();
        counted.sort_by_key(|(_, share)| std::cmp::Reverse(share.moved));
        Ok(Moves { flags: counted, uncounted: both.len().saturating_sub(COUNTED_MAX) })
    }

    /// The largest share, in hundredths of a percent, rounded up.
    fn largest(&self) -> u32 {
        self.flags
            .first()
            .map_or(0, |(_, share)| (share.moved * 100).div_ceil(ripcord_flags::SAMPLED / 100))
    }

    /// One line for each flag.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.flags.iter().map(|(flag, share)| line(flag, share)).collect();
        if self.uncounted > 0 {
            lines.push(format!("{} more flags were not counted", self.uncounted));
        }
        lines
    }
}

fn line(flag: &str, share: &Share) -> String {
    let name =
        |variant: &Option<String>| variant.clone().unwrap_or_else(|| "the code's".to_owned());
    let ways: Vec<String> = share
        .ways
        .keys()
        .take(4)
        .map(|(from, to)| format!("{} → {}", name(from), name(to)))
        .collect();
    format!(
        "flag {flag}: about {:.1} % of users get another variant ({})",
        share.percent(),
        ways.join(", ")
    )
}

/// What a document with another generation of bucketing would do to users, in words; nothing where
/// the generation stays.
pub(crate) fn moved_by_bucketing(before: &str, after: &str) -> Result<Vec<String>, Failure> {
    let read = |text: &str| Document::parse(text.as_bytes()).map_err(super::keeper::invalid);
    let (old, new) = (read(before)?, read(after)?);
    let (from, to) = (old.bucketing(), new.bucketing());
    if from == to {
        return Ok(Vec::new());
    }
    let moved = old.set_bucketing(to).map_err(super::keeper::invalid)?;
    let lines = Moves::of(before, moved.text(), &split(&old))?.lines();
    let words = |line: String| format!("bucketing {} → {}: {line}", from.as_str(), to.as_str());
    Ok(lines.into_iter().map(words).collect())
}

/// The document with another generation of bucketing. It is refused unless the largest share of
/// users of a flag that it moves was accepted beforehand, in hundredths of a percent.
pub(crate) fn rebucketed(
    text: &str,
    bucketing: Bucketing,
    accept: Option<u32>,
) -> Result<String, Failure> {
    let invalid = |error: FlagsError| super::keeper::invalid(error);
    let document = Document::parse(text.as_bytes()).map_err(invalid)?;
    let changed = document.set_bucketing(bucketing).map_err(invalid)?.text().to_owned();
    let moves = Moves::of(text, &changed, &split(&document))?;
    let largest = moves.largest();
    if accept.is_some_and(|accepted| accepted >= largest) {
        return Ok(changed);
    }
    let share = format!("{}.{:02}%", largest / 100, largest % 100);
    let what = format!(
        "bucketing {} instead of {} gives users another variant: up to {share} of one flag",
        bucketing.as_str(),
        document.bucketing().as_str()
    );
    let failure = Failure::new(Code::UsersMove, what);
    let failure = moves.lines().into_iter().fold(failure, Failure::hint);
    Err(failure.hint(format!("`--accept {share}` does it knowingly")))
}

/// Refuses a change that brings another generation of bucketing along.
pub(crate) fn same_bucketing(before: &str, after: &str) -> Result<(), Failure> {
    // What cannot be read divides nobody, and must not keep anybody from putting it right.
    let Ok(old) = Document::parse(before.as_bytes()) else { return Ok(()) };
    let new = Document::parse(after.as_bytes()).map_err(super::keeper::invalid)?;
    let (from, to) = (old.bucketing(), new.bucketing());
    if from == to || split(&old).is_empty() {
        return Ok(());
    }
    let (from, to) = (from.as_str(), to.as_str());
    let what = format!("this would change the bucketing from {from} to {to} along the way");
    Err(Failure::new(Code::UsersMove, what)
        .hint(format!(
            "`ripcord flags bucketing {to}` says which share of users that moves, and does it"
        ))
        .hint(format!("or put \"bucketing\": \"{from}\" into the metadata of the new document")))
}

/// The flags that split users by shares, as far as a look at the text tells.
pub(super) fn split(document: &Document) -> BTreeSet<String> {
    let splits = |rules: &String| rules.contains("fractional") || rules.contains("$ref");
    let flags = document.flags().into_iter();
    flags.filter(|flag| flag.targeting.as_ref().is_some_and(splits)).map(|flag| flag.key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(bucketing: &str, rules: &str) -> String {
        format!(
            r#"{{"metadata":{{"bucketing":"{bucketing}"}},"flags":{{"f":{{"state":"ENABLED","variants":{{"on":true,"off":false}},"defaultVariant":"off","targeting":{rules}}}}}}}"#
        )
    }

    const TENTH: &str = r#"{"fractional":[["on",10],["off",90]]}"#;
    const THIRD: &str = r#"{"fractional":[["on",33],["off",67]]}"#;

    fn touched() -> BTreeSet<String> {
        BTreeSet::from(["f".to_owned()])
    }

    #[test]
    fn the_share_that_moves_is_said() {
        let moves = Moves::of(&document("v3", TENTH), &document("v3", THIRD), &touched()).unwrap();
        let lines = moves.lines();
        assert!(lines[0].starts_with("flag f: about 2"), "{lines:?}");
        assert!(lines[0].ends_with("(off → on)"), "only users are added: {lines:?}");
        let same = Moves::of(&document("v3", TENTH), &document("v3", TENTH), &touched()).unwrap();
        assert_eq!(same.lines(), Vec::<String>::new());
    }

    #[test]
    fn another_bucketing_needs_the_share_accepted() {
        let text = document("v2", TENTH);
        let refused = rebucketed(&text, Bucketing::V3, None).unwrap_err();
        assert_eq!(refused.code, Code::UsersMove);
        assert!(refused.to_string().contains("flag f: about 1"), "{refused}");
        assert!(rebucketed(&text, Bucketing::V3, Some(100)).is_err(), "less than it moves");
        let done = rebucketed(&text, Bucketing::V3, Some(2_500)).unwrap();
        assert_eq!(done, document("v3", TENTH));
        // Where no flag splits users nobody moves.
        let plain = document("v2", r#"{"if":[true,"on"]}"#);
        assert!(rebucketed(&plain, Bucketing::V3, Some(0)).is_ok());
    }

    #[test]
    fn bucketing_never_changes_along_the_way() {
        let check = |before: &str, after: &str, expected: bool| {
            assert_eq!(same_bucketing(before, after).is_ok(), expected);
        };
        check(&document("v2", TENTH), &document("v3", TENTH), false);
        check(&document("v2", TENTH), &document("v2", THIRD), true);
        check(&document("v2", "{}"), &document("v3", TENTH), true);
        check(&document("v3", TENTH), r#"{"flags":{}}"#, true);
        check(&document("v2", TENTH), r#"{"flags":{}}"#, false);
    }

    #[test]
    fn what_is_wrong_with_a_touched_flag_is_refused_with_a_caret() {
        let text = document("v3", r#"{"if":[true,"blue","off"]}"#);
        let found = reviewed(&text, &touched(), 0);
        let said = match found {
            Ok(warnings) => warnings.join("\n"),
            Err(failure) => failure.to_string(),
        };
        assert!(said.contains("blue") && said.contains('^'), "{said}");
        assert_eq!(reviewed(&text, &BTreeSet::new(), 0).unwrap(), Vec::<String>::new());
    }
}
