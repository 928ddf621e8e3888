//! Planning a rollback from a finished release to an earlier verified one. Users come first:
//! where the earlier release works on the schema as it is, traffic moves before anything else. One
//! that served a short while ago gets it at once, any other as the strategy says.

use crate::flag::{FlagPreview, ServiceChange};
use crate::model::{Environment, Release, ReleaseId, Requests, Rolling};
use crate::plan::exchange::{Exchange, Way, ensure_service_flag};
use crate::plan::refusal::Refusal;
use crate::plan::steps::Steps;
use crate::plan::{
    Effect, Forecast, Intent, Plan, ResourceState, Undo, VerifyCheck, canary, rolling,
};
use crate::schema::SchemaPreview;

/// What is wanted, and what was found out about it.
#[derive(Debug, Clone)]
pub struct RollbackRequest<'a> {
    /// The release to return to.
    pub target: &'a Release,
    /// What taking back the later migrations would do; none when there are none.
    pub schema: Option<&'a SchemaPreview>,
    /// What it does to the flags; none: nothing.
    pub flags: Option<&'a FlagPreview>,
    /// Whether there is room for a copy of the database. Going back matters more than the copy:
    /// what the migrations remove is kept within the database in any case.
    pub room_for_a_copy: bool,
}

/// Makes the plan, or says why there is none.
///
/// # Errors
///
/// [`Refusal`] with the reason; nothing has happened then.
pub fn rollback(environment: &Environment, request: &RollbackRequest<'_>) -> Result<Plan, Refusal> {
    let from = refuse(environment, request)?;
    let target = request.target;
    let breaks = request.schema.map(SchemaPreview::breaks_old_code).unwrap_or_default();
    let served = !matches!(environment.traffic.requests, Requests::Maintenance { .. });
    let runs = environment.instances.get(&target.id).is_some_and(|target| target.wanted > 0);
    let mut exchange = Exchange {
        environment,
        from: Some(from),
        to: target,
        schema: request.schema,
        flags: request.flags,
        holds: !breaks.is_empty() && served,
        shown: false,
        stays: runs,
    };
    let inside = inside_window(environment, &target.id);
    exchange.shown = !inside && !matches!(way(&exchange, inside), Way::AtOnce);
    let back = Back { exchange: &exchange, way: way(&exchange, inside), inside, from, request };

    let mut steps = Steps::new(&environment.policy);
    back.turn_off(&mut steps);
    back.share(&mut steps);
    if exchange.holds {
        back.backup(&mut steps);
        exchange.stop_roles(&mut steps);
        back.hold(&mut steps);
        exchange.change_schema(&mut steps);
        exchange.configure(&mut steps);
        back.move_traffic(&mut steps);
        exchange.start_roles(&mut steps);
    } else {
        back.move_traffic(&mut steps);
        exchange.configure(&mut steps);
        exchange.stop_roles(&mut steps);
        exchange.start_roles(&mut steps);
        back.insist(&mut steps);
        back.backup(&mut steps);
        exchange.change_schema(&mut steps);
    }
    back.finish(&mut steps);

    let mut plan = Plan {
        format: Plan::FORMAT,
        id: "".into(),
        environment: environment.name.clone(),
        based_on: environment.generation,
        intent: Intent::Rollback,
        from: Some(from.clone()),
        to: target.id.clone(),
        abort_on_deadline: true,
        steps: steps.done(),
        forecast: back.forecast(),
        report: back.report(&breaks),
        accepted: None,
    };
    plan.id = plan.computed_id();
    Ok(plan)
}

