//! What goes over the control socket.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::counts::Counted;
use crate::error::Refusal;
use crate::lease::LeaseLeft;
use crate::period::Periods;
use crate::state::{ReleaseName, State};

/// The longest question that is read.
pub(crate) const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;
/// The longest answer that is read: more than all histograms of all periods take.
pub(crate) const MAX_ANSWER_BYTES: u64 = 32 * 1024 * 1024;

/// One question.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Call {
    Apply { state: Box<State>, drain_deadline_ms: u64 },
    Observe,
    Counts,
    Periods,
    Renew { fence: u64, generation: u64 },
}

/// Its answer.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Applied(Applied),
    Observed(Box<Observed>),
    Counted(Counted),
    Periods(Periods),
    Renewed(Renewed),
    Refused(Refusal),
}

/// A state is in force, and drained as far as it says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// The generation that is in force.
    pub generation: u64,
    /// Whether everybody left by themselves. In any case nobody is inside any more.
    pub drained: bool,
    /// How many requests were cut off at the drain deadline.
    pub remaining: u64,
    /// From receipt to this answer.
    pub took_ms: u64,
    /// From receipt to the last new request that was given to a release without a share; zero if
    /// there was none.
    pub last_request_to_old_us: u64,
}

/// What the proxy does now.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// Where requests come in.
    pub listen: SocketAddr,
    /// Where requests for the preview come in.
    pub preview_listen: Option<SocketAddr>,
    /// The state in force.
    pub state: State,
    /// Who is inside which release.
    pub in_flight: BTreeMap<ReleaseName, InFlightCounts>,
    /// How many requests are held back.
    pub held: u64,
    /// The targets that pass their probes, of the releases in the state.
    pub healthy: BTreeMap<ReleaseName, Vec<SocketAddr>>,
    /// What is left of the state's lease. Whether it has lapsed stands in the state.
    pub lease: Option<LeaseLeft>,
}

/// Somebody watches.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Renewed {
    /// The lease had lapsed before; nothing has changed.
    pub lapsed: bool,
    /// How long the lease holds now; zero if it has lapsed, or the state has none.
    pub left_ms: u64,
}

/// Who is inside one release.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InFlightCounts {
    /// Requests that came in by the main listener.
    pub live: u64,
    /// Requests that came in by the preview listener.
    pub preview: u64,
    /// Upgraded connections.
    pub upgraded: u64,
}
