//! The steps of a canary: the new release gets a growing share of the requests while the judge
//! compares it with the old one. Whatever happens, everything goes back to the old one at once,
//! never down the ladder; and if nobody watches any more, the proxy does that by itself.

use crate::analysis::{JudgeMode, JudgePolicy, Need, explain};
use crate::model::ids::Millis;
use crate::model::traffic::WHOLE;
use crate::model::{
    Canary, CanaryStep, Draw, Lease, ReleaseId, Rule, Share, Split, Sticky, TrafficState,
};
use crate::plan::exchange::Exchange;
use crate::plan::refusal::Refusal;
use crate::plan::steps::Steps;
use crate::plan::{Analysis, Effect, Undo, Until};
use std::collections::BTreeMap;

/// The most steps of a canary, so that a plan stays one that a person can read.
const STEPS_MAX: usize = 50;

/// The traffic for which a plan says how long a proof takes.
const USUAL_PER_SECOND: u32 = 100;

/// Whether these steps can be planned.
pub(super) fn sound(canary: &Canary) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::NoSteps { strategy: "canary".to_owned(), why });
    if canary.steps.len() > STEPS_MAX {
        return refuse(format!("{} steps are more than {STEPS_MAX}", canary.steps.len()));
    }
    if canary.lease_ms == 0 {
        return refuse("without a lease nobody would take back what nobody watches".to_owned());
    }
    let mut weight = 0;
    for (number, step) in (1..).zip(&canary.steps) {
        match step {
            CanaryStep::SetWeight(share) if *share == 0 || *share >= WHOLE => {
                return refuse(format!("step {number} sets a weight that is none or everything"));
            }
            CanaryStep::SetWeight(share) => weight = *share,
            CanaryStep::Analysis(_) if weight == 0 => {
                return refuse(format!("step {number} compares before the canary has a weight"));
            }
            CanaryStep::Analysis(0) | CanaryStep::Pause(Some(0)) => {
                return refuse(format!("step {number} takes no time"));
            }
            CanaryStep::Analysis(_) | CanaryStep::Pause(_) | CanaryStep::SetHeaderRoute(_) => {}
        }
    }
    Ok(())
}

/// How many instances the canary needs for its first share.
pub(super) fn first_count(canary: &Canary, instances: u32) -> u32 {
    let first = canary.steps.iter().find_map(|step| match step {
        CanaryStep::SetWeight(share) => Some(*share),
        _ => None,
    });
    count(first.unwrap_or(0), instances)
}

/// As many instances as the share of the requests needs, and at least one.
fn count(share: Share, instances: u32) -> u32 {
    (instances * u32::from(share)).div_ceil(u32::from(WHOLE)).max(1)
}

/// Adds the steps up to the last share below everything, and then all instances.
pub(super) fn climb(
    exchange: &Exchange<'_>,
    stable: &ReleaseId,
    canary: &Canary,
    running: u32,
    steps: &mut Steps<'_>,
) {
    let rules = Vec::new();
    let mut ladder = Ladder { exchange, stable, canary, running, share: 0, rules };
    for step in &canary.steps {
        ladder.step(step, steps);
    }
    exchange.grow(steps, ladder.running, exchange.policy().instances);
}

/// Where on the ladder the planning is.
struct Ladder<'a> {
    exchange: &'a Exchange<'a>,
    stable: &'a ReleaseId,
    canary: &'a Canary,
    running: u32,
    share: Share,
    rules: Vec<Rule>,
}