fn refuse<'a>(
    environment: &'a Environment,
    request: &RollbackRequest<'_>,
) -> Result<&'a ReleaseId, Refusal> {
    let target = &request.target.id;
    let from = environment.history.live().ok_or(Refusal::NoTarget)?;
    if from == target {
        return Err(Refusal::SameRelease(target.clone()));
    }
    let verified = &environment.history.verified;
    if !verified.iter().any(|verified| &verified.release == target) {
        let others = verified.iter().map(|verified| verified.release.clone());
        let available = others.filter(|release| release != from).collect();
        return Err(Refusal::NotVerified { target: target.clone(), available });
    }
    let gone = request.schema.map(|schema| schema.forecast.gone.as_slice()).unwrap_or_default();
    if !gone.is_empty() {
        return Err(Refusal::NoWayBack { gone: gone.iter().map(ToString::to_string).collect() });
    }
    Ok(from)
}

/// How traffic returns. Nothing about a strategy is a reason not to go back: where its steps make
/// no plan, or requests have to wait in any case, everything goes at one moment.
fn way<'a>(exchange: &'a Exchange<'_>, inside: bool) -> Way<'a> {
    let asked = exchange.policy().instances;
    let warm = exchange.running(exchange.to()) >= asked;
    match exchange.way() {
        Ok(Way::ByShare(..)) if inside => Way::AtOnce,
        // One that no longer runs in full cannot take over all at once.
        Ok(Way::ByInstance(..)) if inside && warm => Way::AtOnce,
        Ok(way) if !exchange.holds => way,
        Ok(_) | Err(_) => Way::AtOnce,
    }
}

/// Whether the target served recently enough to need no checks again.
fn inside_window(environment: &Environment, target: &ReleaseId) -> bool {
    let verified = &environment.history.verified;
    let served = verified.iter().rev().find(|verified| &verified.release == target);
    let Some(replaced_at) = served.and_then(|verified| verified.replaced_at) else {
        return false;
    };
    let age = environment.observed_at.duration_since(replaced_at).as_millis();
    age <= i128::from(environment.policy.rollback_window_ms)
}

struct Back<'a> {
    exchange: &'a Exchange<'a>,
    way: Way<'a>,
    inside: bool,
    from: &'a ReleaseId,
    request: &'a RollbackRequest<'a>,
}

