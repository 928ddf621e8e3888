//! Planning a deploy: blue-green, with the schema's place in it decided by whether the release
//! that serves survives the change.

use crate::model::policy::{CheckSpec, ResourceSpec};
use crate::model::{ChangeId, Environment, Release, ReleaseId, Requests, Split, TrafficState};
use crate::plan::refusal::Refusal;
use crate::plan::steps::Steps;
use crate::plan::{
    Acceptance, Bake, Effect, Forecast, Intent, Plan, ResourceState, Undo, VerifyCheck,
};
use crate::schema::{SchemaChange, SchemaPreview, Wanted};

/// What is wanted, and what was found out about it.
#[derive(Debug, Clone)]
pub struct DeployRequest<'a> {
    /// The release to deploy.
    pub release: &'a Release,
    /// What its pending migrations would do; none when nothing is pending.
    pub schema: Option<&'a SchemaPreview>,
    /// A release that is held may be deployed all the same, because a person asked to.
    pub retry: bool,
    /// A person's word that what would be gone may be gone.
    pub accepted: Option<Acceptance>,
}

/// Makes the plan, or says why there is none.
///
/// # Errors
///
/// [`Refusal`] with the reason; nothing has happened then.
pub fn deploy(environment: &Environment, request: &DeployRequest<'_>) -> Result<Plan, Refusal> {
    refuse(environment, request)?;
    let release = &request.release.id;
    let from = environment.history.live();
    let breaks = request.schema.map(SchemaPreview::breaks_old_code).unwrap_or_default();
    // In a downtime window nobody is served, so nobody needs to be held back.
    let served = !matches!(environment.traffic.requests, Requests::Maintenance { .. });
    let must_hold = from.is_some() && !breaks.is_empty() && served;
    let deploy = Deploy { environment, request, from, must_hold };

    let mut steps = Steps::new(&environment.policy);
    deploy.prepare(&mut steps);
    deploy.start_and_check(&mut steps);
    deploy.switch(&mut steps);
    deploy.prove(&mut steps);

    let mut plan = Plan {
        format: Plan::FORMAT,
        id: "".into(),
        environment: environment.name.clone(),
        based_on: environment.generation,
        intent: Intent::Deploy,
        from: from.cloned(),
        to: release.clone(),
        abort_on_deadline: environment.policy.abort_on_deadline,
        steps: steps.done(),
        forecast: deploy.forecast(),
        report: deploy.report(&breaks),
        accepted: request.accepted.clone(),
    };
    plan.id = plan.computed_id();
    Ok(plan)
}

fn refuse(environment: &Environment, request: &DeployRequest<'_>) -> Result<(), Refusal> {
    let release = &request.release.id;
    if environment.history.live() == Some(release) {
        return Err(Refusal::AlreadyLive(release.clone()));
    }
    if let Some(because) = environment.history.held.get(release).filter(|_| !request.retry) {
        return Err(Refusal::Held { release: release.clone(), because: because.clone() });
    }
    let gone = request.schema.map(|schema| schema.forecast.gone.as_slice()).unwrap_or_default();
    if !gone.is_empty() && request.accepted.is_none() {
        return Err(Refusal::NoWayBack { gone: gone.iter().map(ToString::to_string).collect() });
    }
    Ok(())
}

struct Deploy<'a> {
    environment: &'a Environment,
    request: &'a DeployRequest<'a>,
    from: Option<&'a ReleaseId>,
    must_hold: bool,
}

