//! One release exchanged for another: the effects of which the planners of every strategy make
//! their steps, so that what is meant by "back" is written once. It decides no order.

use crate::analysis::JudgePolicy;
use crate::flag::{FlagPreview, ServiceChange, ServiceMoment, ServicePreview};
use crate::model::ids::Millis;
use crate::model::policy::CheckSpec;
use crate::model::{
    Canary, ChangeId, Draw, Environment, Policy, Release, ReleaseId, Requests, Rolling, Split,
    Strategy, TrafficState,
};
use crate::plan::refusal::Refusal;
use crate::plan::steps::Steps;
use crate::plan::{Effect, Undo, VerifyCheck, canary, rolling};
use crate::schema::{SchemaChange, SchemaPreview, Wanted};

/// How requests get from one release to the other.
pub(super) enum Way<'a> {
    /// All of them at one moment.
    AtOnce,
    /// Share by share, while this release goes on serving.
    ByShare(&'a ReleaseId, &'a Canary),
    /// As instances of this release are replaced.
    ByInstance(&'a ReleaseId, &'a Rolling),
}

impl Way<'_> {
    /// How long it takes if nothing holds it up.
    pub(super) fn takes_ms(&self, instances: u32) -> Millis {
        match self {
            Way::AtOnce => 0,
            Way::ByShare(_, canary) => canary::takes_ms(canary),
            Way::ByInstance(_, rolling) => rolling::takes_ms(rolling, instances),
        }
    }

    /// It in words; nothing where there is nothing to say.
    pub(super) fn report(&self, to: &ReleaseId, judge: &JudgePolicy) -> Vec<String> {
        match self {
            Way::AtOnce => Vec::new(),
            Way::ByShare(stable, canary) => {
                let foretold = canary::foretold(canary, judge, to);
                [canary::report(canary, to, stable)].into_iter().chain(foretold).collect()
            }
            Way::ByInstance(old, rolling) => vec![rolling::report(rolling, to, old)],
        }
    }
}

/// What is exchanged for what, and where.
pub(super) struct Exchange<'a> {
    pub(super) environment: &'a Environment,
    /// The release that is left; none at the first deploy.
    pub(super) from: Option<&'a ReleaseId>,
    pub(super) to: &'a Release,
    /// The change of schema that belongs to it.
    pub(super) schema: Option<&'a SchemaPreview>,
    /// What happens to the flags; none where nobody looked at them.
    pub(super) flags: Option<&'a FlagPreview>,
    /// Whether requests wait while the schema changes.
    pub(super) holds: bool,
    /// Whether the new release is at the preview address when traffic is taken back from it.
    pub(super) shown: bool,
    /// Whether the instances of the new release stay when the plan goes back.
    pub(super) stays: bool,
}

