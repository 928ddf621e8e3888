//! The engine's view of traffic, spoken to the proxy of one environment. The proxy wants
//! addresses; the plan names releases: this is where the two meet.

mod document;

use document::{forgotten_cookies, from_proxy, split, to_proxy};
use ripcord_core::analysis::{ArmCounts, Past};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{ReleaseId, Share, TrafficState};
use ripcord_core::run::Receipt;
use ripcord_engine::{
    Arm, Counts, Failure, Period, Periods, Pulse, Renewal, Result, Ticket, Traffic,
};
use ripcord_platforms::ProcessPlatform;
use ripcord_proxy::{self as proxy, Control, ProxyError, Refusal, ReleaseName, State};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The proxy of one environment.
pub(crate) struct ProxyTraffic {
    control: Control,
    platform: Arc<ProcessPlatform>,
    began: Instant,
    pulse: Mutex<Pulse>,
}

impl ProxyTraffic {
    pub(crate) fn new(control: PathBuf, platform: Arc<ProcessPlatform>) -> ProxyTraffic {
        let (began, pulse) = (Instant::now(), Mutex::default());
        ProxyTraffic { control: Control::new(control), platform, began, pulse }
    }

    /// Looks at what was counted, so that it is known later how much of it came lately. A proxy
    /// that does not answer leaves a gap, and no guess.
    pub(crate) fn look(&self) {
        if let Ok(counts) = self.counts() {
            self.pulse().look(self.now_ms(), &counts);
        }
    }

    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> Millis {
        Millis::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// Whether instances are elsewhere than the proxy believes.
    pub(crate) fn addresses_changed(&self, state: &TrafficState) -> Result<bool> {
        let found = self.control.observe().map_err(failure)?.state;
        Ok(self.targets(state)? != found.targets)
    }

    fn targets(&self, state: &TrafficState) -> Result<BTreeMap<ReleaseName, Vec<SocketAddr>>> {
        let all = self.platform.all_addresses()?;
        let target = |release: &ReleaseId| {
            let mut addresses = all.get(release).cloned().unwrap_or_default();
            if let Some(limit) = state.limits.get(release) {
                addresses.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
            }
            if addresses.is_empty() {
                return Err(Failure::Definite(format!("{release} has no instance to send to")));
            }
            Ok((name(release)?, addresses))
        };
        state.releases().map(target).collect()
    }
}

impl ProxyTraffic {
    /// The part of all requests that a release got since it was to have this share; none where
    /// requests are not divided so now, or there were none.
    pub(crate) fn measured_share(&self, release: &ReleaseId, asked: Share) -> Option<f64> {
        let name = name(release).ok()?;
        let found = self.control.periods().ok()?;
        let period = found
            .periods
            .last()
            .filter(|one| one.split.get(&name) == Some(&proxy::Share(asked)))?;
        let measured = period.measured_share(&name)?;
        Some(f64::from(measured.0) / f64::from(proxy::Share::ALL.0))
    }

    /// Which releases get fewer requests than they have instances for.
    fn limits(&self, state: &State) -> Result<BTreeMap<ReleaseId, u32>> {
        let mut limits = BTreeMap::new();
        let all = self.platform.all_addresses()?;
        for (name, targets) in &state.targets {
            let release = ReleaseId::from(name.as_str());
            if targets.len() < all.get(&release).map_or(0, Vec::len) {
                limits.insert(release, u32::try_from(targets.len()).unwrap_or(u32::MAX));
            }
        }
        Ok(limits)
    }
}

impl Traffic for ProxyTraffic {
    fn observe(&self) -> Result<TrafficState> {
        let state = self.control.observe().map_err(failure)?.state;
        let limits = self.limits(&state)?;
        from_proxy(state, limits)
    }