impl Deploy<'_> {
    /// What can be done while users notice nothing: the copy, infrastructure, and a schema change
    /// that the release in service survives.
    fn prepare(&self, steps: &mut Steps<'_>) {
        if self.request.schema.is_some() {
            let name = format!("g{}-before-{}", self.environment.generation.next(), self.to());
            steps.add(Effect::EnsureBackup { name }, Undo::Nothing);
        }
        for resource in &self.environment.policy.resources {
            steps.add_reversible(
                self.resource(resource, ResourceState::Applied),
                vec![self.resource(resource, ResourceState::Reverted)],
            );
        }
        if !self.must_hold {
            self.change_schema(steps);
        }
    }

    /// The new release runs beside the old one and shows at the preview address what it can do.
    fn start_and_check(&self, steps: &mut Steps<'_>) {
        let policy = &self.environment.policy;
        let instances = |count| Effect::EnsureInstances { release: self.to().clone(), count };
        steps.add_reversible(instances(policy.instances), vec![instances(0)]);
        steps.add_reversible(
            self.traffic(self.from, true, self.usual()),
            vec![self.traffic(self.from, false, self.usual())],
        );
        let mut checks =
            vec![VerifyCheck::Ready { release: self.to().clone(), count: policy.instances }];
        let preview = |check: &CheckSpec| VerifyCheck::Preview {
            check: check.clone(),
            release: self.to().clone(),
        };
        checks.extend(policy.checks.iter().map(preview));
        steps.add(Effect::Verify { checks }, Undo::Nothing);
        if policy.approve {
            let question =
                format!("switch {} from {} to {}?", self.environment.name, self.old(), self.to());
            steps.add(Effect::Approve { question }, Undo::Nothing);
            // People think for hours. What died meanwhile is started before users are concerned.
            steps.add(instances(policy.instances), Undo::Nothing);
        }
    }

    /// From here on users are concerned: requests wait where the old release would not survive
    /// the change, and the new release takes over.
    fn switch(&self, steps: &mut Steps<'_>) {
        let policy = &self.environment.policy;
        let held = || self.traffic(self.from, true, Requests::Held(policy.hold));
        if self.must_hold {
            let mut undo = self.old_release_runs();
            undo.push(self.traffic(self.from, true, self.usual()));
            steps.add_reversible(held(), undo);
            self.change_schema(steps);
        }
        steps.add_reversible(
            Effect::EnsureConfig { release: Some(self.to().clone()) },
            vec![Effect::EnsureConfig { release: self.environment.config.clone() }],
        );
        let mut undo = self.old_release_runs();
        undo.push(if self.must_hold {
            held()
        } else {
            self.traffic(self.from, true, self.usual())
        });
        steps.add_reversible(self.traffic(Some(self.to()), true, self.usual()), undo);
        if self.request.release.flags.document != self.environment.flags {
            steps.add_reversible(
                Effect::EnsureFlags { document: self.request.release.flags.document.clone() },
                vec![Effect::EnsureFlags { document: self.environment.flags.clone() }],
            );
        }
    }

    /// The new release is watched, and what it promised is verified.
    fn prove(&self, steps: &mut Steps<'_>) {
        let policy = &self.environment.policy;
        if policy.bake_ms > 0 && self.watchable() {
            let bake = Bake {
                release: self.to().clone(),
                before: self.from.cloned(),
                duration_ms: policy.bake_ms,
                error_floor: policy.error_floor,
            };
            steps.add(Effect::Bake(bake), Undo::Nothing);
        }
        let mut checks = vec![
            VerifyCheck::Traffic { state: self.state(Some(self.to()), true, self.usual()) },
            VerifyCheck::Ready { release: self.to().clone(), count: policy.instances },
            VerifyCheck::Config { release: self.to().clone() },
            VerifyCheck::Flags { document: self.request.release.flags.document.clone() },
        ];
        if let Some(state) = &self.environment.schema {
            let digest = self.request.schema.map_or(&state.digest, |schema| &schema.to).clone();
            checks.extend([VerifyCheck::Schema { digest }, VerifyCheck::Integrity]);
        }
        steps.add(Effect::Verify { checks }, Undo::Nothing);
    }

    fn change_schema(&self, steps: &mut Steps<'_>) {
        let Some(preview) = self.request.schema else { return };
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

    /// The old release may have died while the new one served: it must run before it gets traffic.
    fn old_release_runs(&self) -> Vec<Effect> {
        let count = self.environment.policy.instances;
        let ensure =
            |release: &ReleaseId| Effect::EnsureInstances { release: release.clone(), count };
        self.from.map(ensure).into_iter().collect()
    }

    fn traffic(&self, to: Option<&ReleaseId>, preview: bool, requests: Requests) -> Effect {
        let drain_ms_max = self.environment.policy.drain_ms_max;
        Effect::EnsureTraffic { state: self.state(to, preview, requests), drain_ms_max }
    }

    fn state(&self, to: Option<&ReleaseId>, preview: bool, requests: Requests) -> TrafficState {
        let split = to.map(Split::all_to).unwrap_or_default();
        TrafficState::of(split, preview.then(|| self.to().clone()), requests)
    }

    /// What requests do before and after: flow, or see the page of an open downtime window.
    fn usual(&self) -> Requests {
        match &self.environment.traffic.requests {
            page @ Requests::Maintenance { .. } => page.clone(),
            Requests::Flowing | Requests::Held(_) => Requests::Flowing,
        }
    }

    /// Whether there are users whose requests could tell whether the release is good.
    fn watchable(&self) -> bool {
        self.from.is_some() && self.usual() == Requests::Flowing
    }

    fn resource(&self, resource: &ResourceSpec, state: ResourceState) -> Effect {
        Effect::EnsureResource { resource: resource.clone(), release: self.to().clone(), state }
    }

    fn forecast(&self) -> Forecast {
        let policy = &self.environment.policy;
        let mut forecast = Forecast::without_schema(self.environment.observed_at);
        if let Some(schema) = self.request.schema {
            forecast.add_schema(&schema.forecast);
        }
        forecast.does_not_come_back.clone_from(&policy.does_not_come_back);
        forecast.notice_ms_max = if self.must_hold { forecast.takes_ms + 100 } else { 0 };
        forecast.takes_ms += 1_000;
        forecast
    }

    fn report(&self, breaks: &[String]) -> Vec<String> {
        let mut report = Vec::new();
        if self.from.is_none() {
            report.push("first deploy: going back leaves nobody serving, as now".to_owned());
        }
        match (self.request.schema, self.must_hold) {
            (None, _) => report.push("no migration is pending: the schema stays".to_owned()),
            (Some(_), false) => report.push(format!(
                "the schema changes first, since {} goes on working on it",
                self.old()
            )),
            (Some(_), true) => {
                report.push(format!(
                    "{} would not survive the schema change, so requests wait while it runs",
                    self.old()
                ));
                report.extend(breaks.iter().map(|why| format!("because {why}")));
            }
        }
        report
            .push(format!("way back: every step is undone in reverse, ending with {}", self.old()));
        report
    }

    fn to(&self) -> &ReleaseId {
        &self.request.release.id
    }

    fn old(&self) -> String {
        self.from.map_or_else(|| "nobody".to_owned(), ToString::to_string)
    }
}

