//! Planning a rollback from a finished release to an earlier verified one. Users come first:
//! where the earlier release works on the schema as it is, traffic moves before anything else.

use crate::model::{Environment, Release, ReleaseId, Requests, Split, TrafficState};
use crate::plan::deploy::change_id;
use crate::plan::refusal::Refusal;
use crate::plan::steps::Steps;
use crate::plan::{Effect, Forecast, Intent, Plan, ResourceState, Undo, VerifyCheck};
use crate::schema::{SchemaChange, SchemaPreview, Wanted};

/// What is wanted, and what was found out about it.
#[derive(Debug, Clone)]
pub struct RollbackRequest<'a> {
    /// The release to return to.
    pub target: &'a Release,
    /// What taking back the later migrations would do; none when there are none.
    pub schema: Option<&'a SchemaPreview>,
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
    let breaks = request.schema.map(SchemaPreview::breaks_old_code).unwrap_or_default();
    let served = !matches!(environment.traffic.requests, Requests::Maintenance { .. });
    let back = Back { environment, request, from, must_hold: !breaks.is_empty() && served };

    let mut steps = Steps::new(&environment.policy);
    back.start(&mut steps);
    back.flags(&mut steps);
    if back.must_hold {
        back.backup(&mut steps);
        back.hold(&mut steps);
        back.change_schema(&mut steps);
        back.config(&mut steps);
        back.move_traffic(&mut steps);
    } else {
        back.move_traffic(&mut steps);
        back.config(&mut steps);
        back.backup(&mut steps);
        back.change_schema(&mut steps);
    }
    back.finish(&mut steps);

    let mut plan = Plan {
        format: Plan::FORMAT,
        id: "".into(),
        environment: environment.name.clone(),
        based_on: environment.generation,
        intent: Intent::Rollback,
        from: Some(from.clone()),
        to: request.target.id.clone(),
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

struct Back<'a> {
    environment: &'a Environment,
    request: &'a RollbackRequest<'a>,
    from: &'a ReleaseId,
    must_hold: bool,
}

