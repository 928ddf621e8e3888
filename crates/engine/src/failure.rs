//! How an effect can fail. The three kinds decide what happens next, so they are kept apart.

use ripcord_core::model::ids::Millis;
use thiserror::Error;

/// The result of acting on the world.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why an effect did not come about, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The world said no; trying again would say the same. The effect did not happen.
    #[error("{0}")]
    Definite(String),
    /// It took longer than its deadline. The effect did not happen, or not whole.
    #[error("{0}")]
    Deadline(String),
    /// It did not work this time and may the next. The effect did not happen.
    #[error("{0}")]
    Transient(String),
    /// There was no answer. The effect may have happened; it is safe to ask for it again.
    #[error("{0}")]
    Unknown(String),
    /// The receiver wants to be left alone for a while. The effect did not happen.
    #[error("{what}")]
    Later {
        /// What it says.
        what: String,
        /// For how long.
        after_ms: Millis,
    },
    /// A person has to do something first, or to allow it. The effect did not happen.
    #[error("{what}")]
    NeedsPerson {
        /// What.
        what: String,
        /// How they can do it, as commands.
        commands: Vec<String>,
    },
    /// Somebody asked to stop while it was under way; what was begun is in doubt.
    #[error("stopped on request")]
    Interrupted,
    /// A newer controller has taken over: this one must change nothing any more.
    #[error("a newer controller has taken over (fence {seen}, ours is {ours})")]
    Fenced {
        /// The fence that the receiver has seen.
        seen: u64,
        /// The fence of this controller.
        ours: u64,
    },
}

impl Failure {
    /// A definite failure.
    pub fn definite(what: impl std::fmt::Display) -> Failure {
        Failure::Definite(what.to_string())
    }

    /// A transient failure.
    pub fn transient(what: impl std::fmt::Display) -> Failure {
        Failure::Transient(what.to_string())
    }

    /// A failure of unknown outcome.
    pub fn unknown(what: impl std::fmt::Display) -> Failure {
        Failure::Unknown(what.to_string())
    }
}