impl Back<'_> {
    /// Flags go off first: it is fast, and easily taken back. Where a schema goes from under them,
    /// clients have to hear of it before.
    fn turn_off(&self, steps: &mut Steps<'_>) {
        let Some(flags) = self.exchange.flags else { return };
        self.exchange.set_layer(steps);
        for change in self.off() {
            // A service that does not answer keeps nobody from going back, unless its flag would
            // be on without its ground.
            let insists = self.exchange.holds && change.requires.is_some();
            let change = ServiceChange { insists, ..change.clone() };
            let undo = vec![ensure_service_flag(change.reversed())];
            steps.add_reversible(ensure_service_flag(change), undo);
        }
        if self.exchange.holds {
            self.ask(steps);
        }
        if self.exchange.holds && self.off().any(|change| change.requires.is_some()) {
            steps.add(self.exchange.settle_services(), Undo::Nothing);
        }
        if flags.layer.is_some() && self.request.schema.is_some() {
            steps.add(Effect::ConfirmFlags { wait_ms_max: flags.confirm_ms_max }, Undo::Nothing);
        }
    }

    /// What is turned off at services.
    fn off(&self) -> impl Iterator<Item = &ServiceChange> {
        self.exchange.services().into_iter().flat_map(|services| &services.off)
    }

    /// What Ripcord may not turn off itself is off by a person's word before its schema goes.
    fn ask(&self, steps: &mut Steps<'_>) {
        let by_people = self.exchange.services().map(|services| services.by_people.join(", "));
        if let Some(flags) = by_people.filter(|flags| !flags.is_empty()) {
            let question = format!("is {flags} off by now, and have clients heard of it?");
            steps.add(Effect::Approve { question }, Undo::Nothing);
        }
    }

    /// What stands on a schema that goes is off at services by now, and clients have heard of it.
    fn insist(&self, steps: &mut Steps<'_>) {
        self.ask(steps);
        for change in self.off().filter(|change| change.requires.is_some()) {
            steps.add(ensure_service_flag(change.insisting()), Undo::Nothing);
        }
        if self.off().any(|change| change.requires.is_some()) {
            steps.add(self.exchange.settle_services(), Undo::Nothing);
        }
    }

    /// The target runs, shows again that it can where its window is over, and, where the strategy
    /// says so, gets a part of the requests.
    fn share(&self, steps: &mut Steps<'_>) {
        let exchange = self.exchange;
        let instances = exchange.policy().instances;
        let least = match self.way {
            Way::AtOnce => instances,
            Way::ByShare(_, canary) => canary::first_count(canary, instances),
            Way::ByInstance(old, rolling) => {
                rolling::first_count(rolling, instances, exchange.running(old))
            }
        };
        // What runs already goes on running.
        let first = exchange.running(exchange.to()).clamp(least, instances.max(least));
        exchange.start(steps, first);
        match self.way {
            Way::AtOnce => self.check(steps),
            Way::ByShare(stable, canary) => {
                exchange.show(steps, first);
                canary::climb(exchange, stable, canary, first, steps);
            }
            Way::ByInstance(old, rolling) if self.inside => {
                // It was judged before, and not long ago.
                let rolling = Rolling { pause_ms: 0, ..rolling.clone() };
                rolling::roll(exchange, old, &rolling, first, steps);
            }
            Way::ByInstance(old, rolling) => {
                exchange.show(steps, first);
                rolling::roll(exchange, old, rolling, first, steps);
            }
        }
    }

    fn check(&self, steps: &mut Steps<'_>) {
        let (exchange, checks) = (self.exchange, &self.exchange.policy().checks);
        if self.inside || checks.is_empty() {
            return;
        }
        steps.add_reversible(
            exchange.traffic(exchange.state(exchange.from, true, exchange.usual())),
            vec![exchange.traffic(exchange.state(exchange.from, false, exchange.usual()))],
        );
        let release = exchange.to();
        let checks = checks
            .iter()
            .map(|check| VerifyCheck::Preview { check: check.clone(), release: release.clone() });
        steps.add(Effect::Verify { checks: checks.collect() }, Undo::Nothing);
    }

    fn can_be_copied(&self) -> bool {
        self.request.schema.is_some_and(|schema| schema.can_be_copied)
    }

    fn backup(&self, steps: &mut Steps<'_>) {
        if self.can_be_copied() && self.request.room_for_a_copy {
            let generation = self.exchange.environment.generation.next();
            let name = format!("g{generation}-before-return-to-{}", self.exchange.to());
            steps.add(Effect::EnsureBackup { name }, Undo::Nothing);
        }
    }

    fn hold(&self, steps: &mut Steps<'_>) {
        let exchange = self.exchange;
        let held = exchange.state(exchange.from, false, exchange.meanwhile());
        let undo = exchange.traffic_back(exchange.usual());
        steps.add_reversible(exchange.traffic(held), undo);
    }

    fn move_traffic(&self, steps: &mut Steps<'_>) {
        let exchange = self.exchange;
        let moved = exchange.state(Some(exchange.to()), false, exchange.usual());
        let undo = exchange.traffic_back(exchange.meanwhile());
        steps.add_reversible(exchange.traffic(moved), undo);
    }

    /// Infrastructure returns, everything is verified, and the release that was left stops.
    fn finish(&self, steps: &mut Steps<'_>) {
        let exchange = self.exchange;
        for resource in exchange.policy().resources.iter().rev() {
            let ensure = |state| Effect::EnsureResource {
                resource: resource.clone(),
                release: self.from.clone(),
                state,
            };
            let undo = vec![ensure(ResourceState::Applied)];
            steps.add_reversible(ensure(ResourceState::Reverted), undo);
        }
        let serving = exchange.state(Some(exchange.to()), false, exchange.usual());
        exchange.verify(steps, serving);
        // The rest of the flags returns in calm, once the release that they belong to serves.
        exchange.set_flags(steps);
        for change in self.off().filter(|change| change.requires.is_none()) {
            steps.add(ensure_service_flag(change.insisting()), Undo::Nothing);
        }
        for change in exchange.services().into_iter().flat_map(|services| &services.changes) {
            let undo = vec![ensure_service_flag(change.reversed())];
            steps.add_reversible(ensure_service_flag(change.clone()), undo);
        }
        exchange.stop_left(steps);
    }

    fn forecast(&self) -> Forecast {
        let policy = self.exchange.policy();
        let mut forecast = Forecast::without_schema(self.exchange.environment.observed_at);
        if let Some(schema) = self.request.schema {
            forecast.add_schema(&schema.forecast);
        }
        if let Some(flags) = self.exchange.flags {
            forecast.flags.clone_from(&flags.forecast);
        }
        forecast.does_not_come_back.clone_from(&policy.does_not_come_back);
        forecast.notice_ms_max = if self.exchange.holds { forecast.takes_ms + 100 } else { 0 };
        let shares_ms = if self.inside { 0 } else { self.way.takes_ms(policy.instances) };
        forecast.takes_ms += 500 + shares_ms;
        forecast
    }

    fn report(&self, breaks: &[String]) -> Vec<String> {
        let to = self.exchange.to();
        let mut report = vec![match (self.request.schema, self.exchange.holds) {
            (None, _) => format!("{to} runs on the schema as it is: traffic goes first"),
            (Some(_), false) => {
                format!("{to} works on the schema as it is: traffic goes first, the schema follows")
            }
            (Some(_), true) => format!(
                "{to} does not work on the schema as it is, so requests wait while it is taken back"
            ),
        }];
        report.extend(breaks.iter().map(|why| format!("because {why}")));
        report.extend(self.exchange.flags.into_iter().flat_map(|flags| flags.report.clone()));
        if self.can_be_copied() && !self.request.room_for_a_copy {
            report.push(
                "no copy of the database is made, since the disk has no room for it; what is \
                 removed is kept within the database"
                    .to_owned(),
            );
        }
        let window = if self.inside { "inside" } else { "outside" };
        report.push(format!("{to} is {window} its rollback window"));
        report.extend(self.way.report(to, &self.exchange.judge()));
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::check;
    use crate::plan::fixture::{environment, preview, queue, release, rollback_plan, running};
    use crate::schema::Direction;
    use jiff::ToSpan;
    use proptest::prelude::*;

    fn place(plan: &Plan, text: &str) -> usize {
        let found = plan.steps.iter().position(|step| step.effect.to_string().starts_with(text));
        found.unwrap_or_else(|| panic!("no step «{text}» in\n{plan}"))
    }

    fn has(plan: &Plan, text: &str) -> bool {
        plan.steps.iter().any(|step| step.effect.to_string().starts_with(text))
    }

    #[test]
    fn users_come_first_where_the_target_fits() {
        let (_, plan) = rollback_plan(Some(&preview(Direction::Down, false, 0)));
        assert_eq!(place(&plan, "turn off the flags of v2: checkout"), 0);
        assert_eq!(place(&plan, "wait until clients"), 1);
        assert!(place(&plan, "traffic to v1") < place(&plan, "configuration"));
        assert!(place(&plan, "traffic to v1") < place(&plan, "copy the database"));
        assert!(place(&plan, "traffic to v1") < place(&plan, "migrate down"));
        assert!(place(&plan, "verify") < place(&plan, "flags as before v2"));
        assert_eq!(plan.steps.len() - 1, place(&plan, "stop v2"));
        assert!(!has(&plan, "requests wait"));
    }

    #[test]
    fn requests_wait_where_it_does_not() {
        let (_, plan) = rollback_plan(Some(&preview(Direction::Down, true, 0)));
        assert_eq!(place(&plan, "turn off the flags of v2: checkout"), 0);
        assert_eq!(place(&plan, "wait until clients"), 1);
        assert!(place(&plan, "copy the database") < place(&plan, "requests wait"));
        assert!(place(&plan, "requests wait") < place(&plan, "migrate down"));
        assert!(place(&plan, "migrate down") < place(&plan, "traffic to v1"));
        assert!(plan.forecast.notice_ms_max > 0);
    }

    #[test]
    fn a_full_disk_does_not_stop_a_rollback() {
        let environment = environment(&["v1", "v2"]);
        let (target, schema) = (release("v1"), preview(Direction::Down, true, 0));
        let request = RollbackRequest {
            target: &target,
            schema: Some(&schema),
            flags: None,
            room_for_a_copy: false,
        };
        let plan = rollback(&environment, &request).unwrap();
        assert!(!has(&plan, "copy the database"));
        assert!(plan.report.iter().any(|line| line.contains("no copy")), "{:?}", plan.report);
    }

    #[test]
    fn checks_are_repeated_only_outside_the_window() {
        let (mut environment, inside) = rollback_plan(None);
        assert!(!has(&inside, "traffic to v2"));
        environment.observed_at += 2.hours();
        let target = release("v1");
        let request =
            RollbackRequest { target: &target, schema: None, flags: None, room_for_a_copy: true };
        let outside = rollback(&environment, &request).unwrap();
        assert!(
            place(&outside, "traffic to v2 100 %, preview of v1")
                < place(&outside, "configuration")
        );
    }

    #[test]
    fn a_target_that_ran_before_goes_on_running_when_the_rollback_fails() {
        let (_, warm) = rollback_plan(None);
        assert_eq!(warm.steps[place(&warm, "run 2")].undo, Undo::Nothing);
        let mut environment = environment(&["v1", "v2"]);
        environment.instances.remove(&ReleaseId::from("v1"));
        let target = release("v1");
        let cold = rollback(
            &environment,
            &RollbackRequest { target: &target, schema: None, flags: None, room_for_a_copy: true },
        );
        assert_ne!(cold.unwrap().steps[0].undo, Undo::Nothing);
    }

    #[test]
    fn refusals() {
        let check = |verified: &[&str], target: &str, gone: u64, expected: &str| {
            let target = release(target);
            let schema = (gone > 0).then(|| preview(Direction::Down, false, gone));
            let request = RollbackRequest {
                target: &target,
                schema: schema.as_ref(),
                flags: None,
                room_for_a_copy: true,
            };
            let refusal = rollback(&environment(verified), &request).unwrap_err();
            assert_eq!(refusal.to_string(), expected);
        };
        check(
            &[],
            "v1",
            0,
            "no earlier release was verified here, so there is nothing to roll back to",
        );
        check(&["v1"], "v1", 0, "v1 is what serves now; there is nothing to roll back");
        check(
            &["v1", "v2", "v4"],
            "v3",
            0,
            "v3 was never verified in this environment; verified are: v1, v2",
        );
        check(
            &["v1", "v2"],
            "v1",
            3,
            "there is no way back from this: 3 values of orders.note would be gone",
        );
    }

    proptest! {
        /// Whatever is asked for, the linter has nothing against the plan.
        #[test]
        fn every_plan_is_sound(
            schema in proptest::option::of(any::<bool>()),
            window in any::<bool>(),
            late in any::<bool>(),
            cold in any::<bool>(),
            resources in 0_usize..3,
        ) {
            let mut environment = environment(&["v1", "v2"]);
            environment.policy.resources = vec![queue(); resources];
            if window {
                environment.traffic.requests = Requests::Maintenance { page: "soon".into() };
            }
            if late {
                environment.observed_at += 2.hours();
            }
            if cold {
                environment.instances.remove(&ReleaseId::from("v1"));
            }
            let schema = schema.map(|breaks| preview(Direction::Down, breaks, 0));
            let target = release("v1");
            let request = RollbackRequest { target: &target, schema: schema.as_ref(), flags: None, room_for_a_copy: true };
            let plan = rollback(&environment, &request).unwrap();
            prop_assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
            prop_assert_eq!(plan.computed_id(), plan.id);
        }
    }
}