impl Back<'_> {
    /// The target runs, and shows again that it can where its window is over.
    fn start(&self, steps: &mut Steps<'_>) {
        let policy = &self.environment.policy;
        let was_running = self.environment.instances.get(self.to()).is_some_and(|i| i.wanted > 0);
        let instances = |count| Effect::EnsureInstances { release: self.to().clone(), count };
        let undo = if was_running { Undo::Nothing } else { Undo::Apply(vec![instances(0)]) };
        steps.add(instances(policy.instances), undo);
        if self.inside_window() || policy.checks.is_empty() {
            return;
        }
        steps.add_reversible(
            self.traffic(self.from, Some(self.to()), self.usual()),
            vec![self.traffic(self.from, None, self.usual())],
        );
        let checks = policy
            .checks
            .iter()
            .map(|check| VerifyCheck::Preview { check: check.clone(), release: self.to().clone() });
        steps.add(Effect::Verify { checks: checks.collect() }, Undo::Nothing);
    }

    fn flags(&self, steps: &mut Steps<'_>) {
        let document = &self.request.target.flags.document;
        if document != &self.environment.flags {
            steps.add_reversible(
                Effect::EnsureFlags { document: document.clone() },
                vec![Effect::EnsureFlags { document: self.environment.flags.clone() }],
            );
        }
    }

    fn backup(&self, steps: &mut Steps<'_>) {
        if self.request.schema.is_some() && self.request.room_for_a_copy {
            let generation = self.environment.generation.next();
            let name = format!("g{generation}-before-return-to-{}", self.to());
            steps.add(Effect::EnsureBackup { name }, Undo::Nothing);
        }
    }

    fn hold(&self, steps: &mut Steps<'_>) {
        let held = Requests::Held(self.environment.policy.hold);
        steps.add_reversible(
            self.traffic(self.from, None, held),
            vec![self.left_release_runs(), self.traffic(self.from, None, self.usual())],
        );
    }

    fn change_schema(&self, steps: &mut Steps<'_>) {
        let Some(preview) = self.request.schema else { return };
        let change = SchemaChange {
            id: change_id(self.environment, steps.next_id()),
            direction: preview.direction,
            scripts: preview.scripts.clone(),
            from: preview.from.clone(),
            to: preview.to.clone(),
            gone_max: 0,
        };
        let ensure = |wanted| Effect::EnsureSchema { change: change.clone(), wanted };
        steps.add_reversible(ensure(Wanted::Made), vec![ensure(Wanted::Unmade)]);
    }

    fn config(&self, steps: &mut Steps<'_>) {
        steps.add_reversible(
            Effect::EnsureConfig { release: Some(self.to().clone()) },
            vec![Effect::EnsureConfig { release: self.environment.config.clone() }],
        );
    }

    fn move_traffic(&self, steps: &mut Steps<'_>) {
        let requests = if self.must_hold {
            Requests::Held(self.environment.policy.hold)
        } else {
            self.usual()
        };
        steps.add_reversible(
            self.traffic(self.to(), None, self.usual()),
            vec![self.left_release_runs(), self.traffic(self.from, None, requests)],
        );
    }

    /// Infrastructure returns, everything is verified, and the release that was left stops.
    fn finish(&self, steps: &mut Steps<'_>) {
        let policy = &self.environment.policy;
        for resource in policy.resources.iter().rev() {
            let ensure = |state| Effect::EnsureResource {
                resource: resource.clone(),
                release: self.from.clone(),
                state,
            };
            let undo = vec![ensure(ResourceState::Applied)];
            steps.add_reversible(ensure(ResourceState::Reverted), undo);
        }
        let mut checks = vec![
            VerifyCheck::Traffic { state: state(self.to(), None, self.usual()) },
            VerifyCheck::Ready { release: self.to().clone(), count: policy.instances },
            VerifyCheck::Config { release: self.to().clone() },
            VerifyCheck::Flags { document: self.request.target.flags.document.clone() },
        ];
        if let Some(state) = &self.environment.schema {
            let digest = self.request.schema.map_or(&state.digest, |schema| &schema.to).clone();
            checks.extend([VerifyCheck::Schema { digest }, VerifyCheck::Integrity]);
        }
        steps.add(Effect::Verify { checks }, Undo::Nothing);
        steps.add_reversible(
            Effect::EnsureInstances { release: self.from.clone(), count: 0 },
            vec![self.left_release_runs()],
        );
    }

    fn left_release_runs(&self) -> Effect {
        let count = self.environment.policy.instances;
        Effect::EnsureInstances { release: self.from.clone(), count }
    }

    fn traffic(&self, to: &ReleaseId, preview: Option<&ReleaseId>, requests: Requests) -> Effect {
        let drain_ms_max = self.environment.policy.drain_ms_max;
        Effect::EnsureTraffic { state: state(to, preview, requests), drain_ms_max }
    }

    /// What requests do before and after: flow, or see the page of an open downtime window.
    fn usual(&self) -> Requests {
        match &self.environment.traffic.requests {
            page @ Requests::Maintenance { .. } => page.clone(),
            Requests::Flowing | Requests::Held(_) => Requests::Flowing,
        }
    }

    /// Whether the target served recently enough to need no checks again.
    fn inside_window(&self) -> bool {
        let verified = &self.environment.history.verified;
        let served = verified.iter().rev().find(|verified| &verified.release == self.to());
        let Some(replaced_at) = served.and_then(|verified| verified.replaced_at) else {
            return false;
        };
        let age = self.environment.observed_at.duration_since(replaced_at).as_millis();
        age <= i128::from(self.environment.policy.rollback_window_ms)
    }

    fn forecast(&self) -> Forecast {
        let mut forecast = Forecast::without_schema(self.environment.observed_at);
        if let Some(schema) = self.request.schema {
            forecast.add_schema(&schema.forecast);
        }
        forecast.does_not_come_back.clone_from(&self.environment.policy.does_not_come_back);
        forecast.notice_ms_max = if self.must_hold { forecast.takes_ms + 100 } else { 0 };
        forecast.takes_ms += 500;
        forecast
    }

    fn report(&self, breaks: &[String]) -> Vec<String> {
        let mut report = vec![match (self.request.schema, self.must_hold) {
            (None, _) => format!("{} runs on the schema as it is: traffic goes first", self.to()),
            (Some(_), false) => format!(
                "{} works on the schema as it is: traffic goes first, the schema follows",
                self.to()
            ),
            (Some(_), true) => format!(
                "{} does not work on the schema as it is, so requests wait while it is taken back",
                self.to()
            ),
        }];
        report.extend(breaks.iter().map(|why| format!("because {why}")));
        if self.request.schema.is_some() && !self.request.room_for_a_copy {
            report.push(
                "no copy of the database is made, since the disk has no room for it; what is \
                 removed is kept within the database"
                    .to_owned(),
            );
        }
        let window = if self.inside_window() { "inside" } else { "outside" };
        report.push(format!("{} is {window} its rollback window", self.to()));
        report
    }

    fn to(&self) -> &ReleaseId {
        &self.request.target.id
    }
}

