//! Everything that can be wrong between Ripcord and a service for flags.

use crate::error::SourceError;
use thiserror::Error;

/// Why a flag could not be read or changed, and what to do about it. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ServiceError {
    /// It could not be asked, or refused in a way that is not its own.
    #[error(transparent)]
    Http(#[from] SourceError),
    /// The token is wrong.
    #[error(
        "{service} does not accept the token{}; check it, and that it is for the REST API",
        colon(said)
    )]
    Unauthorized {
        /// Which service.
        service: &'static str,
        /// How its answer begins.
        said: String,
    },
    /// The token may not write, or changes need somebody's approval there.
    #[error(
        "{service} does not let this token change {key}{}; approve the change there, or give the token the right to write",
        colon(said)
    )]
    NeedsApproval {
        /// Which service.
        service: &'static str,
        /// Which flag.
        key: String,
        /// How its answer begins.
        said: String,
    },
    /// There is no such flag.
    #[error("{service} has no flag {key} in this project and environment")]
    NoSuchFlag {
        /// Which service.
        service: &'static str,
        /// Which flag.
        key: String,
    },
    /// Somebody changed it in the same moment; nothing was changed by us.
    #[error("{service} is just changing {key} for somebody else; try again")]
    Busy {
        /// Which service.
        service: &'static str,
        /// Which flag.
        key: String,
    },
    /// The service accepted the change, and the flag is not as was asked for.
    #[error(
        "{service} accepted a change of {key}, but the flag is not as was asked for; look at it there"
    )]
    NotAsAsked {
        /// Which service.
        service: &'static str,
        /// Which flag.
        key: String,
    },
    /// The answer is not of the documented form.
    #[error("{service} answered in a form that is not documented: {why}")]
    Nonsense {
        /// Which service.
        service: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The settings cannot work.
    #[error("{service} cannot be used: {why}")]
    Setup {
        /// Which service.
        service: &'static str,
        /// What must be changed.
        why: String,
    },
}

impl ServiceError {
    /// Whether the same call may succeed later, with nothing changed by people.
    pub fn may_pass(&self) -> bool {
        match self {
            ServiceError::Http(error) => error.may_pass(),
            ServiceError::Busy { .. } => true,
            _ => false,
        }
    }

    /// How long the service wants to be left alone, in milliseconds, if it said so.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            ServiceError::Http(SourceError::TooManyRequests { retry_after_ms, .. }) => {
                Some(*retry_after_ms)
            }
            _ => None,
        }
    }
}

fn colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}
