//! What an evaluation answers: a variant and its value, why, and what is said of the flag.

use thiserror::Error;

/// The answer for one flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation<'a> {
    /// The variant that was chosen; none leaves it to the code.
    pub variant: Option<&'a str>,
    /// Its value as JSON, as it was written.
    pub value: Option<&'a str>,
    /// Why.
    pub reason: Reason,
    /// What went wrong; the code decides then.
    pub error: Option<EvaluationError>,
    /// What is said of the flag and of its set, as a JSON object.
    pub metadata: &'a str,
}

/// Why an answer is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The flag has no rules.
    Static,
    /// No rule decided.
    Default,
    /// A rule decided, percentages included.
    TargetingMatch,
    /// The flag is disabled.
    Disabled,
    /// There is no answer.
    Error,
}

impl Reason {
    /// As the open flag protocol says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Static => "STATIC",
            Reason::Default => "DEFAULT",
            Reason::TargetingMatch => "TARGETING_MATCH",
            Reason::Disabled => "DISABLED",
            Reason::Error => "ERROR",
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvaluationError {
    /// There is no such flag.
    #[error("there is no flag of this key")]
    FlagNotFound,
    /// The rules chose no variant of the flag, or were too much work.
    #[error("{0}")]
    General(String),
    /// The rules of the flag cannot be read.
    #[error("the rules of the flag cannot be read: {0}")]
    Rules(String),
}

impl EvaluationError {
    /// The code of the open flag protocol.
    pub fn code(&self) -> &'static str {
        match self {
            EvaluationError::FlagNotFound => "FLAG_NOT_FOUND",
            EvaluationError::General(_) => "GENERAL",
            EvaluationError::Rules(_) => "PARSE_ERROR",
        }
    }
}
