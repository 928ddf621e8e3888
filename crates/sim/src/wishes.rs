//! The policy of the simulated environment, with times short enough for many runs.

use ripcord_core::analysis::JudgePolicy;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::policy::{CheckSpec, ResourceSpec};
use ripcord_core::model::{
    Authorities, Canary, CanaryStep, HoldLimits, Policy, Rolling, StickyKey, Strategy,
};

/// How long a division of traffic holds unwatched.
const LEASE_MS: Millis = 400;

/// What the owner of the environment wants.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// How releases are to be deployed.
    pub policy: Policy,
    /// How far Ripcord may go.
    pub authority: Authorities,
}

impl Default for Wishes {
    fn default() -> Self {
        let policy = Policy {
            strategy: Strategy::BlueGreen,
            judge: judge(),
            abort_keep_ms: Some(0),
            instances: 2,
            ready_ms_max: 600,
            drain_ms_max: 500,
            hold: HoldLimits::default(),
            bake_ms: 400,
            keep_warm_ms: 60_000,
            rollback_window_ms: 600_000,
            error_floor: 50,
            approve: false,
            abort_on_deadline: true,
            checks: vec![CheckSpec::Http { path: "/health".to_owned(), status: 200 }],
            resources: Vec::new(),
            does_not_come_back: Vec::new(),
        };
        Wishes { policy, authority: Authorities::default() }
    }
}

/// The rules of a deploy, but for latency, which simulated requests do not have, and with a proof
/// that some twenty good answers give.
fn judge() -> JudgePolicy {
    JudgePolicy {
        latency: false,
        burn_in_ms: 0,
        error_floor_ppm: 150_000,
        blind_ms_max: 2_000,
        ..JudgePolicy::default()
    }
}

impl Wishes {
    /// Releases get a growing share of the requests.
    pub fn canary(&mut self, steps: &[CanaryStep], sticky: Option<StickyKey>) {
        let canary = Canary { steps: steps.to_vec(), sticky, lease_ms: LEASE_MS };
        self.policy.strategy = Strategy::Canary(canary);
    }

    /// Releases replace each other a few instances at a time.
    pub fn rolling(&mut self, batch: u32, pause_ms: Millis) {
        self.policy.strategy = Strategy::Rolling(Rolling { batch, pause_ms, lease_ms: LEASE_MS });
    }

    /// Adds a piece of infrastructure.
    pub fn add_resource(&mut self, name: &str) {
        let command = |verb: &str| vec!["infra".to_owned(), verb.to_owned(), name.to_owned()];
        self.policy.resources.push(ResourceSpec {
            name: name.to_owned(),
            apply: command("apply"),
            revert: command("revert"),
        });
    }
}
