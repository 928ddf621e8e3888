//! Planning a deploy: the new release starts beside the one that serves, and takes over as the
//! strategy says. Where the one that serves does not survive the change of schema, requests wait.

use crate::analysis::explain;
use crate::flag::{FlagPreview, ServiceChange, ServiceMoment};
use crate::model::policy::ResourceSpec;
use crate::model::{Environment, Release, Requests};
use crate::plan::display::duration;
use crate::plan::exchange::{Exchange, Way, ensure_service_flag};
use crate::plan::refusal::Refusal;
use crate::plan::steps::Steps;
use crate::plan::{
    Acceptance, Bake, Effect, Forecast, Intent, Plan, ResourceState, Undo, canary, rolling,
};
use crate::schema::SchemaPreview;

/// What is wanted, and what was found out about it.
#[derive(Debug, Clone)]
pub struct DeployRequest<'a> {
    /// The release to deploy.
    pub release: &'a Release,
    /// What its pending migrations would do; none when nothing is pending.
    pub schema: Option<&'a SchemaPreview>,
    /// What it does to the flags; none: nothing.
    pub flags: Option<&'a FlagPreview>,
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
    let policy = &environment.policy;
    let from = environment.history.live();
    let breaks = request.schema.map(SchemaPreview::breaks_old_code).unwrap_or_default();
    // In a downtime window nobody is served, so nobody needs to be held back.
    let served = !matches!(environment.traffic.requests, Requests::Maintenance { .. });
    let exchange = Exchange {
        environment,
        from,
        to: request.release,
        schema: request.schema,
        flags: request.flags,
        holds: from.is_some() && !breaks.is_empty() && served,
        shown: true,
        // What the schema went away from under it must not go on running.
        stays: policy.abort_keep_ms != Some(0) && request.schema.is_none(),
    };
    let way = exchange.way()?;
    if let (Way::ByShare(stable, _) | Way::ByInstance(stable, _), true) = (&way, exchange.holds) {
        let (stable, release) = ((*stable).clone(), exchange.to().clone());
        return Err(Refusal::WouldNotSurvive { stable, release, because: breaks });
    }
    let deploy = Deploy { exchange: &exchange, way: &way };

    let mut steps = Steps::new(policy);
    deploy.prepare(&mut steps);
    deploy.share(&mut steps);
    deploy.take_over(&mut steps);
    deploy.prove(&mut steps);

    let mut plan = Plan {
        format: Plan::FORMAT,
        id: "".into(),
        environment: environment.name.clone(),
        based_on: environment.generation,
        intent: Intent::Deploy,
        from: from.cloned(),
        to: exchange.to().clone(),
        abort_on_deadline: policy.abort_on_deadline,
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

/// With fewer requests than this while it is watched, a release is hardly judged.
const WATCHED_MIN: u64 = 50;

struct Deploy<'a> {
    exchange: &'a Exchange<'a>,
    way: &'a Way<'a>,
}