fn state(to: &ReleaseId, preview: Option<&ReleaseId>, requests: Requests) -> TrafficState {
    TrafficState::of(Split::all_to(to), preview.cloned(), requests)
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
        assert!(place(&plan, "flags") < place(&plan, "traffic to v1"));
        assert!(place(&plan, "traffic to v1") < place(&plan, "configuration"));
        assert!(place(&plan, "traffic to v1") < place(&plan, "copy the database"));
        assert!(place(&plan, "traffic to v1") < place(&plan, "migrate down"));
        assert_eq!(plan.steps.len() - 1, place(&plan, "stop v2"));
        assert!(!has(&plan, "requests wait"));
    }

    #[test]
    fn requests_wait_where_it_does_not() {
        let (_, plan) = rollback_plan(Some(&preview(Direction::Down, true, 0)));
        assert!(place(&plan, "copy the database") < place(&plan, "requests wait"));
        assert!(place(&plan, "requests wait") < place(&plan, "migrate down"));
        assert!(place(&plan, "migrate down") < place(&plan, "traffic to v1"));
        assert!(plan.forecast.notice_ms_max > 0);
    }

    #[test]
    fn a_full_disk_does_not_stop_a_rollback() {
        let environment = environment(&["v1", "v2"]);
        let (target, schema) = (release("v1"), preview(Direction::Down, true, 0));
        let request =
            RollbackRequest { target: &target, schema: Some(&schema), room_for_a_copy: false };
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
        let request = RollbackRequest { target: &target, schema: None, room_for_a_copy: true };
        let outside = rollback(&environment, &request).unwrap();
        assert!(place(&outside, "traffic to v2 100 %, preview of v1") < place(&outside, "flags"));
    }

    #[test]
    fn a_target_that_ran_before_goes_on_running_when_the_rollback_fails() {
        let (_, warm) = rollback_plan(None);
        assert_eq!(warm.steps[0].undo, Undo::Nothing);
        let mut environment = environment(&["v1", "v2"]);
        environment.instances.remove(&ReleaseId::from("v1"));
        let target = release("v1");
        let cold = rollback(
            &environment,
            &RollbackRequest { target: &target, schema: None, room_for_a_copy: true },
        );
        assert_ne!(cold.unwrap().steps[0].undo, Undo::Nothing);
    }

    #[test]
    fn refusals() {
        let check = |verified: &[&str], target: &str, gone: u64, expected: &str| {
            let target = release(target);
            let schema = (gone > 0).then(|| preview(Direction::Down, false, gone));
            let request =
                RollbackRequest { target: &target, schema: schema.as_ref(), room_for_a_copy: true };
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
            let request = RollbackRequest { target: &target, schema: schema.as_ref(), room_for_a_copy: true };
            let plan = rollback(&environment, &request).unwrap();
            prop_assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
            prop_assert_eq!(plan.computed_id(), plan.id);
        }
    }
}