impl Ladder<'_> {
    fn step(&mut self, step: &CanaryStep, steps: &mut Steps<'_>) {
        match step {
            CanaryStep::SetWeight(share) => {
                let wanted = count(*share, self.exchange.policy().instances);
                self.exchange.grow(steps, self.running, wanted);
                (self.share, self.running) = (*share, self.running.max(wanted));
                self.divide(steps);
            }
            CanaryStep::SetHeaderRoute(when) => {
                let to = self.exchange.to();
                let rule = |when: &_| Rule { when: Clone::clone(when), to: to.clone() };
                self.rules = when.iter().map(rule).collect();
                self.divide(steps);
            }
            CanaryStep::Pause(Some(ms)) => self.compare(Until::Elapsed { ms: *ms }, steps),
            CanaryStep::Pause(None) => {
                let question = format!("go on, now that traffic is {}?", self.state().split);
                self.compare(Until::Promoted { question }, steps);
            }
            CanaryStep::Analysis(ms) => self.compare(Until::Judged { ms_max: *ms }, steps),
        }
    }

    fn divide(&self, steps: &mut Steps<'_>) {
        let divided = self.exchange.traffic(self.state());
        steps.add_reversible(divided, self.exchange.back_at_once());
    }

    fn compare(&self, until: Until, steps: &mut Steps<'_>) {
        let policy = self.exchange.policy();
        let mut judge = self.exchange.judge();
        if self.share == 0 && judge.mode == JudgeMode::Act {
            // Nothing is divided by chance yet, so there is nothing that could be judged.
            judge.mode = JudgeMode::Observe;
        }
        let analysis = Analysis {
            canary: self.exchange.to().clone(),
            stable: self.stable.clone(),
            traffic: self.state(),
            drain_ms_max: policy.drain_ms_max,
            until,
            judge: Box::new(judge),
        };
        steps.add(Effect::Analysis(analysis), Undo::Nothing);
    }

    /// What the proxy does at this share.
    fn state(&self) -> TrafficState {
        let (to, shared) = (self.exchange.to(), self.share > 0);
        let lapse = Split::all_to(self.stable);
        TrafficState {
            split: Split::between(self.stable, to, self.share),
            preview: self.exchange.shown.then(|| to.clone()),
            requests: self.exchange.usual(),
            draw: if shared { self.draw() } else { Draw::Independent },
            rules: self.rules.clone(),
            lease: shared.then_some(Lease { ms: self.canary.lease_ms, lapse }),
            // Whoever jumps back to a smaller share leaves instances that may be stopped.
            limits: if shared {
                BTreeMap::from([(to.clone(), self.running)])
            } else {
                BTreeMap::new()
            },
        }
    }

    fn draw(&self) -> Draw {
        let environment = self.exchange.environment;
        let Some(key) = &self.canary.sticky else { return self.exchange.draw() };
        Draw::Sticky(Sticky {
            canary: self.exchange.to().clone(),
            salt: format!("{}/{}", environment.name, environment.generation.next()),
            key: key.clone(),
        })
    }
}

/// How long the steps take if nothing holds them up.
pub(super) fn takes_ms(canary: &Canary) -> Millis {
    let each = canary.steps.iter().map(|step| match step {
        CanaryStep::Pause(Some(ms)) | CanaryStep::Analysis(ms) => *ms,
        CanaryStep::Pause(None) | CanaryStep::SetWeight(_) | CanaryStep::SetHeaderRoute(_) => 0,
    });
    each.fold(0, Millis::saturating_add)
}

/// The ladder in words.
pub(super) fn report(canary: &Canary, to: &ReleaseId, stable: &ReleaseId) -> String {
    let shares = canary.steps.iter().filter_map(|step| match step {
        CanaryStep::SetWeight(share) => Some(percent(*share)),
        _ => None,
    });
    let shares: Vec<String> = shares.chain(["everything".to_owned()]).collect();
    format!(
        "{to} gets {} of the requests; {stable} goes on serving and takes all of them back at once",
        shares.join(", then ")
    )
}