impl Exchange<'_> {
    pub(super) fn to(&self) -> &ReleaseId {
        &self.to.id
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.environment.policy
    }

    /// By which rules releases are judged, with what the release that is left did before.
    pub(super) fn judge(&self) -> JudgePolicy {
        JudgePolicy { before: self.environment.past, ..self.policy().judge.clone() }
    }

    /// How requests are divided between releases: by chance where anybody judges, since nothing
    /// else can be judged, and counted out to the request where nobody does.
    pub(super) fn draw(&self) -> Draw {
        if self.policy().judge.looks() { Draw::Independent } else { Draw::Exact }
    }

    /// How many instances of a release run or should.
    pub(super) fn running(&self, release: &ReleaseId) -> u32 {
        self.environment.instances.get(release).map_or(0, |instances| instances.wanted)
    }

    pub(super) fn instances(&self, count: u32) -> Effect {
        Effect::EnsureInstances { release: self.to().clone(), count }
    }

    /// The release that is left may have died or shrunk meanwhile: it must run before it gets
    /// traffic.
    pub(super) fn left_runs(&self) -> Vec<Effect> {
        let count = self.policy().instances;
        let ensure =
            |release: &ReleaseId| Effect::EnsureInstances { release: release.clone(), count };
        self.from.map(ensure).into_iter().collect()
    }

    pub(super) fn state(
        &self,
        to: Option<&ReleaseId>,
        preview: bool,
        requests: Requests,
    ) -> TrafficState {
        let split = to.map(Split::all_to).unwrap_or_default();
        TrafficState::of(split, preview.then(|| self.to().clone()), requests)
    }

    pub(super) fn traffic(&self, state: TrafficState) -> Effect {
        Effect::EnsureTraffic { state, drain_ms_max: self.policy().drain_ms_max }
    }

    /// Everything goes to the release that is left, which runs for it.
    pub(super) fn traffic_back(&self, requests: Requests) -> Vec<Effect> {
        let mut back = self.left_runs();
        back.push(self.traffic(self.state(self.from, self.shown, requests)));
        back
    }

    /// Users first: everything goes back at once, never share by share. Where the release that is
    /// left does not fit the schema, that is for later.
    pub(super) fn back_at_once(&self) -> Vec<Effect> {
        if self.holds { Vec::new() } else { self.traffic_back(self.usual()) }
    }

    /// What requests do before and after: flow, or see the page of an open downtime window.
    pub(super) fn usual(&self) -> Requests {
        match &self.environment.traffic.requests {
            page @ Requests::Maintenance { .. } => page.clone(),
            Requests::Flowing | Requests::Held(_) => Requests::Flowing,
        }
    }

    /// What requests do while the schema changes.
    pub(super) fn meanwhile(&self) -> Requests {
        if self.holds { Requests::Held(self.policy().hold) } else { self.usual() }
    }

    /// The first instances of the new release.
    pub(super) fn start(&self, steps: &mut Steps<'_>, count: u32) {
        let undo = if self.stays { Undo::Nothing } else { Undo::Apply(vec![self.instances(0)]) };
        steps.add(self.instances(count), undo);
    }

    /// More instances of a release that gets requests already, or is about to.
    pub(super) fn grow(&self, steps: &mut Steps<'_>, before: u32, count: u32) {
        if count <= before {
            return;
        }
        let mut undo = self.back_at_once();
        if !self.stays {
            undo.push(self.instances(before));
        }
        steps.add_reversible(self.instances(count), undo);
    }

    /// The new release shows at the preview address what it can do.
    pub(super) fn show(&self, steps: &mut Steps<'_>, count: u32) {
        steps.add_reversible(
            self.traffic(self.state(self.from, true, self.usual())),
            vec![self.traffic(self.state(self.from, false, self.usual()))],
        );
        let mut checks = vec![VerifyCheck::Ready { release: self.to().clone(), count }];
        let preview = |check: &CheckSpec| VerifyCheck::Preview {
            check: check.clone(),
            release: self.to().clone(),
        };
        checks.extend(self.policy().checks.iter().map(preview));
        steps.add(Effect::Verify { checks }, Undo::Nothing);
    }

    pub(super) fn change_schema(&self, steps: &mut Steps<'_>) {
        let Some(preview) = self.schema else { return };
        let change = SchemaChange {
            id: change_id(self.environment, steps.next_id()),
            direction: preview.direction,
            scripts: preview.scripts.clone(),
            from: preview.from.clone(),
            to: preview.to.clone(),
            gone_max: preview.forecast.gone.iter().map(|gone| gone.count).sum(),
        };
        let ensure = |wanted| Effect::EnsureSchema { change: change.clone(), wanted };
        steps.add_reversible(ensure(Wanted::Made), vec![ensure(Wanted::Unmade)]);
    }

    pub(super) fn configure(&self, steps: &mut Steps<'_>) {
        steps.add_reversible(
            Effect::EnsureConfig { release: Some(self.to().clone()) },
            vec![Effect::EnsureConfig { release: self.environment.config.clone() }],
        );
    }

    /// The off-layer of a release changes.
    pub(super) fn set_layer(&self, steps: &mut Steps<'_>) {
        if let Some(layer) = self.flags.and_then(|flags| flags.layer.as_ref()) {
            let undo = vec![Effect::EnsureFlagLayer(layer.reversed())];
            steps.add_reversible(Effect::EnsureFlagLayer(layer.clone()), undo);
        }
    }

    /// The flags change as the releases do.
    pub(super) fn set_flags(&self, steps: &mut Steps<'_>) {
        if let Some(change) = self.flags.and_then(|flags| flags.change.as_ref()) {
            let undo = vec![Effect::EnsureFlagChange(change.reversed())];
            steps.add_reversible(Effect::EnsureFlagChange(change.clone()), undo);
        }
    }

    /// What happens at services; none where nobody looked.
    pub(super) fn services(&self) -> Option<&ServicePreview> {
        self.flags.map(|flags| &flags.services)
    }

    /// What the new release's flags at services are is recorded.
    pub(super) fn record_services(
        &self,
        steps: &mut Steps<'_>,
        moment: ServiceMoment,
        undo: Vec<Effect>,
    ) {
        let Some(services) = self.services().filter(|one| !one.record.is_empty()) else { return };
        let flags = services.record.clone();
        let undo = if undo.is_empty() { Undo::Nothing } else { Undo::Apply(undo) };
        steps.add(Effect::RecordServiceFlags { flags, moment }, undo);
    }

    /// These flags at services become as before, and clients hear of it where a schema goes from
    /// under one of them.
    pub(super) fn services_back<'c>(
        &self,
        changes: impl Iterator<Item = &'c ServiceChange>,
    ) -> Vec<Effect> {
        let changes: Vec<ServiceChange> = changes.map(ServiceChange::reversed).collect();
        let stands_on_schema = changes.iter().any(|change| change.requires.is_some());
        let mut back: Vec<Effect> = changes.into_iter().map(ensure_service_flag).collect();
        if stands_on_schema && self.schema.is_some() {
            back.push(self.settle_services());
        }
        back
    }

    pub(super) fn settle_services(&self) -> Effect {
        let wait_ms = self.services().map_or(0, |services| services.settle_ms);
        Effect::SettleServiceFlags { wait_ms }
    }

    /// What else runs of the release that is left stops; what is taken back starts it again.
    pub(super) fn stop_roles(&self, steps: &mut Steps<'_>) {
        let Some(from) = self.from else { return };
        for (role, instances) in self.environment.roles.get(from).into_iter().flatten() {
            if instances.wanted > 0 {
                let mut undo = self.back_at_once();
                undo.push(ensure_role(from, role, instances.wanted));
                steps.add_reversible(ensure_role(from, role, 0), undo);
            }
        }
    }

    /// What else belongs to the new release starts, once it has all requests.
    pub(super) fn start_roles(&self, steps: &mut Steps<'_>) {
        for (name, role) in &self.to.roles {
            let mut undo = self.back_at_once();
            undo.push(ensure_role(self.to(), name, 0));
            steps.add_reversible(ensure_role(self.to(), name, role.instances), undo);
        }
    }

    /// The new release is what serves, whole.
    pub(super) fn verify(&self, steps: &mut Steps<'_>, serving: TrafficState) {
        let mut checks = vec![
            VerifyCheck::Traffic { state: serving },
            VerifyCheck::Ready { release: self.to().clone(), count: self.policy().instances },
            VerifyCheck::Config { release: self.to().clone() },
        ];
        if self.flags.is_some() {
            checks.push(VerifyCheck::FlagsAgree);
        }
        if let Some(state) = &self.environment.schema {
            let digest = self.schema.map_or(&state.digest, |schema| &schema.to).clone();
            checks.extend([VerifyCheck::Schema { digest }, VerifyCheck::Integrity]);
        }
        steps.add(Effect::Verify { checks }, Undo::Nothing);
    }

    /// The last instances of the release that is left stop.
    pub(super) fn stop_left(&self, steps: &mut Steps<'_>) {
        if let Some(from) = self.from {
            let stop = Effect::EnsureInstances { release: from.clone(), count: 0 };
            steps.add_reversible(stop, self.left_runs());
        }
    }

    /// The way that the strategy asks for, where there are requests that two releases can share.
    pub(super) fn way(&self) -> Result<Way<'_>, Refusal> {
        match (self.shares_with(), &self.policy().strategy) {
            (None, _) | (_, Strategy::BlueGreen) => Ok(Way::AtOnce),
            (Some(stable), Strategy::Canary(canary)) => {
                canary::sound(canary).map(|()| Way::ByShare(stable, canary))
            }
            (Some(old), Strategy::Rolling(rolling)) => {
                let sound = rolling::sound(rolling, self.policy().instances);
                sound.map(|()| Way::ByInstance(old, rolling))
            }
        }
    }

    /// The release that is left, where it answers requests now.
    fn shares_with(&self) -> Option<&ReleaseId> {
        let from = self.from?;
        let ready = self.environment.instances.get(from).is_some_and(|left| left.ready > 0);
        let serves = self.environment.traffic.split.only() == Some(from);
        (ready && serves && self.usual() == Requests::Flowing).then_some(from)
    }
}

/// A change at a service as an effect.
pub(super) fn ensure_service_flag(change: ServiceChange) -> Effect {
    Effect::EnsureServiceFlag(Box::new(change))
}

fn ensure_role(release: &ReleaseId, role: &str, count: u32) -> Effect {
    Effect::EnsureRole { release: release.clone(), role: role.to_owned(), count }
}

/// Names a change uniquely: a generation begins once, and a step is one of its plan.
fn change_id(environment: &Environment, step: u32) -> ChangeId {
    ChangeId(format!("{}/{}/{step}", environment.name, environment.generation.next()))
}