/// Names a change uniquely: a generation begins once, and a step is one of its plan.
pub(super) fn change_id(environment: &Environment, step: u32) -> ChangeId {
    ChangeId(format!("{}/{}/{step}", environment.name, environment.generation.next()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::check;
    use crate::plan::fixture::{environment, policy, preview, queue, release, running};
    use crate::schema::Direction;
    use proptest::prelude::*;

    fn plan(
        environment: &Environment,
        schema: Option<&SchemaPreview>,
        retry: bool,
    ) -> Result<Plan, Refusal> {
        let release = release("v2");
        deploy(environment, &DeployRequest { release: &release, schema, retry, accepted: None })
    }

    /// The place of the first step that reads like this.
    fn place(plan: &Plan, text: &str) -> usize {
        let found = plan.steps.iter().position(|step| step.effect.to_string().starts_with(text));
        found.unwrap_or_else(|| panic!("no step «{text}» in\n{plan}"))
    }

    fn has(plan: &Plan, text: &str) -> bool {
        plan.steps.iter().any(|step| step.effect.to_string().starts_with(text))
    }

    #[test]
    fn a_change_that_the_old_release_survives_comes_first() {
        let plan = plan(&environment(&["v1"]), Some(&preview(Direction::Up, false, 0)), false);
        let plan = plan.unwrap();
        assert!(place(&plan, "copy the database") < place(&plan, "migrate up"));
        assert!(place(&plan, "migrate up") < place(&plan, "run 2 instances of v2"));
        assert!(!has(&plan, "requests wait"));
        assert_eq!(plan.forecast.notice_ms_max, 0);
    }

    #[test]
    fn a_change_that_it_does_not_survive_waits_until_requests_do() {
        let plan = plan(&environment(&["v1"]), Some(&preview(Direction::Up, true, 0)), false);
        let plan = plan.unwrap();
        assert!(place(&plan, "verify") < place(&plan, "requests wait"));
        assert!(place(&plan, "requests wait") < place(&plan, "migrate up"));
        assert!(place(&plan, "migrate up") < place(&plan, "traffic to v2"));
        assert!(plan.forecast.notice_ms_max > 0);
    }

    #[test]
    fn nobody_is_held_back_where_nobody_is_served() {
        let breaking = preview(Direction::Up, true, 0);
        let first = plan(&environment(&[]), Some(&breaking), false).unwrap();
        assert!(!has(&first, "requests wait") && !has(&first, "watch"));
        let mut window = environment(&["v1"]);
        window.traffic.requests = Requests::Maintenance { page: "back soon".into() };
        let plan = plan(&window, Some(&breaking), false).unwrap();
        assert!(!has(&plan, "requests wait") && !has(&plan, "watch") && !has(&plan, "traffic"));
    }

    #[test]
    fn a_person_is_asked_between_the_checks_and_the_switch() {
        let mut environment = environment(&["v1"]);
        environment.policy.approve = true;
        let plan = plan(&environment, None, false).unwrap();
        assert!(place(&plan, "verify") < place(&plan, "ask a person"));
        assert!(place(&plan, "ask a person") < place(&plan, "traffic to v2"));
        let again = plan.steps[place(&plan, "ask a person") + 1].effect.to_string();
        assert_eq!(again, "run 2 instances of v2", "what died meanwhile is started");
    }

    #[test]
    fn refusals() {
        let check = |environment: &Environment, schema: Option<&SchemaPreview>, expected: &str| {
            assert_eq!(plan(environment, schema, false).unwrap_err().to_string(), expected);
        };
        check(
            &environment(&["v1", "v2"]),
            None,
            "v2 is already live, and nothing has drifted from it",
        );
        let destroys = preview(Direction::Up, false, 5);
        check(
            &environment(&["v1"]),
            Some(&destroys),
            "there is no way back from this: 5 values of orders.note would be gone",
        );
        let mut held = environment(&["v1"]);
        held.history.held.insert("v2".into(), "errors".into());
        check(&held, None, "v2 is held because it was taken back: errors");
        assert!(plan(&held, None, true).is_ok(), "a person may retry it");
    }

    #[test]
    fn a_loss_that_a_person_accepts_is_in_the_plan() {
        let release = release("v2");
        let destroys = preview(Direction::Up, false, 5);
        let accepted = Some(Acceptance { by: "ann".into(), reason: "legal duty".into() });
        let request =
            DeployRequest { release: &release, schema: Some(&destroys), retry: false, accepted };
        let plan = deploy(&environment(&["v1"]), &request).unwrap();
        assert_eq!(plan.forecast.gone_count(), 5);
        assert_eq!(plan.accepted.as_ref().map(|accepted| accepted.by.as_str()), Some("ann"));
    }

    proptest! {
        /// Whatever is asked for, the linter has nothing against the plan, and the plan survives
        /// being written and read.
        #[test]
        fn every_plan_is_sound(
            first in any::<bool>(),
            schema in proptest::option::of(any::<bool>()),
            window in any::<bool>(),
            approve in any::<bool>(),
            resources in 0_usize..3,
            bake_ms in prop_oneof![Just(0_u64), Just(5_000)],
            checks in any::<bool>(),
        ) {
            let mut environment = environment(if first { &[] } else { &["v1"] });
            environment.policy = policy();
            environment.policy.approve = approve;
            environment.policy.bake_ms = bake_ms;
            environment.policy.resources = vec![queue(); resources];
            if !checks {
                environment.policy.checks.clear();
            }
            if window {
                environment.traffic.requests = Requests::Maintenance { page: "soon".into() };
            }
            let schema = schema.map(|breaks| preview(Direction::Up, breaks, 0));
            let plan = plan(&environment, schema.as_ref(), false).unwrap();
            prop_assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
            let json = serde_json::to_string(&plan).unwrap();
            let read: Plan = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&read, &plan);
            prop_assert_eq!(read.computed_id(), plan.id);
        }
    }
}
