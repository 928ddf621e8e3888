//! The simulated configuration, infrastructure and the user's own checks: durable values,
//! each behind a fence.

use crate::controller::Controller;
use crate::state::State;
use ripcord_core::model::ReleaseId;
use ripcord_core::model::policy::{CheckSpec, ResourceSpec};
use ripcord_core::plan::ResourceState;
use ripcord_core::run::Receipt;
use ripcord_engine::{Checks, Config, Failure, Resources, Result, Ticket};
use std::collections::BTreeMap;

/// Durable values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) config: Option<ReleaseId>,
    pub(crate) config_fence: u64,
    /// Whether each piece of infrastructure is as a release needs it.
    pub(crate) resources: BTreeMap<String, bool>,
    pub(crate) resources_fence: u64,
    /// Infrastructure whose command fails.
    pub(crate) broken: Option<String>,
}

impl Config for Controller<'_> {
    fn observe(&self) -> Result<Option<ReleaseId>> {
        self.look(|state| Ok(state.settings.config.clone()))
    }

    fn ensure(&self, release: Option<&ReleaseId>, ticket: &Ticket<'_>) -> Result<Receipt> {
        let fence = ticket.fence.0;
        self.effect("config", || {
            self.change(|state| {
                let seen = state.settings.config_fence;
                state.settings.config_fence = state.admit("the configuration", seen, fence)?;
                state.settings.config = release.cloned();
                Ok(Receipt::default())
            })
        })
    }
}

impl Resources for Controller<'_> {
    fn ensure(
        &self,
        resource: &ResourceSpec,
        release: &ReleaseId,
        wanted: ResourceState,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let fence = ticket.fence.0;
        self.effect("resource", || {
            self.change(|state: &mut State| {
                let seen = state.settings.resources_fence;
                state.settings.resources_fence = state.admit("a resource", seen, fence)?;
                let applied = wanted == ResourceState::Applied;
                if applied && state.settings.broken.as_ref() == Some(&resource.name) {
                    return Err(Failure::definite("exit code 1: no such queue"));
                }
                let name = format!("{} for {release}", resource.name);
                state.settings.resources.insert(name.clone(), applied);
                Ok(Receipt::of(name))
            })
        })
    }
}

impl Checks for Controller<'_> {
    fn run(&self, check: &CheckSpec, release: &ReleaseId, _ticket: &Ticket<'_>) -> Result<()> {
        self.effect("check", || {
            self.look(|state| {
                let shown = state.proxy.live.preview.as_ref() == Some(release);
                if !state.proxy.up {
                    return Err(Failure::transient("the proxy does not answer"));
                }
                if !shown || state.fleet.ready(release).next().is_none() {
                    return Err(Failure::definite(format!("{release} is not at the preview")));
                }
                let passes = state.releases.get(release).is_some_and(|one| one.traits.checks_pass);
                match check {
                    CheckSpec::Http { path, status } if !passes => {
                        let what = format!("{path} answered 500 instead of {status}");
                        Err(Failure::Definite(what))
                    }
                    CheckSpec::Command { argv } if !passes => {
                        Err(Failure::Definite(format!("`{}` failed", argv.join(" "))))
                    }
                    CheckSpec::Http { .. } | CheckSpec::Command { .. } => Ok(Receipt::default()),
                }
            })
        })
        .map(|_| ())
    }
}
