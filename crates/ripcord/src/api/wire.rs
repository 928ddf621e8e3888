//! What goes over the wire. Plans, entries and releases travel in their journal form.

use crate::failure::Failure;
use ripcord_core::model::{PlanId, Release, ReleaseId};
use ripcord_core::plan::{Acceptance, Plan};
use ripcord_core::run::Entry;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// How to reach the running controller; written by it into the state directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) pid: u32,
    pub(crate) version: String,
}

/// A release that was frozen into the store and wants a number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Frozen {
    pub(crate) release: Release,
}

/// The release with its number, and whether it is new.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Created {
    pub(crate) release: Release,
    pub(crate) new: bool,
}

/// Asks for a plan.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanRequest {
    pub(crate) wish: WishKind,
}

/// What is wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WishKind {
    Deploy {
        release: ReleaseId,
        retry: bool,
        accepted: Option<Acceptance>,
        #[serde(default)]
        force_flags: bool,
    },
    Rollback {
        to: Option<ReleaseId>,
        #[serde(default)]
        force_flags: bool,
    },
}

/// Asks to carry a plan out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartRequest {
    pub(crate) plan: Box<Plan>,
    pub(crate) by: String,
}

/// A plan has begun.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    pub(crate) plan: PlanId,
}

/// Whether there was anything to ask a request of.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) taken: bool,
}

/// Opens or closes a downtime window.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MaintenanceRequest {
    pub(crate) on: bool,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) reason: String,
}

/// A document of flags.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FlagDocument {
    pub(crate) document: String,
}

/// Entries of the ledger, in order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entries {
    pub(crate) entries: Vec<Entry>,
}

/// The answer when something went wrong.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wrong {
    pub(crate) failure: Failure,
}
