//! The rules about files and annotations, which are found while reading and not by looking at
//! statements.

use crate::formats::ProblemKind;
use crate::review::rules::{Level, Topic};

/// A rule that other code applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileRule {
    /// Its name, as annotations and baselines write it.
    pub(crate) name: &'static str,
    /// How loud it is.
    pub(crate) level: Level,
    /// What it is about.
    pub(crate) title: &'static str,
}

/// What all of them are about.
pub(crate) const TOPIC: Topic = Topic::Files;

const fn rule(name: &'static str, level: Level, title: &'static str) -> FileRule {
    FileRule { name, level, title }
}

/// An annotation that is none.
pub(crate) const ANNOTATION: FileRule =
    rule("annotation", Level::Error, "an annotation is wrong, or has nothing to say here");

/// A down script that takes away what users may have written since.
pub(crate) const DOWN_LOSES: FileRule =
    rule("down-loses", Level::Note, "taking a migration back destroys what was written since");

/// All of them.
pub(crate) const FILE_RULES: [FileRule; 14] = [
    ANNOTATION,
    DOWN_LOSES,
    of(ProblemKind::BadName),
    of(ProblemKind::DuplicateVersion),
    of(ProblemKind::Gap),
    of(ProblemKind::MissingDown),
    of(ProblemKind::DownWithoutUp),
    of(ProblemKind::EmptyScript),
    of(ProblemKind::NotText),
    of(ProblemKind::TooLarge),
    of(ProblemKind::Unreadable),
    of(ProblemKind::BadConfiguration),
    of(ProblemKind::Placeholder),
    of(ProblemKind::BadMark),
];

/// The rule about a kind of problem.
pub(crate) const fn of(kind: ProblemKind) -> FileRule {
    use Level::{Error, Note, Warning};
    match kind {
        ProblemKind::BadName => rule("bad-name", Warning, "a file is not named as a migration"),
        ProblemKind::DuplicateVersion => {
            rule("duplicate-version", Error, "two files are the same version")
        }
        ProblemKind::Gap => rule("gap", Warning, "a number is missing between two migrations"),
        ProblemKind::MissingDown => rule("missing-down", Note, "nothing takes a migration back"),
        ProblemKind::DownWithoutUp => {
            rule("down-without-up", Error, "a down script has no up script")
        }
        ProblemKind::EmptyScript => rule("empty-script", Warning, "a script does nothing"),
        ProblemKind::NotText => rule("not-text", Error, "a file is not UTF-8 text"),
        ProblemKind::TooLarge => rule("too-large", Error, "a file is too large to be read"),
        ProblemKind::Unreadable => rule("unreadable-file", Error, "a file cannot be read"),
        ProblemKind::BadConfiguration => {
            rule("bad-configuration", Error, "the tool's configuration is wrong")
        }
        ProblemKind::Placeholder => rule("placeholder", Warning, "a placeholder has no value"),
        ProblemKind::BadMark => {
            rule("bad-mark", Error, "the marks of up and down are missing or out of place")
        }
    }
}
