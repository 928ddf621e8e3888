//! The little of the world that the linter keeps in mind while it walks through a plan, and what
//! no effect may do to it. It shares no code with the planners.

use crate::flag::{LayerChange, OffLayer, ServiceChange, ServiceWish};
use crate::model::traffic::WHOLE;
use crate::model::{MigrationVersion, ReleaseId, Requests, Share, Split, TrafficState};
use crate::plan::{Effect, Intent, Plan, Undo, VerifyCheck};
use crate::schema::{Direction, SchemaChange, Wanted};
use std::collections::{BTreeMap, BTreeSet};

/// The world at one place of a plan.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    plan: &'a Plan,
    running: BTreeSet<ReleaseId>,
    /// How many instances there are; of a release that runs at the start, as many as the plan asks
    /// for anywhere.
    counts: BTreeMap<ReleaseId, u32>,
    /// How many instances all requests need; 0 where nobody serves at the start.
    asked: u32,
    pub(super) traffic: TrafficState,
    changes: BTreeMap<String, Wanted>,
    /// The changes that requests had to wait for.
    waited_for: BTreeSet<String>,
    /// The releases that were seen to be healthy.
    proven: BTreeSet<ReleaseId>,
    /// The releases whose flags are off by this plan.
    off: BTreeSet<ReleaseId>,
    /// The migrations that this plan has taken from the schema.
    gone: BTreeSet<MigrationVersion>,
    /// The flags at services that this plan has changed, and whether it waited for that.
    at_services: BTreeMap<String, bool>,
    /// Roles that the plan has touched, and how many instances they have.
    roles: BTreeMap<(ReleaseId, String), u32>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        traffic: &TrafficState,
        running: &BTreeSet<ReleaseId>,
    ) -> Walk<'a> {
        let most = |release: &ReleaseId| most(plan, release).filter(|_| running.contains(release));
        let counts = running.iter().filter_map(|release| Some((release.clone(), most(release)?)));
        let left = plan.from.as_ref().and_then(most).unwrap_or(0);
        Walk {
            plan,
            running: running.clone(),
            counts: counts.collect(),
            asked: left.min(self::most(plan, &plan.to).unwrap_or(0)),
            traffic: traffic.clone(),
            changes: BTreeMap::new(),
            waited_for: BTreeSet::new(),
            proven: BTreeSet::new(),
            off: BTreeSet::new(),
            gone: BTreeSet::new(),
            at_services: BTreeMap::new(),
            roles: BTreeMap::new(),
        }
    }

    /// Makes an effect true, or says why that must not be.
    pub(super) fn take(&mut self, effect: &Effect) -> Result<(), String> {
        let held = matches!(self.traffic.requests, Requests::Held(_));
        match effect {
            Effect::EnsureInstances { release, count } => self.instances(release, *count),
            Effect::EnsureTraffic { state, .. } => self.divide(state),
            Effect::EnsureSchema { change, wanted } => self.schema(change, *wanted, held),
            Effect::EnsureRole { release, role, count } => self.role(release, role, *count),
            Effect::EnsureFlagLayer(change) => self.layer(change),
            Effect::EnsureServiceFlag(_) | Effect::RecordServiceFlags { .. } if held => {
                Err("requests would wait for a service".to_owned())
            }
            Effect::EnsureServiceFlag(change) => self.service(change),
            Effect::SettleServiceFlags { .. }
            | Effect::EnsureBackup { .. }
            | Effect::Bake(_)
            | Effect::Analysis(_)
            | Effect::Approve { .. }
                if held =>
            {
                Err("requests would wait during something slow".to_owned())
            }
            Effect::Analysis(analysis) if analysis.traffic != self.traffic => {
                Err("it compares under a division of traffic that is not in force".to_owned())
            }
            Effect::Verify { checks } => {
                for check in checks {
                    if let VerifyCheck::Ready { release, .. } = check {
                        self.proven.insert(release.clone());
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn instances(&mut self, release: &ReleaseId, count: u32) -> Result<(), String> {
        if count == 0 {
            if self.traffic.releases().any(|named| named == release) {
                return Err(format!("{release} would be stopped while it gets requests"));
            }
            self.running.remove(release);
            self.counts.remove(release);
            return Ok(());
        }
        let fewer = self.counts.get(release).is_some_and(|before| count < *before);
        let serves = self.traffic.split.names(release)
            || self.traffic.rules.iter().any(|rule| &rule.to == release);
        let drained = self.traffic.limits.get(release).is_some_and(|limit| *limit <= count);
        if fewer && serves && !drained {
            return Err(format!(
                "an instance of {release} would be stopped while it gets requests"
            ));
        }
        if self.plan.intent == Intent::Rollback {
            // It served before, and starting it waits until it is healthy.
            self.proven.insert(release.clone());
        }
        self.running.insert(release.clone());
        self.counts.insert(release.clone(), count);
        Ok(())
    }

    fn divide(&mut self, state: &TrafficState) -> Result<(), String> {
        // What gets requests already gets no more of them: a plan that leaves a release which has
        // died must not be refused because it has.
        let gets_some = |release: &ReleaseId| self.traffic.releases().any(|r| r == release);
        let missing = state
            .releases()
            .find(|release| !self.running.contains(*release) && !gets_some(release));
        if let Some(release) = missing {
            return Err(format!("{release} would get requests without running"));
        }
        match (&state.lease, state.split.shares().len() > 1) {
            (None, true) => return Err("requests would be shared with no end to it".to_owned()),
            (Some(_), false) => return Err("a lease would take back what nobody gave".to_owned()),
            (Some(lease), true) if lease.lapse == Split::none() || lease.ms == 0 => {
                return Err("the lease would leave nobody serving".to_owned());
            }
            _ => {}
        }
        let lapse = state.lease.as_ref().map(|lease| &lease.lapse);
        for split in [Some(&state.split), lapse].into_iter().flatten() {
            for (release, share) in split.shares() {
                self.bears(release, *share, state)?;
            }
        }
        if let Some(flag) = self.still_on_at_a_service(state) {
            return Err(format!("requests would go back before {flag} was turned off"));
        }
        if let Some(release) = self.still_on(state) {
            return Err(format!("requests would go back before the flags of {release} are off"));
        }
        self.traffic = state.clone();
        Ok(())
    }

    /// The release that loses requests while the plan has yet to turn off its flags.
    fn still_on(&self, state: &TrafficState) -> Option<&'a ReleaseId> {
        let to = &self.plan.to;
        let more = state.split.share(to) > self.traffic.split.share(to);
        let mut on = layers(self.plan).map(|(release, _)| release);
        on.find(|of| more && self.plan.intent == Intent::Rollback && !self.off.contains(*of))
    }

    /// The flag at a service that the plan has yet to turn off, or to try to.
    fn still_on_at_a_service(&self, state: &TrafficState) -> Option<String> {
        let to = &self.plan.to;
        let more = state.split.share(to) > self.traffic.split.share(to);
        let off = |change: &&ServiceChange| change.wish == ServiceWish::Off && !change.undoes;
        let mut on = at_services(self.plan).filter(off).map(|change| change.flag.name());
        on.find(|name| {
            more && self.plan.intent == Intent::Rollback && !self.at_services.contains_key(name)
        })
    }

    fn service(&mut self, change: &ServiceChange) -> Result<(), String> {
        let name = change.flag.name();
        if change.undoes {
            let lost = change.requires.filter(|version| self.gone.contains(version));
            if let Some(version) = lost.filter(|_| change.wish == ServiceWish::Off) {
                return Err(format!(
                    "{} would be on again without migration {version}",
                    change.flag
                ));
            }
            self.at_services.remove(&name);
            return Ok(());
        }
        *self.at_services.entry(name).or_default() |= change.insists;
        Ok(())
    }

    /// A flag at a service that needs a migration is off for certain while the schema lacks it.
    fn ground_at_services(&self, version: MigrationVersion) -> Result<(), String> {
        let mut needy = at_services(self.plan).filter(|one| one.requires == Some(version));
        let stands = |change: &&ServiceChange| {
            let changed = self.at_services.get(&change.flag.name());
            match change.wish {
                ServiceWish::Off => changed != Some(&true),
                ServiceWish::On | ServiceWish::As(_) => changed.is_some(),
            }
        };
        match needy.find(stands) {
            None => Ok(()),
            Some(change) => Err(format!("migration {version} would go from under {}", change.flag)),
        }
    }

    /// Whether the instances of a release that serve are in proportion to its share, where it gets
    /// more than before.
    fn bears(&self, release: &ReleaseId, share: Share, state: &TrafficState) -> Result<(), String> {
        let Some(count) = self.counts.get(release) else { return Ok(()) };
        let serve = |limit: Option<&u32>| limit.map_or(*count, |limit| *limit.min(count));
        let (now, then) =
            (serve(self.traffic.limits.get(release)), serve(state.limits.get(release)));
        let more = share > self.traffic.split.share(release) || then < now;
        let (asked, whole) = (u64::from(self.asked), u64::from(WHOLE));
        // A share is rounded, by less than one part in ten thousand.
        if more && u64::from(then) * whole + asked < asked * u64::from(share) {
            return Err(format!("{release} would get more requests than {then} instances bear"));
        }
        Ok(())
    }

    fn schema(&mut self, change: &SchemaChange, wanted: Wanted, held: bool) -> Result<(), String> {
        let id = change.id.to_string();
        if held {
            self.waited_for.insert(id.clone());
        } else if self.waited_for.contains(&id) {
            return Err("requests would flow while a change goes that they waited for".into());
        }
        let younger = self.younger();
        if wanted == self.older_schema() && younger.is_some_and(|younger| self.has_roles(younger)) {
            return Err("the schema would go from under the roles that run on it".to_owned());
        }
        self.ground(change, wanted)?;
        self.changes.insert(id, wanted);
        Ok(())
    }

    /// A flag that needs a migration is off while the schema lacks it.
    fn ground(&mut self, change: &SchemaChange, wanted: Wanted) -> Result<(), String> {
        let versions = change.scripts.iter().map(|script| script.migration.version);
        if (change.direction == Direction::Up) == (wanted == Wanted::Made) {
            self.gone.retain(|gone| !versions.clone().any(|version| version == *gone));
            return Ok(());
        }
        for version in versions {
            for (release, layer) in layers(self.plan) {
                let needs = layer.requires.iter().find(|(_, needed)| **needed == version);
                if let Some((flag, _)) = needs.filter(|_| !self.off.contains(release)) {
                    return Err(format!("migration {version} would go from under flag {flag}"));
                }
            }
            self.ground_at_services(version)?;
            self.gone.insert(version);
        }
        Ok(())
    }

    fn layer(&mut self, change: &LayerChange) -> Result<(), String> {
        let release = &change.release;
        if change.layer.is_some() != change.undoes {
            self.off.insert(release.clone());
            return Ok(());
        }
        let lost = layers(self.plan)
            .filter(|(of, _)| *of == release)
            .flat_map(|(_, layer)| &layer.requires)
            .find(|(_, version)| self.gone.contains(version));
        if let Some((flag, version)) = lost {
            return Err(format!("flag {flag} would be on again without migration {version}"));
        }
        self.off.remove(release);
        Ok(())
    }

    fn role(&mut self, release: &ReleaseId, role: &str, count: u32) -> Result<(), String> {
        let to = &self.plan.to;
        if count > 0 && release == to {
            if !self.proven.contains(to) {
                return Err(format!("{role} of {to} would run before {to} has proven healthy"));
            }
            if self.traffic.split.only() != Some(to) {
                return Err(format!("{role} of {to} would run before {to} has all requests"));
            }
        }
        let made = |id: &String| self.changes.get(id) == Some(&Wanted::Made);
        let unfit = match self.plan.intent {
            Intent::Deploy => self.waited_for.iter().any(made),
            Intent::Rollback => self.changes.keys().any(made),
        };
        if release != to && unfit {
            return Err(format!("{role} of {release} would run on a schema that it does not fit"));
        }
        self.roles.insert((release.clone(), role.to_owned()), count);
        Ok(())
    }

    /// The release that needs the later schema.
    fn younger(&self) -> Option<&ReleaseId> {
        match self.plan.intent {
            Intent::Deploy => Some(&self.plan.to),
            Intent::Rollback => self.plan.from.as_ref(),
        }
    }

    /// What a change of this plan is under the earlier schema.
    fn older_schema(&self) -> Wanted {
        match self.plan.intent {
            Intent::Deploy => Wanted::Unmade,
            Intent::Rollback => Wanted::Made,
        }
    }

    fn has_roles(&self, release: &ReleaseId) -> bool {
        self.roles.iter().any(|((of, _), count)| of == release && *count > 0)
    }

    /// Whether going back has arrived where the plan began.
    pub(super) fn is_back_at(&self, start: &Walk<'_>) -> bool {
        let traffic = &self.traffic;
        let unmade = self.changes.values().all(|wanted| *wanted == Wanted::Unmade);
        let whole = |from: &ReleaseId| self.counts.get(from) >= start.counts.get(from);
        let roles = self.roles.iter().all(|((release, role), count)| {
            *count
                == if release == &self.plan.to { 0 } else { most_of_role(self.plan, release, role) }
        });
        unmade
            && roles
            && self.at_services.is_empty()
            && (self.off == start.off || self.plan.intent == Intent::Deploy)
            && self.plan.from.as_ref().is_none_or(whole)
            && traffic.split == start.traffic.split
            && traffic.requests == start.traffic.requests
            && is_plain(traffic)
    }

    /// Whether the plan ends where it should.
    pub(super) fn has_arrived(&self, start: &Walk<'_>) -> bool {
        let traffic = &self.traffic;
        traffic.split.only() == Some(&self.plan.to)
            && traffic.requests == start.traffic.requests
            && is_plain(traffic)
    }
}

/// Whether nothing is left of sharing requests.
fn is_plain(traffic: &TrafficState) -> bool {
    traffic.rules.is_empty()
        && traffic.lease.is_none()
        && traffic.limits.is_empty()
        && traffic.draw.is_independent()
}

/// What a plan does at services on its way forth.
fn at_services(plan: &Plan) -> impl Iterator<Item = &ServiceChange> {
    plan.steps.iter().filter_map(|step| match &step.effect {
        Effect::EnsureServiceFlag(change) => Some(&**change),
        _ => None,
    })
}

/// What a plan turns off, and of which releases.
fn layers(plan: &Plan) -> impl Iterator<Item = (&ReleaseId, &OffLayer)> {
    plan.steps.iter().filter_map(|step| match &step.effect {
        Effect::EnsureFlagLayer(change) => Some((&change.release, change.layer.as_ref()?)),
        _ => None,
    })
}

/// Every effect of a plan, forth and back.
fn effects(plan: &Plan) -> impl Iterator<Item = &Effect> {
    plan.steps.iter().flat_map(|step| {
        let back = match &step.undo {
            Undo::Apply(effects) => effects.as_slice(),
            Undo::Nothing | Undo::Loses(_) => &[],
        };
        std::iter::once(&step.effect).chain(back)
    })
}

/// The most instances of a release that a plan asks for anywhere; none where it asks for none.
fn most(plan: &Plan, release: &ReleaseId) -> Option<u32> {
    let counts = effects(plan).filter_map(|effect| match effect {
        Effect::EnsureInstances { release: of, count } if of == release => Some(*count),
        _ => None,
    });
    counts.max().filter(|most| *most > 0)
}

/// The most instances of a role that a plan asks for anywhere.
fn most_of_role(plan: &Plan, release: &ReleaseId, name: &str) -> u32 {
    let counts = effects(plan).filter_map(|effect| match effect {
        Effect::EnsureRole { release: of, role, count } if of == release && role == name => {
            Some(*count)
        }
        _ => None,
    });
    counts.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Canary, CanaryStep, Rolling, Rule, Strategy};
    use crate::plan::fixture::{environment, preview, release_with_roles, roles_run, running};
    use crate::plan::{DeployRequest, Step, check, deploy};

    /// Spoils the plan of deploying `v2` over `v1`, both with roles, and expects the linter to say
    /// so. With a change of schema that `v1` does not survive, where there is no strategy.
    fn spoiled(strategy: Strategy, spoil: impl Fn(&mut Vec<Step>), expected: &str) {
        let mut environment = environment(&["v1"]);
        roles_run(&mut environment, "v1");
        let schema = (strategy == Strategy::BlueGreen).then(|| preview(Direction::Up, true, 0));
        environment.policy.strategy = strategy;
        let release = release_with_roles("v2");
        let request = DeployRequest {
            release: &release,
            schema: schema.as_ref(),
            flags: None,
            retry: false,
            accepted: None,
        };
        let mut plan = deploy(&environment, &request).unwrap();
        let told = |plan: &Plan| -> Vec<String> {
            let notes = check(plan, &environment.traffic, &running(&environment));
            notes.iter().map(ToString::to_string).collect()
        };
        assert_eq!(told(&plan), Vec::<String>::new());
        spoil(&mut plan.steps);
        for (id, step) in (1..).zip(&mut plan.steps) {
            step.id = id;
        }
        plan.id = plan.computed_id();
        let said = told(&plan);
        assert!(said.iter().any(|note| note.contains(expected)), "{expected}: {said:#?}\n{plan}");
    }

    fn canary() -> Strategy {
        let steps = vec![CanaryStep::SetWeight(2_500), CanaryStep::Pause(Some(60_000))];
        Strategy::Canary(Canary { steps, sticky: None, lease_ms: 10_000 })
    }

    fn rolling() -> Strategy {
        Strategy::Rolling(Rolling { batch: 1, pause_ms: 1_000, lease_ms: 10_000 })
    }

    /// The first step that reads like this.
    fn place(steps: &[Step], text: &str) -> usize {
        let found = steps.iter().position(|step| step.effect.to_string().starts_with(text));
        found.unwrap_or_else(|| panic!("no step «{text}» in {steps:#?}"))
    }

    /// Changes every state of traffic that is shared.
    fn shared(steps: &mut [Step], change: impl Fn(&mut TrafficState)) {
        for step in steps {
            match &mut step.effect {
                Effect::EnsureTraffic { state, .. } if state.lease.is_some() => change(state),
                Effect::Analysis(analysis) => change(&mut analysis.traffic),
                _ => {}
            }
        }
    }

    #[test]
    fn what_is_shared_has_an_end() {
        let no_lease = |state: &mut TrafficState| state.lease = None;
        spoiled(canary(), |steps| shared(steps, no_lease), "shared with no end to it");
        spoiled(rolling(), |steps| shared(steps, no_lease), "shared with no end to it");
        let to_nobody = |state: &mut TrafficState| {
            state.lease.as_mut().unwrap().lapse = Split::none();
        };
        spoiled(canary(), |steps| shared(steps, to_nobody), "leave nobody serving");
        let whole = |state: &mut TrafficState| state.split = Split::all_to(&"v1".into());
        spoiled(canary(), |steps| shared(steps, whole), "take back what nobody gave");
        let to_a_stranger = |state: &mut TrafficState| {
            state.lease.as_mut().unwrap().lapse = Split::all_to(&"v0".into());
        };
        spoiled(canary(), |steps| shared(steps, to_a_stranger), "v0 would get requests");
    }

    #[test]
    fn rules_lead_to_who_runs() {
        let rule = |state: &mut TrafficState| {
            let name = "who".to_owned();
            let when = crate::model::Match::Cookie { name, value: crate::model::Pattern::Present };
            state.rules = vec![Rule { when, to: "v0".into() }];
        };
        spoiled(canary(), |steps| shared(steps, rule), "v0 would get requests without running");
    }

    #[test]
    fn nothing_of_sharing_is_left() {
        let limits = |state: &mut TrafficState| state.limits = [("v2".into(), 2)].into();
        let end = |steps: &mut Vec<Step>| {
            let place = place(steps, "traffic to v2 100 %");
            let Effect::EnsureTraffic { state, .. } = &mut steps[place].effect else { panic!() };
            limits(state);
        };
        spoiled(canary(), end, "does not end with v2 serving");
        let back = |steps: &mut Vec<Step>| {
            let place = place(steps, "traffic to v1 100 %, preview of v2");
            let Undo::Apply(undo) = &mut steps[place].undo else { panic!() };
            let Effect::EnsureTraffic { state, .. } = &mut undo[0] else { panic!() };
            limits(state);
        };
        spoiled(canary(), back, "going back from here does not arrive");
    }

    #[test]
    fn a_comparison_is_of_what_is_in_force() {
        let swap = |steps: &mut Vec<Step>| {
            let place = place(steps, "compare");
            steps.swap(place, place - 1);
        };
        spoiled(canary(), swap, "a division of traffic that is not in force");
    }

    #[test]
    fn capacity() {
        let too_much = |state: &mut TrafficState| {
            state.split = Split::between(&"v1".into(), &"v2".into(), 7_500);
        };
        spoiled(canary(), |steps| shared(steps, too_much), "more requests than 1 instances bear");
        let unscaled = |state: &mut TrafficState| {
            state.lease.as_mut().unwrap().lapse = Split::all_to(&"v1".into());
        };
        spoiled(rolling(), |steps| shared(steps, unscaled), "v1 would get more requests than 1");
        // First the limit, then the stopping.
        let stop_first = |steps: &mut Vec<Step>| {
            let place = place(steps, "run v1");
            steps.swap(place, place - 1);
        };
        spoiled(rolling(), stop_first, "an instance of v1 would be stopped while it gets requests");
        let not_restored = |steps: &mut Vec<Step>| {
            let last = steps.len() - 1;
            for step in &mut steps[..last] {
                let Undo::Apply(undo) = &mut step.undo else { continue };
                undo.retain(|effect| effect.to_string() != "run 2 instances of v1");
            }
        };
        spoiled(rolling(), not_restored, "v1 would get more requests than 1 instances bear");
    }

    #[test]
    fn roles_follow_the_web() {
        let first = |steps: &mut Vec<Step>| {
            let step = steps.remove(place(steps, "run cron of v2"));
            steps.insert(0, step);
        };
        for strategy in [Strategy::BlueGreen, canary(), rolling()] {
            spoiled(strategy, first, "cron of v2 would run before v2 has proven healthy");
        }
        let early = |steps: &mut Vec<Step>| {
            let step = steps.remove(place(steps, "run cron of v2"));
            let traffic = place(steps, "traffic to v2 100 %");
            steps.insert(traffic, step);
        };
        spoiled(canary(), early, "cron of v2 would run before v2 has all requests");
        let stay = |steps: &mut Vec<Step>| {
            let place = place(steps, "run cron of v2");
            let Undo::Apply(undo) = &mut steps[place].undo else { panic!() };
            undo.pop();
        };
        spoiled(canary(), stay, "going back from here does not arrive");
        spoiled(Strategy::BlueGreen, stay, "would go from under the roles that run on it");
    }

    #[test]
    fn roles_and_a_change_that_requests_wait_for() {
        let late = |steps: &mut Vec<Step>| {
            let step = steps.remove(place(steps, "stop cron of v1"));
            let schema = place(steps, "migrate up");
            steps.insert(schema + 1, step);
        };
        spoiled(Strategy::BlueGreen, late, "cron of v1 would run on a schema that it does not fit");
    }
}
