//! What an environment allows and asks for: the part of `ripcord.toml` that planning needs.

use crate::analysis::JudgePolicy;
use crate::model::ids::Millis;
use crate::model::strategy::Strategy;
use crate::model::traffic::HoldLimits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A part of the world that Ripcord may be given power over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Who answers requests.
    Traffic,
    /// Schema and data.
    Database,
    /// Feature flags.
    Flags,
    /// Configuration and instances.
    Config,
}

impl fmt::Display for Domain {
    /// The word that stands for it in a configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Domain::Traffic => "traffic",
            Domain::Database => "database",
            Domain::Flags => "flags",
            Domain::Config => "config",
        })
    }
}

/// How far that power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// Ripcord only looks.
    Observe,
    /// Ripcord writes the plan; people or other tools carry it out.
    Propose,
    /// Ripcord carries it out.
    #[default]
    Act,
}

impl fmt::Display for Authority {
    /// The word that stands for it in a configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Authority::Observe => "observe",
            Authority::Propose => "propose",
            Authority::Act => "act",
        })
    }
}

/// The authority for each domain; a domain that is not named is `act`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Authorities(pub BTreeMap<Domain, Authority>);

impl Authorities {
    /// The authority over one domain.
    pub fn of(&self, domain: Domain) -> Authority {
        self.0.get(&domain).copied().unwrap_or_default()
    }
}

/// The wishes of an environment that shape its plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How a release takes over.
    #[serde(default)]
    pub strategy: Strategy,
    /// How the judge decides.
    #[serde(default)]
    pub judge: JudgePolicy,
    /// How long the instances of a release that was taken back stay; none: until another release
    /// needs their place.
    #[serde(default)]
    pub abort_keep_ms: Option<Millis>,
    /// How many instances of a release serve.
    pub instances: u32,
    /// How long a new instance may take to become ready.
    pub ready_ms_max: Millis,
    /// How long requests in flight may take to end when traffic moves away.
    pub drain_ms_max: Millis,
    /// How requests are held back while a release that does not fit is exchanged.
    pub hold: HoldLimits,
    /// How long a release is watched after the switch; 0 for not at all.
    pub bake_ms: Millis,
    /// How long the old release stays running after the new one is proven.
    pub keep_warm_ms: Millis,
    /// How long a rollback to an earlier release needs no checks again.
    pub rollback_window_ms: Millis,
    /// The tolerated share of failed answers whatever the history says, in hundredths of a percent.
    pub error_floor: u16,
    /// A person approves between the checks and the switch.
    pub approve: bool,
    /// A step past its deadline takes the release back; otherwise the plan waits for a person.
    pub abort_on_deadline: bool,
    /// Checks at the preview address before the switch.
    pub checks: Vec<CheckSpec>,
    /// Infrastructure commands, in order of application.
    pub resources: Vec<ResourceSpec>,
    /// What a release sets in motion that no rollback returns.
    pub does_not_come_back: Vec<String>,
}

/// A check before the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckSpec {
    /// A GET request to the preview address that must answer with this status.
    Http {
        /// The path, with a leading slash.
        path: String,
        /// The expected status.
        status: u16,
    },
    /// A command that must exit with 0; `RIPCORD_RELEASE` and `RIPCORD_PREVIEW_URL` are set.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
    },
}

/// A user's own commands for a piece of infrastructure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceSpec {
    /// Its name, for people.
    pub name: String,
    /// The command that makes it as the new release needs it.
    pub apply: Vec<String>,
    /// The command that makes it as it was.
    pub revert: Vec<String>,
}
