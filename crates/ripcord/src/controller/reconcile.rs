//! Keeps an environment at its target while no plan runs: the same effects, never a change of
//! direction. What it put right stands in the ledger.

use crate::controller::Controller;
use crate::controller::environment::EnvironmentControl;
use jiff::Timestamp;
use ripcord_core::model::{
    Authority, Domain, PlanId, Policy, ReleaseId, Requests, Split, TrafficState,
};
use ripcord_core::run::{Draft, Event, History, Subject};
use ripcord_engine::{Failure, Ledger, Ticket};
use std::sync::atomic::Ordering;

impl Controller {
    /// One look, one repair at most of each kind. Failures are repeated at the next look.
    pub(crate) fn reconcile(&self, environment: &EnvironmentControl) {
        // While somebody starts a plan or a downtime window, what looks like drift is none.
        let Ok(_turn) = environment.starting.try_lock() else { return };
        if let Err(error) = self.reconcile_or_fail(environment) {
            self.note_problem(environment, &error.to_string());
        } else {
            self.clear_problem(environment);
        }
    }

    fn reconcile_or_fail(&self, environment: &EnvironmentControl) -> Result<(), Failure> {
        self.ensure_proxy(environment)?;
        let history = environment.past(&self.ledger).map_err(Failure::transient)?.history;
        let world = environment.world();
        let plan = PlanId::from("reconcile");
        // Whoever wants something has precedence over repairs.
        let news = environment.news();
        let shutdown = || self.shutdown.load(Ordering::SeqCst) || environment.news() != news;
        let policy = environment.settings().policy;
        let ticket = Ticket {
            plan: &plan,
            step: 0,
            fence: self.ledger.fence(),
            deadline_ms: policy.ready_ms_max,
            stop: &shutdown,
        };
        let states = world.platform.observe()?;
        if let Some(live) = history.live() {
            let ready = states.get(live).map_or(0, |state| state.instances.ready);
            if ready < policy.instances {
                world.platform.ensure(live, policy.instances, &ticket)?;
                self.repaired(environment, format!("{live} runs again"))?;
            }
        }
        self.reconcile_flags(environment)?;
        self.reconcile_traffic(environment, &history, &ticket)?;
        let warm = self.warm(environment, &history)?;
        let kept = kept(&policy, &history, world.clock.now());
        for release in states.keys() {
            let stays = Some(release) == history.live()
                || Some(release) == warm.as_ref()
                || Some(release) == kept.as_ref();
            if !stays {
                world.platform.ensure(release, 0, &ticket)?;
            }
        }
        self.ensure_flags_server(environment)
    }

    /// What is served is what the ledger says.
    fn reconcile_flags(&self, environment: &EnvironmentControl) -> Result<(), Failure> {
        if environment.settings().authority.of(Domain::Flags) != Authority::Act {
            return Ok(());
        }
        let followed = environment.flags.keeper.follow();
        if followed.map_err(|failure| Failure::Transient(failure.error))? {
            let what = "the flags that were served were not those of the ledger".to_owned();
            self.repaired(environment, what)?;
        }
        Ok(())
    }

    /// The proxy does what the ledger says, and knows the addresses of instances as they are.
    fn reconcile_traffic(
        &self,
        environment: &EnvironmentControl,
        history: &History,
        ticket: &Ticket<'_>,
    ) -> Result<(), Failure> {
        let world = environment.world();
        let found = world.traffic.observe()?;
        let split = history.live().map(Split::all_to).unwrap_or_default();
        let requests = match (&history.maintenance, &found.requests) {
            (Some(_), page @ Requests::Maintenance { .. }) => page.clone(),
            (Some(_), _) => Requests::Maintenance { page: super::maintenance::PAGE.to_owned() },
            (None, _) => Requests::Flowing,
        };
        let preview = found.preview.clone().filter(|preview| Some(preview) == history.live());
        let wanted = TrafficState::of(split, preview, requests);
        if found == wanted && !environment.traffic.addresses_changed(&wanted)? {
            return Ok(());
        }
        world.traffic.ensure(&wanted, environment.settings().policy.drain_ms_max, ticket)?;
        if found == wanted {
            return Ok(());
        }
        self.repaired(environment, format!("the proxy did «{found}» instead of «{wanted}»"))
    }

    /// The old release that is still kept warm, if its time is not over.
    fn warm(
        &self,
        environment: &EnvironmentControl,
        history: &History,
    ) -> Result<Option<ReleaseId>, Failure> {
        let Some((release, since)) = &history.warm else { return Ok(None) };
        let now = environment.world().clock.now();
        let age = now.duration_since(*since).as_millis();
        if age < i128::from(environment.settings().policy.keep_warm_ms) {
            return Ok(Some(release.clone()));
        }
        let event = Event::WarmEnded { release: release.clone() };
        self.record(environment, event)?;
        self.clearing_due.store(true, Ordering::SeqCst);
        Ok(None)
    }

    fn repaired(&self, environment: &EnvironmentControl, what: String) -> Result<(), Failure> {
        self.record(environment, Event::Repaired { what })
    }

    pub(crate) fn record(
        &self,
        environment: &EnvironmentControl,
        event: Event,
    ) -> Result<(), Failure> {
        let subject = Subject::Environment(environment.name.clone());
        let draft = Draft { subject, by: "ripcord".to_owned(), event };
        self.ledger.append(draft).map(drop).map_err(Failure::transient)
    }
}

/// The release that was taken back and stays for a while, so that people can look at it.
fn kept(policy: &Policy, history: &History, now: Timestamp) -> Option<ReleaseId> {
    let (release, since) = history.taken_back.as_ref()?;
    let age_ms = now.duration_since(*since).as_millis();
    let stays = policy.abort_keep_ms.is_none_or(|keep_ms| age_ms < i128::from(keep_ms));
    stays.then(|| release.clone())
}