/// What a good release will need to be proven, so that nobody is surprised by how long it takes;
/// and where requests are too few for the time that there is, what would help.
pub(super) fn foretold(canary: &Canary, judge: &JudgePolicy, to: &ReleaseId) -> Vec<String> {
    let Some((weight, ms_max)) = first_analysis(canary).filter(|_| judge.mode == JudgeMode::Act)
    else {
        return Vec::new();
    };
    let past = judge.before.unwrap_or_default();
    let known = past.per_second();
    let usual = past.usual().unwrap_or(0.0);
    let per_second = known.unwrap_or(f64::from(USUAL_PER_SECOND));
    let Some(need) = Need::beforehand(judge, weight, usual, per_second) else {
        return vec![format!(
            "no number of requests proves {to}: more of them fail as it is than \
             `tolerated_errors` and `promote_ratio` allow for"
        )];
    };
    let requests = explain::thousands(need.requests);
    let without = if usual > 0.0 { "" } else { " without an error" };
    let said =
        format!("an analysis ends well once {to} has answered about {requests} requests{without}");
    let share = percent(weight);
    let Some(ms) = need.ms else {
        return vec![format!(
            "{said}; none came lately, so a person will be asked when the analysis is over"
        )];
    };
    let (rate, time) = (explain::plain(per_second), explain::time(ms));
    if known.is_none() {
        return vec![format!(
            "{said}: at {share} and {rate} requests a second in all that is {time}, with less \
             traffic longer"
        )];
    }
    let mut lines = vec![format!(
        "{said}: at {share} of the {rate} requests a second that come now, in about {time}"
    )];
    lines.extend((ms > ms_max).then(|| low(ms_max)));
    lines
}

/// What is said of too little traffic.
fn low(ms_max: Millis) -> String {
    format!(
        "that is more than the {} of the analysis, so a person will be asked: a larger share, a \
         longer analysis or a larger `tolerated_errors` would help",
        explain::time(ms_max)
    )
}

/// The share of the first analysis, and how long it may take.
fn first_analysis(canary: &Canary) -> Option<(Share, Millis)> {
    let mut weight = None;
    for step in &canary.steps {
        match step {
            CanaryStep::SetWeight(share) => weight = Some(*share),
            CanaryStep::Analysis(ms_max) => return Some((weight?, *ms_max)),
            CanaryStep::Pause(_) | CanaryStep::SetHeaderRoute(_) => {}
        }
    }
    None
}

