//! The policy of the simulated environment, with times short enough for many runs.

use ripcord_core::model::policy::{CheckSpec, ResourceSpec};
use ripcord_core::model::{Authorities, HoldLimits, Policy};

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

impl Wishes {
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
