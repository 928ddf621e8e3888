//! Why a document of flags cannot be used, or cannot be changed as asked.

use crate::text::Place;
use std::fmt;
use std::ops::Range;
use thiserror::Error;

/// Why a document of flags cannot be used or changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlagsError {
    /// It is larger than any sensible document.
    #[error("it has {0} bytes, more than can be meant (at most 16 MiB)")]
    TooLarge(usize),
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// It is not JSON, or not of flagd's form. `{:#}` shows the line too.
    #[error(transparent)]
    Wrong(Box<Problem>),
    /// There is no flag of this key.
    #[error("there is no flag `{key}`; there are: {known}")]
    NoFlag {
        /// The key that was asked for.
        key: String,
        /// The keys that there are.
        known: String,
    },
    /// A change that the flag does not allow.
    #[error("flag `{flag}` {why}")]
    Refused {
        /// Which flag.
        flag: String,
        /// Why not, and what to do instead.
        why: String,
    },
}

/// Something that is wrong at a place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// What to do about it; empty where nothing is to be added.
    pub hint: String,
    /// Where it stands.
    pub place: Place,
}

/// The most problems that are told of one document: the first ones are enough to begin with, and
/// finding the line of each takes time.
pub(crate) const PROBLEMS_MAX: usize = 200;

/// A problem whose line is not worked out yet.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) hint: String,
    pub(crate) span: Range<usize>,
}

impl Fault {
    pub(crate) fn new(span: Range<usize>, what: impl Into<String>) -> Fault {
        Fault { what: what.into(), hint: String::new(), span }
    }

    /// The same with an advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = hint.into();
        self
    }

    /// The problem, with its line.
    pub(crate) fn problem(&self, text: &str) -> Problem {
        Problem::new(text, &self.span, self.what.as_str()).hint(self.hint.as_str())
    }
}

impl Problem {
    /// A problem at some bytes of a text.
    pub(crate) fn new(text: &str, span: &Range<usize>, what: impl Into<String>) -> Problem {
        Problem { what: what.into(), hint: String::new(), place: Place::of(text, span) }
    }

    /// The same with an advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = hint.into();
        self
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for FlagsError {
    fn from(problem: Problem) -> FlagsError {
        FlagsError::Wrong(Box::new(problem))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.place.line, self.place.column);
        if !f.alternate() {
            return write!(f, "line {line}, column {column}: {}", self.what);
        }
        write!(f, "{}\n  at line {line}, column {column}\n{}", self.what, self.place)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\nhint: {}", self.hint) }
    }
}

impl FlagsError {
    /// What is wrong, with its place, if it has one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            FlagsError::Wrong(problem) => Some(problem),
            _ => None,
        }
    }

    /// The same as a problem, at the beginning of the text where it has no place.
    pub(crate) fn into_problem(self, text: &str) -> Problem {
        match self {
            FlagsError::Wrong(problem) => *problem,
            other => Problem::new(text, &(0..0), other.to_string()),
        }
    }

    pub(crate) fn refused(flag: &str, why: impl Into<String>) -> FlagsError {
        FlagsError::Refused { flag: flag.to_owned(), why: why.into() }
    }
}