fn percent(share: Share) -> String {
    match (share / 100, share % 100) {
        (percent, 0) => format!("{percent} %"),
        (percent, rest) => format!("{percent}.{rest:02} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Pair, Past};
    use crate::model::{Environment, Match, Pattern, StickyKey, Strategy};
    use crate::plan::fixture::{
        environment, preview, release, release_with_roles, roles_run, running,
    };
    use crate::plan::{DeployRequest, Plan, RollbackRequest, check, deploy, rollback};
    use crate::schema::{Direction, SchemaPreview};
    use jiff::ToSpan;
    use proptest::prelude::*;

    fn canary(steps: &[CanaryStep]) -> Canary {
        Canary { steps: steps.to_vec(), sticky: None, lease_ms: 10_000 }
    }

    fn usual() -> Vec<CanaryStep> {
        use CanaryStep::{Analysis, Pause, SetWeight};
        vec![SetWeight(500), Pause(Some(60_000)), SetWeight(5_000), Analysis(600_000)]
    }

    fn header() -> Match {
        Match::Header { name: "x-tester".into(), value: Pattern::Present }
    }

    fn place(steps: Canary, instances: u32) -> Environment {
        let mut environment = environment(&["v1"]);
        environment.policy.strategy = Strategy::Canary(steps);
        environment.policy.instances = instances;
        environment
    }

    fn plan(environment: &Environment, schema: Option<&SchemaPreview>) -> Result<Plan, Refusal> {
        let release = release("v2");
        let request =
            DeployRequest { release: &release, schema, flags: None, retry: false, accepted: None };
        deploy(environment, &request)
    }

    fn effects(plan: &Plan) -> Vec<String> {
        plan.steps.iter().map(|step| step.effect.to_string()).collect()
    }

    #[test]
    fn share_by_share() {
        let environment = place(canary(&usual()), 4);
        let schema = preview(Direction::Up, false, 0);
        let plan = plan(&environment, Some(&schema)).unwrap();
        assert_eq!(
            effects(&plan),
            [
                "copy the database as g2-before-v2",
                "migrate up 7 drop_note",
                "run v2",
                "traffic to v1 100 %, preview of v2",
                "verify v2 ready, /health answers 200",
                "traffic to v1 95 %, v2 5 %, 1 of v2 serve, preview of v2",
                "compare v2 with v1 for 60.0 s",
                "run 2 instances of v2",
                "traffic to v1 50 %, v2 50 %, 2 of v2 serve, preview of v2",
                "compare v2 with v1 until it is proven, 10 min at most",
                "run 4 instances of v2",
                "configuration of v2",
                "traffic to v2 100 %, preview of v2",
                "watch v2 for 10.0 s",
                "verify traffic, v2 ready, configuration, schema, data integrity",
            ]
        );
        assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
        assert!(plan.report.iter().any(|line| line.contains("5 %, then 50 %, then everything")));
    }

    /// Whatever was shared, one effect gives all of it back, before anything else is undone.
    #[test]
    fn back_at_once() {
        let plan = plan(&place(canary(&usual()), 4), None).unwrap();
        let shares = plan.steps.iter().filter(|step| {
            matches!(&step.effect, Effect::EnsureTraffic { state, .. } if state.lease.is_some())
        });
        let mut seen = 0;
        for step in shares {
            let Undo::Apply(undo) = &step.undo else { panic!("{step:?}") };
            let undo: Vec<String> = undo.iter().map(ToString::to_string).collect();
            let wanted = ["run 4 instances of v1", "traffic to v1 100 %, preview of v2"];
            assert_eq!(undo, wanted);
            seen += 1;
        }
        assert_eq!(seen, 2);
    }

    #[test]
    fn what_is_shared_has_an_end() {
        let mut canary = canary(&usual());
        canary.sticky = Some(StickyKey::Cookie { name: "who".into() });
        let plan = plan(&place(canary, 2), None).unwrap();
        let states = plan.steps.iter().filter_map(|step| match &step.effect {
            Effect::EnsureTraffic { state, .. } => Some(state),
            _ => None,
        });
        for state in states {
            let shared = state.split.shares().len() > 1;
            let lease = Lease { ms: 10_000, lapse: Split::all_to(&"v1".into()) };
            assert_eq!(state.lease, shared.then_some(lease));
            let salt = match &state.draw {
                Draw::Sticky(sticky) => Some(sticky.salt.as_str()),
                Draw::Independent | Draw::Exact => None,
            };
            assert_eq!(salt, shared.then_some("production/2"));
        }
    }

    #[test]
    fn a_route_holds_until_it_is_taken_away() {
        use CanaryStep::{Pause, SetHeaderRoute, SetWeight};
        let steps =
            [SetHeaderRoute(Some(header())), Pause(None), SetHeaderRoute(None), SetWeight(100)];
        let plan = plan(&place(canary(&steps), 2), None).unwrap();
        let effects = effects(&plan);
        let told: Vec<&String> = effects.iter().skip(3).take(5).collect();
        assert_eq!(
            told,
            [
                "traffic to v1 100 %, header x-tester to v2, preview of v2",
                "ask a person: go on, now that traffic is v1 100 %?",
                "traffic to v1 100 %, preview of v2",
                "traffic to v1 99 %, v2 1 %, 1 of v2 serve, preview of v2",
                "run 2 instances of v2",
            ]
        );
        let looks = plan.steps.iter().find_map(|step| match &step.effect {
            Effect::Analysis(analysis) => Some(analysis.judge.mode),
            _ => None,
        });
        assert_eq!(looks, Some(JudgeMode::Observe), "nothing is divided by chance yet");
    }

    #[test]
    fn instances_in_proportion() {
        let check = |share: Share, instances: u32, expected: u32| {
            assert_eq!(count(share, instances), expected, "{share} of {instances}");
        };
        check(1, 10, 1);
        check(1_000, 10, 1);
        check(1_001, 10, 2);
        check(9_999, 10, 10);
        check(5_000, 1, 1);
    }

    #[test]
    fn refusals() {
        use CanaryStep::{Analysis, Pause, SetWeight};
        let refused = |steps: Canary, expected: &str| {
            let said = plan(&place(steps, 2), None).unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        };
        refused(canary(&[SetWeight(0)]), "step 1 sets a weight that is none or everything");
        refused(canary(&[SetWeight(WHOLE)]), "step 1 sets a weight that is none or everything");
        refused(canary(&[Analysis(5)]), "step 1 compares before the canary has a weight");
        refused(canary(&[SetWeight(1), Pause(Some(0))]), "step 2 takes no time");
        refused(canary(&vec![SetWeight(1); 51]), "51 steps are more than 50");
        refused(Canary { lease_ms: 0, ..canary(&usual()) }, "without a lease");
        let breaking = preview(Direction::Up, true, 0);
        let said = plan(&place(canary(&usual()), 2), Some(&breaking)).unwrap_err().to_string();
        assert_eq!(
            said,
            "v1 would not survive the schema change while it shares the requests with v2, because \
             orders.note goes away; deploy this one with strategy blue-green, which pauses \
             requests, or split the migration"
        );
    }

    /// Nobody shares requests with a release that has died, with nobody, or in a downtime window.
    #[test]
    fn at_once_where_nothing_can_be_shared() {
        let mut dead = place(canary(&usual()), 2);
        for instances in dead.instances.values_mut() {
            instances.ready = 0;
        }
        let mut window = place(canary(&usual()), 2);
        window.traffic.requests = crate::model::Requests::Maintenance { page: "soon".into() };
        let mut first = environment(&[]);
        first.policy.strategy = Strategy::Canary(canary(&usual()));
        for environment in [dead, window, first] {
            let plan = plan(&environment, None).unwrap();
            assert!(!effects(&plan).iter().any(|effect| effect.contains("compare")), "{plan}");
        }
    }

    #[test]
    fn what_is_taken_back_may_stay() {
        let stops = |environment: &Environment, schema: Option<&SchemaPreview>| {
            let plan = plan(environment, schema).unwrap();
            plan.steps.iter().any(|step| match &step.undo {
                Undo::Apply(undo) => undo.iter().any(|effect| effect.to_string() == "stop v2"),
                Undo::Nothing | Undo::Loses(_) => false,
            })
        };
        let mut environment = place(canary(&usual()), 2);
        assert!(stops(&environment, None));
        for keep in [None, Some(30_000)] {
            environment.policy.abort_keep_ms = keep;
            assert!(!stops(&environment, None), "{keep:?}");
            let schema = preview(Direction::Up, false, 0);
            assert!(stops(&environment, Some(&schema)), "{keep:?}: its schema goes away");
        }
    }

    fn any_step() -> impl Strategy2<Value = CanaryStep> {
        prop_oneof![
            4 => (1..WHOLE).prop_map(CanaryStep::SetWeight),
            1 => Just(CanaryStep::Pause(None)),
            2 => (1_u64..100).prop_map(|ms| CanaryStep::Pause(Some(ms))),
            1 => any::<bool>().prop_map(|on| CanaryStep::SetHeaderRoute(on.then(header))),
            1 => (1_u64..100).prop_map(CanaryStep::Analysis),
        ]
    }

    use proptest::strategy::Strategy as Strategy2;

    proptest! {
        /// Whatever the steps are, forth and back, there is a plan that the linter has nothing
        /// against, or a reason why not.
        #[test]
        fn every_plan_is_sound(
            steps in proptest::collection::vec(any_step(), 0..50),
            instances in 1_u32..12,
            keep in any::<bool>(),
            schema in any::<bool>(),
            approve in any::<bool>(),
            back in any::<bool>(),
            cold in any::<bool>(),
        ) {
            let mut environment = place(canary(&steps), instances);
            environment.policy.approve = approve;
            environment.policy.abort_keep_ms = keep.then_some(5);
            roles_run(&mut environment, "v1");
            let (release, result);
            if back {
                let mut before = crate::plan::fixture::environment(&["v1", "v2"]);
                before.policy = environment.policy.clone();
                environment = before;
                roles_run(&mut environment, "v2");
                environment.observed_at += 2.hours();
                if cold {
                    environment.instances.remove(&ReleaseId::from("v1"));
                }
                release = release_with_roles("v1");
                let schema = schema.then(|| preview(Direction::Down, false, 0));
                let request = RollbackRequest {
                    target: &release, schema: schema.as_ref(), flags: None, room_for_a_copy: true,
                };
                result = rollback(&environment, &request);
                prop_assert!(result.is_ok(), "nothing keeps from going back");
            } else {
                release = release_with_roles("v2");
                let schema = schema.then(|| preview(Direction::Up, false, 0));
                let request = DeployRequest {
                    release: &release, schema: schema.as_ref(), flags: None, retry: false, accepted: None,
                };
                result = deploy(&environment, &request);
            }
            if let Ok(plan) = result {
                prop_assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
                let json = serde_json::to_string(&plan).unwrap();
                prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
            } else {
                prop_assert!(sound(&canary(&steps)).is_err());
            }
        }
    }

    #[test]
    fn chance_where_anybody_judges_and_counting_where_nobody_does() {
        let draw = |change: &dyn Fn(&mut JudgePolicy)| {
            let mut environment = place(canary(&usual()), 4);
            change(&mut environment.policy.judge);
            let plan = plan(&environment, None).unwrap();
            plan.steps.iter().find_map(|step| match &step.effect {
                Effect::EnsureTraffic { state, .. } if state.lease.is_some() => {
                    Some(state.draw.clone())
                }
                _ => None,
            })
        };
        assert_eq!(draw(&|_| {}), Some(Draw::Independent));
        assert_eq!(draw(&|judge| judge.mode = JudgeMode::Observe), Some(Draw::Independent));
        assert_eq!(draw(&|judge| judge.mode = JudgeMode::Off), Some(Draw::Exact));
        assert_eq!(draw(&|judge| judge.errors = false), Some(Draw::Independent));
        let nothing = |judge: &mut JudgePolicy| (judge.errors, judge.latency) = (false, false);
        assert_eq!(draw(&nothing), Some(Draw::Exact));
    }

    #[test]
    fn how_long_a_proof_takes_is_foretold() {
        let check = |past: Option<(u64, u64)>, judge: JudgePolicy, expected: &str| {
            let past = past.map(|(events, total)| {
                let all = Pair { events, total };
                Past { all, lately: all, lately_ms: 100_000 }
            });
            let steps = canary(&[CanaryStep::SetWeight(500), CanaryStep::Analysis(600_000)]);
            let judge = JudgePolicy { before: past, ..judge };
            assert_eq!(foretold(&steps, &judge, &"v2".into()).join("\n"), expected);
        };
        let usual = JudgePolicy::default;
        check(
            None,
            usual(),
            "an analysis ends well once v2 has answered about 619 requests without an error: at \
             5 % and 100 requests a second in all that is 2 min, with less traffic longer",
        );
        check(
            Some((0, 3_700)),
            usual(),
            "an analysis ends well once v2 has answered about 619 requests without an error: at \
             5 % of the 37 requests a second that come now, in about 6 min",
        );
        check(
            Some((0, 300)),
            usual(),
            "an analysis ends well once v2 has answered about 619 requests without an error: at \
             5 % of the 3.0 requests a second that come now, in about 69 min\nthat is more than \
             the 10 min of the analysis, so a person will be asked: a larger share, a longer \
             analysis or a larger `tolerated_errors` would help",
        );
        check(
            Some((0, 0)),
            usual(),
            "an analysis ends well once v2 has answered about 619 requests without an error; none \
             came lately, so a person will be asked when the analysis is over",
        );
        check(None, JudgePolicy { mode: JudgeMode::Off, ..usual() }, "");
    }
}