    fn ensure(
        &self,
        state: &TrafficState,
        drain_ms_max: Millis,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let found = self.control.observe().map_err(failure)?.state;
        let mut wanted = State {
            targets: self.targets(state)?,
            fence: ticket.fence.0,
            generation: found.generation,
            expire_cookies: forgotten_cookies(&found, state),
            ..to_proxy(state)?
        };
        // The same state again keeps its generation, so that only the drain is awaited again.
        if wanted != found {
            wanted.generation += 1;
        }
        let applied = self.control.apply(wanted, drain_ms_max).map_err(failure)?;
        let what = match (applied.drained, applied.remaining) {
            (true, _) => format!("drained in {} ms", applied.took_ms),
            (false, 1) => "1 request was cut off at the drain deadline".to_owned(),
            (false, n) => format!("{n} requests were cut off at the drain deadline"),
        };
        Ok(Receipt::of(what))
    }

    fn counts(&self) -> Result<BTreeMap<ReleaseId, Counts>> {
        let counted = self.control.counts().map_err(failure)?;
        let epoch = number(&counted.epoch);
        let counts = counted.releases.into_iter().map(|(name, counts)| {
            let errors =
                counts.errors_5xx + counts.connect_failures + counts.timeouts + counts.aborted;
            let answered = counts.requests.saturating_sub(counts.in_flight + counts.cut);
            let counts = Counts { epoch, requests: answered.max(errors), errors };
            (ReleaseId::from(name.as_str()), counts)
        });
        Ok(counts.collect())
    }

    fn periods(&self) -> Result<Periods> {
        let found = self.control.periods().map_err(failure)?;
        // A division by counting is no chance, so nobody may be judged by it.
        let by_chance = found.periods.into_iter().filter(|one| one.draw != proxy::Draw::Exact);
        let periods = by_chance.map(|one| {
            let arms = one.arms.into_iter().map(|(name, arm)| (name.as_str().into(), counted(arm)));
            Ok(Period { number: one.number, split: split(&one.split)?, arms: arms.collect() })
        });
        Ok(Periods { epoch: number(&found.epoch), periods: periods.collect::<Result<_>>()? })
    }

    fn past(&self, release: &ReleaseId) -> Result<Option<Past>> {
        let counts = self.counts()?;
        Ok(self.pulse().past(self.now_ms(), release, counts.get(release)))
    }

    fn renew(&self, ticket: &Ticket<'_>) -> Result<Renewal> {
        let state = self.control.observe().map_err(failure)?.state;
        if state.lapsed.is_some() {
            return Ok(Renewal::Lapsed);
        }
        if state.lease.is_none() {
            return Ok(Renewal::Holds);
        }
        let renewed = self.control.renew(ticket.fence.0, state.generation).map_err(failure)?;
        Ok(if renewed.lapsed { Renewal::Lapsed } else { Renewal::Holds })
    }
}

/// Under stickiness errors are of users, who may have been answered well before.
fn counted(arm: proxy::Arm) -> Arm {
    let counts = ArmCounts {
        requests: arm.answered.max(arm.errors),
        errors: arm.errors,
        latency: arm.latency.buckets,
    };
    Arm { counts, overdue: arm.overdue, requests_all: arm.requests_all }
}

fn name(release: &ReleaseId) -> Result<ReleaseName> {
    ReleaseName::new(release.as_str()).map_err(Failure::definite)
}

/// A number for the proxy's name of its run; only equality matters.
fn number(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What a failure to talk to the proxy means for the effect that was asked for.
fn failure(error: ProxyError) -> Failure {
    match error {
        ProxyError::Refused(Refusal::Stale { fence, current_fence, .. })
            if fence < current_fence =>
        {
            Failure::Fenced { seen: current_fence, ours: fence }
        }
        ProxyError::Refused(Refusal::Invalid { .. } | Refusal::Malformed { .. }) => {
            Failure::definite(error)
        }
        ProxyError::Refused(_) => Failure::transient(error),
        _ => Failure::unknown(error),
    }
}
