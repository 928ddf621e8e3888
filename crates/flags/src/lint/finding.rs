//! What a look at a document finds, and what is known beside it.

use crate::error::Problem;
use std::collections::BTreeSet;
use std::fmt;

/// Something worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// The flag, where it is about one.
    pub flag: Option<String>,
    /// What it is, where, and what to do.
    pub problem: Problem,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Probably not meant.
    Warning,
    /// Some users do not get what the document says.
    Error,
}

/// What is known beside the document. What is not known is not judged by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// The attributes that clients were seen to send.
    pub attributes: Option<BTreeSet<String>>,
    /// The schemas that a flag may require.
    pub schemas: Option<BTreeSet<String>>,
    /// The time.
    pub unix_seconds: Option<i64>,
}

impl Severity {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.severity.as_str())?;
        self.problem.fmt(f)
    }
}
