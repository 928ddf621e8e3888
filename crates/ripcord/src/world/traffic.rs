//! The engine's view of traffic, spoken to the proxy of one environment. The proxy wants
//! addresses; the plan names releases: this is where the two meet.

use ripcord_core::model::ids::Millis;
use ripcord_core::model::{HoldLimits, ReleaseId, Requests, Split, TrafficState};
use ripcord_core::run::Receipt;
use ripcord_engine::{Counts, Failure, Result, Ticket, Traffic};
use ripcord_platforms::ProcessPlatform;
use ripcord_proxy::{Control, Format, ProxyError, Refusal, ReleaseName, Share, State};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The proxy of one environment.
pub(crate) struct ProxyTraffic {
    control: Control,
    platform: Arc<ProcessPlatform>,
}

impl ProxyTraffic {
    pub(crate) fn new(control: PathBuf, platform: Arc<ProcessPlatform>) -> ProxyTraffic {
        ProxyTraffic { control: Control::new(control), platform }
    }

    /// Whether instances are elsewhere than the proxy believes.
    pub(crate) fn addresses_changed(&self, state: &TrafficState) -> Result<bool> {
        let found = self.control.observe().map_err(failure)?.state;
        Ok(self.targets(state)? != found.targets)
    }

    fn targets(&self, state: &TrafficState) -> Result<BTreeMap<ReleaseName, Vec<SocketAddr>>> {
        let target = |release: &ReleaseId| {
            let addresses = self.platform.addresses(release)?;
            if addresses.is_empty() {
                return Err(Failure::Definite(format!("{release} has no instance to send to")));
            }
            Ok((name(release)?, addresses))
        };
        state.releases().map(target).collect()
    }
}

impl Traffic for ProxyTraffic {
    fn observe(&self) -> Result<TrafficState> {
        let state = self.control.observe().map_err(failure)?.state;
        let shares = state.split.iter().map(|(name, share)| (name.as_str().into(), share.0));
        Ok(TrafficState {
            split: Split::new(shares.collect()).map_err(Failure::definite)?,
            preview: state.preview.map(|name| name.as_str().into()),
            requests: match state.requests {
                ripcord_proxy::Requests::Flowing => Requests::Flowing,
                ripcord_proxy::Requests::Held { max_requests, max_bytes, max_ms } => {
                    Requests::Held(HoldLimits {
                        requests_max: max_requests,
                        bytes_max: max_bytes,
                        wait_ms_max: max_ms,
                    })
                }
                ripcord_proxy::Requests::Maintenance { page } => Requests::Maintenance { page },
            },
        })
    }

    fn ensure(
        &self,
        state: &TrafficState,
        drain_ms_max: Millis,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let found = self.control.observe().map_err(failure)?.state;
        let shares = state.split.shares().iter();
        let mut wanted = State {
            format: Format,
            fence: ticket.fence.0,
            generation: found.generation,
            split: shares
                .map(|(release, share)| Ok((name(release)?, Share(*share))))
                .collect::<Result<_>>()?,
            preview: state.preview.as_ref().map(name).transpose()?,
            targets: self.targets(state)?,
            requests: requests(&state.requests),
            ..State::default()
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

fn requests(requests: &Requests) -> ripcord_proxy::Requests {
    match requests {
        Requests::Flowing => ripcord_proxy::Requests::Flowing,
        Requests::Held(limits) => ripcord_proxy::Requests::Held {
            max_requests: limits.requests_max,
            max_bytes: limits.bytes_max,
            max_ms: limits.wait_ms_max,
        },
        Requests::Maintenance { page } => {
            ripcord_proxy::Requests::Maintenance { page: page.clone() }
        }
    }
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