impl Deploy<'_> {
    /// What can be done while users notice nothing: the copy, infrastructure, and a schema change
    /// that the release in service survives.
    fn prepare(&self, steps: &mut Steps<'_>) {
        let exchange = self.exchange;
        if exchange.schema.is_some_and(|schema| schema.can_be_copied) {
            let generation = exchange.environment.generation.next();
            let name = format!("g{generation}-before-{}", exchange.to());
            steps.add(Effect::EnsureBackup { name }, Undo::Nothing);
        }
        for resource in &exchange.policy().resources {
            steps.add_reversible(
                self.resource(resource, ResourceState::Applied),
                vec![self.resource(resource, ResourceState::Reverted)],
            );
        }
        if !exchange.holds {
            exchange.change_schema(steps);
        }
        // Users first: what was changed at services returns once traffic has, and before a schema
        // goes.
        let back = exchange.services_back(self.changes_at_services());
        exchange.record_services(steps, ServiceMoment::Before, back);
    }

    fn changes_at_services(&self) -> impl Iterator<Item = &ServiceChange> {
        self.exchange.services().into_iter().flat_map(|services| &services.changes)
    }

    fn set_at_services(&self, steps: &mut Steps<'_>) {
        for change in self.changes_at_services() {
            // Here the schema goes before anything of the beginning is taken back.
            let loses_ground = self.exchange.holds && change.requires.is_some();
            let back = loses_ground.then(|| self.exchange.services_back(std::iter::once(change)));
            let undo = back.map_or(Undo::Nothing, Undo::Apply);
            steps.add(ensure_service_flag(change.clone()), undo);
        }
    }

    /// The new release starts, shows what it can do, and, where the strategy says so, gets a part
    /// of the requests.
    fn share(&self, steps: &mut Steps<'_>) {
        let exchange = self.exchange;
        let instances = exchange.policy().instances;
        let first = match self.way {
            Way::AtOnce => instances,
            Way::ByShare(_, canary) => canary::first_count(canary, instances),
            Way::ByInstance(old, rolling) => {
                rolling::first_count(rolling, instances, exchange.running(old))
            }
        };
        exchange.start(steps, first);
        exchange.show(steps, first);
        if exchange.policy().approve {
            let name = &exchange.environment.name;
            let question = format!("switch {name} from {} to {}?", self.old(), exchange.to());
            steps.add(Effect::Approve { question }, Undo::Nothing);
            // People think for hours. What died meanwhile is started before users are concerned.
            steps.add(exchange.instances(first), Undo::Nothing);
        }
        match self.way {
            Way::AtOnce => {}
            Way::ByShare(stable, canary) => canary::climb(exchange, stable, canary, first, steps),
            Way::ByInstance(old, rolling) => rolling::roll(exchange, old, rolling, first, steps),
        }
    }

    /// The new release gets all requests, which wait where the old one would not survive the
    /// change; everything else of the old one gives way then.
    fn take_over(&self, steps: &mut Steps<'_>) {
        let exchange = self.exchange;
        if exchange.holds {
            exchange.stop_roles(steps);
            let held = exchange.state(exchange.from, true, exchange.meanwhile());
            steps.add_reversible(exchange.traffic(held), exchange.traffic_back(exchange.usual()));
            exchange.change_schema(steps);
        }
        exchange.configure(steps);
        steps.add_reversible(
            exchange.traffic(exchange.state(Some(exchange.to()), true, exchange.usual())),
            exchange.traffic_back(exchange.meanwhile()),
        );
        exchange.set_layer(steps);
        exchange.set_flags(steps);
        self.set_at_services(steps);
        if !exchange.holds {
            exchange.stop_roles(steps);
        }
        exchange.start_roles(steps);
    }

    /// The new release is watched, and what it promised is verified.
    fn prove(&self, steps: &mut Steps<'_>) {
        let exchange = self.exchange;
        let policy = exchange.policy();
        if policy.bake_ms > 0 && self.watchable() {
            let bake = Bake {
                release: exchange.to().clone(),
                before: exchange.from.cloned(),
                duration_ms: policy.bake_ms,
                error_floor: policy.error_floor,
                judge: Some(Box::new(exchange.judge())),
            };
            steps.add(Effect::Bake(bake), Undo::Nothing);
        }
        // What people changed there while it was watched came with it, too.
        exchange.record_services(steps, ServiceMoment::After, Vec::new());
        let serving = exchange.state(Some(exchange.to()), true, exchange.usual());
        exchange.verify(steps, serving);
        if matches!(self.way, Way::ByInstance(..)) {
            exchange.stop_left(steps);
        }
    }

    /// Whether there are users whose requests could tell whether the release is good.
    fn watchable(&self) -> bool {
        self.exchange.from.is_some() && self.exchange.usual() == Requests::Flowing
    }

    fn resource(&self, resource: &ResourceSpec, state: ResourceState) -> Effect {
        let release = self.exchange.to().clone();
        Effect::EnsureResource { resource: resource.clone(), release, state }
    }

    fn forecast(&self) -> Forecast {
        let policy = self.exchange.policy();
        let mut forecast = Forecast::without_schema(self.exchange.environment.observed_at);
        if let Some(schema) = self.exchange.schema {
            forecast.add_schema(&schema.forecast);
        }
        if let Some(flags) = self.exchange.flags {
            forecast.flags.clone_from(&flags.forecast);
        }
        forecast.does_not_come_back.clone_from(&policy.does_not_come_back);
        forecast.notice_ms_max = if self.exchange.holds { forecast.takes_ms + 100 } else { 0 };
        forecast.takes_ms += 1_000 + self.way.takes_ms(policy.instances);
        forecast
    }

    fn report(&self, breaks: &[String]) -> Vec<String> {
        let mut report = Vec::new();
        if self.exchange.from.is_none() {
            report.push("first deploy: going back leaves nobody serving, as now".to_owned());
        }
        match (self.exchange.schema, self.exchange.holds) {
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
        report.extend(self.way.report(self.exchange.to(), &self.exchange.judge()));
        report.extend(self.watched());
        report.extend(self.exchange.flags.into_iter().flat_map(|flags| flags.report.clone()));
        report
            .push(format!("way back: every step is undone in reverse, ending with {}", self.old()));
        report
    }

    /// How many requests watching is going to see, where they are too few to see much.
    fn watched(&self) -> Option<String> {
        let policy = self.exchange.policy();
        let past = self.exchange.environment.past?;
        let per_second = past.per_second().filter(|_| self.watchable() && policy.judge.looks())?;
        let few = explain::requests(per_second, policy.bake_ms).filter(|few| *few < WATCHED_MIN)?;
        let time = duration(policy.bake_ms);
        Some(format!(
            "about {few} requests come in the {time} in which {} is watched alone: only what fails \
             nearly always is found by them; a longer `bake` would help",
            self.exchange.to()
        ))
    }

    fn old(&self) -> String {
        self.exchange.from.map_or_else(|| "nobody".to_owned(), ToString::to_string)
    }
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
        deploy(
            environment,
            &DeployRequest { release: &release, schema, flags: None, retry, accepted: None },
        )
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
        let request = DeployRequest {
            release: &release,
            schema: Some(&destroys),
            flags: None,
            retry: false,
            accepted,
        };
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
