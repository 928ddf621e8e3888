//! The failure itself: kind, code, what went wrong, where in a file, and what to do about it.

use crate::failure::Code;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a command did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What sort of failure it is; decides the exit code.
    pub(crate) kind: Kind,
    /// The stable code, with a page of its own under `docs/errors`.
    pub(crate) code: Code,
    /// What went wrong, where, as a lower-case fragment.
    pub(crate) error: String,
    /// What to do about it, one suggestion each.
    #[serde(default)]
    pub(crate) hints: Vec<String>,
    /// The place in a file, rendered with a caret.
    #[serde(default)]
    pub(crate) report: Option<String>,
}

/// The sorts of failures, by what the caller has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The command was called wrongly.
    Usage,
    /// The configuration, or something that it names, is wrong.
    Config,
    /// It was refused before anything was changed.
    Refused,
    /// The release was found bad and was taken back.
    WentBack,
    /// A person has to decide or to put something right.
    NeedsOperator,
    /// Something that is needed does not answer.
    Unreachable,
    /// A mistake in Ripcord.
    Bug,
}

impl Kind {
    /// The exit code of the process. 0 is for success and nothing else.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Kind::Bug => 1,
            Kind::Usage | Kind::Config => 2,
            Kind::Refused => 3,
            Kind::WentBack => 4,
            Kind::NeedsOperator => 5,
            Kind::Unreachable => 6,
        }
    }
}

impl Failure {
    /// A failure of the kind that belongs to its code.
    pub(crate) fn new(code: Code, error: impl Into<String>) -> Failure {
        Failure { kind: code.kind(), code, error: error.into(), hints: Vec::new(), report: None }
    }

    /// Adds something that the reader can do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// Shows the place in a file.
    #[must_use]
    pub(crate) fn at(mut self, report: impl Into<String>) -> Failure {
        self.report = Some(report.into());
        self
    }

    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, harmless(&self.error))?;
        if let Some(report) = &self.report {
            write!(f, "\n{}", harmless(report.trim_end()))?;
        }
        for hint in &self.hints {
            write!(f, "\nhint: {}", harmless(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Text that may hold what strangers wrote, without what could command a terminal.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn example() -> Failure {
        Failure::new(Code::ConfigUnknownKey, "unknown key `helth`")
            .at("  --> ripcord.toml:3:2\n   |\n 3 | [helth]\n   |  ^^^^^")
            .hint("did you mean `health`?")
    }

    #[test]
    fn shown_to_people() {
        expect![[r"
            error[RC0005]: unknown key `helth`
              --> ripcord.toml:3:2
               |
             3 | [helth]
               |  ^^^^^
            hint: did you mean `health`?
        "]]
        .assert_eq(&format!("{}\n", example()));
    }

    #[test]
    fn shown_to_machines_and_read_back() {
        let json = serde_json::to_string(&example()).unwrap();
        expect![[r#"{"kind":"config","code":"RC0005","error":"unknown key `helth`","hints":["did you mean `health`?"],"report":"  --> ripcord.toml:3:2\n   |\n 3 | [helth]\n   |  ^^^^^"}"#]]
        .assert_eq(&json);
        assert_eq!(serde_json::from_str::<Failure>(&json).unwrap(), example());
    }

    #[test]
    fn nothing_commands_the_terminal() {
        let failure = Failure::new(Code::Bug, "\u{1b}[2J\rgone").hint("a\u{7}b");
        expect![[r"error[RC0901]: \u{1b}[2J\rgone
hint: a\u{7}b"]]
        .assert_eq(&failure.to_string());
    }

    #[test]
    fn exit_codes() {
        let check = |code: Code, expected: u8| {
            assert_eq!(Failure::new(code, "").exit_code(), expected, "{code}");
        };
        check(Code::Bug, 1);
        check(Code::Usage, 2);
        check(Code::ConfigSyntax, 2);
        check(Code::NoWayBack, 3);
        check(Code::WentBack, 4);
        check(Code::NeedsOperator, 5);
        check(Code::NoController, 6);
    }
}
