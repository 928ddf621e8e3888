//! The four answers a judge can give. Lack of data is an answer of its own, never a good one.

use serde::{Deserialize, Serialize};

/// What the evidence says about a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against it.
    Continue,
    /// More is needed before it can be said.
    Wait {
        /// What.
        need: String,
    },
    /// It is bad.
    GoBack {
        /// Why, with the counts.
        because: String,
    },
    /// There is no data.
    Undecided {
        /// Which is missing.
        because: String,
    },
}
