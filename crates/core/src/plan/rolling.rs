//! The steps of a rolling update: a few instances of the new release start, get their part of the
//! requests, and only then as many of the old one stop. Whoever serves is never fewer than asked
//! for, on the way forth and on the way back.

use crate::model::ids::Millis;
use crate::model::traffic::WHOLE;
use crate::model::{Lease, ReleaseId, Rolling, Share, Split, TrafficState};
use crate::plan::exchange::Exchange;
use crate::plan::refusal::Refusal;
use crate::plan::steps::Steps;
use crate::plan::{Analysis, Effect, Undo, Until};
use std::collections::BTreeMap;

/// The most batches: each has four steps, and a plan has two hundred at most.
const BATCHES_MAX: u32 = 40;

/// Whether this can be planned.
pub(super) fn sound(rolling: &Rolling, instances: u32) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::NoSteps { strategy: "rolling".to_owned(), why });
    if rolling.batch == 0 {
        return refuse("a batch of none never ends".to_owned());
    }
    if rolling.lease_ms == 0 {
        return refuse("without a lease nobody would notice that nobody watches".to_owned());
    }
    let batches = instances.div_ceil(rolling.batch);
    if batches > BATCHES_MAX {
        return refuse(format!("{batches} batches are more than {BATCHES_MAX}"));
    }
    Ok(())
}

/// How many instances start first: a batch, and whatever the old release lacks.
pub(super) fn first_count(rolling: &Rolling, asked: u32, left: u32) -> u32 {
    rolling.batch.max(asked.saturating_sub(left)).min(asked)
}

/// Adds the batches up to where all instances of the new release run beside the last of the old.
pub(super) fn roll(
    exchange: &Exchange<'_>,
    old: &ReleaseId,
    rolling: &Rolling,
    running: u32,
    steps: &mut Steps<'_>,
) {
    let asked = exchange.policy().instances;
    let mut left = exchange.running(old);
    let mut new = running;
    while new < asked {
        let keep = left.min(asked - new);
        let batch = Batch { exchange, old, rolling, new, keep };
        let divided = exchange.traffic(batch.state());
        steps.add_reversible(divided, exchange.back_at_once());
        if keep < left {
            let fewer = Effect::EnsureInstances { release: old.clone(), count: keep };
            steps.add_reversible(fewer, exchange.back_at_once());
            left = keep;
        }
        batch.watch(steps);
        let next = asked.min(new.saturating_add(rolling.batch));
        exchange.grow(steps, new, next);
        new = next;
    }
}

/// What one exchange of a few instances comes to.
struct Batch<'a> {
    exchange: &'a Exchange<'a>,
    old: &'a ReleaseId,
    rolling: &'a Rolling,
    /// How many instances of the new release serve.
    new: u32,
    /// How many of the old one still do.
    keep: u32,
}

impl Batch<'_> {
    fn watch(&self, steps: &mut Steps<'_>) {
        if self.rolling.pause_ms == 0 {
            return;
        }
        let policy = self.exchange.policy();
        let analysis = Analysis {
            canary: self.exchange.to().clone(),
            stable: self.old.clone(),
            traffic: self.state(),
            drain_ms_max: policy.drain_ms_max,
            until: Until::Elapsed { ms: self.rolling.pause_ms },
            judge: Box::new(self.exchange.judge()),
        };
        steps.add(Effect::Analysis(analysis), Undo::Nothing);
    }

    /// Requests in proportion to who serves. An instance beyond the limits gets none any more, so
    /// that it can be stopped.
    fn state(&self) -> TrafficState {
        let (old, to) = (self.old, self.exchange.to());
        // The old release takes over alone only what its instances can bear.
        let missing = self.exchange.policy().instances.saturating_sub(self.keep);
        let lapse = Split::between(old, to, share(missing, self.keep));
        TrafficState {
            split: Split::between(old, to, share(self.new, self.keep)),
            preview: self.exchange.shown.then(|| to.clone()),
            requests: self.exchange.usual(),
            draw: self.exchange.draw(),
            lease: Some(Lease { ms: self.rolling.lease_ms, lapse }),
            limits: BTreeMap::from([(old.clone(), self.keep), (to.clone(), self.new)]),
            ..TrafficState::default()
        }
    }
}

/// The share of the new instances among all.
fn share(new: u32, old: u32) -> Share {
    let whole = u64::from(WHOLE);
    let all = u64::from(new) + u64::from(old);
    let share = (whole * u64::from(new)).checked_div(all).unwrap_or(whole);
    Share::try_from(share).unwrap_or(WHOLE)
}

/// How long the watching takes.
pub(super) fn takes_ms(rolling: &Rolling, instances: u32) -> Millis {
    let batches = instances.div_ceil(rolling.batch.max(1)).saturating_sub(1);
    rolling.pause_ms.saturating_mul(Millis::from(batches))
}

/// The batches in words.
pub(super) fn report(rolling: &Rolling, to: &ReleaseId, old: &ReleaseId) -> String {
    let batch = match rolling.batch {
        1 => "one instance".to_owned(),
        batch => format!("{batch} instances"),
    };
    format!("{batch} of {to} at a time start and take over before as many of {old} stop")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Environment, Instances, Strategy};
    use crate::plan::fixture::{
        environment, preview, release, release_with_roles, roles_run, running,
    };
    use crate::plan::{DeployRequest, Plan, RollbackRequest, check, deploy, rollback};
    use crate::schema::Direction;
    use jiff::ToSpan;
    use proptest::prelude::*;

    fn place(verified: &[&str], rolling: Rolling, instances: u32) -> Environment {
        let mut environment = environment(verified);
        for running in environment.instances.values_mut() {
            *running = Instances { wanted: instances, ready: instances };
        }
        environment.policy.strategy = Strategy::Rolling(rolling);
        environment.policy.instances = instances;
        environment
    }

    fn rolling(batch: u32) -> Rolling {
        Rolling { batch, pause_ms: 1_000, lease_ms: 5_000 }
    }

    fn forth(environment: &Environment) -> Result<Plan, Refusal> {
        let release = release("v2");
        let request = DeployRequest {
            release: &release,
            schema: None,
            flags: None,
            retry: false,
            accepted: None,
        };
        deploy(environment, &request)
    }

    fn back(environment: &Environment) -> Plan {
        let release = release("v1");
        let request =
            RollbackRequest { target: &release, schema: None, flags: None, room_for_a_copy: true };
        rollback(environment, &request).unwrap()
    }

    fn effects(plan: &Plan) -> Vec<String> {
        plan.steps.iter().map(|step| step.effect.to_string()).collect()
    }

    #[test]
    fn batch_by_batch() {
        let environment = place(&["v1"], rolling(2), 3);
        let plan = forth(&environment).unwrap();
        assert_eq!(
            effects(&plan)[..8],
            [
                "run 2 instances of v2",
                "traffic to v1 100 %, preview of v2",
                "verify v2 ready, /health answers 200",
                "traffic to v1 33.34 %, v2 66.66 %, 1 of v1 serve, 2 of v2 serve, preview of v2",
                "run v1",
                "compare v2 with v1 for 1.0 s",
                "run 3 instances of v2",
                "configuration of v2",
            ]
        );
        assert_eq!(plan.steps.last().map(|step| step.effect.to_string()), Some("stop v1".into()));
        assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
    }

    /// Nobody serves with less than was asked for: not while the old release comes back, either.
    #[test]
    fn back_with_all_instances() {
        let plan = forth(&place(&["v1"], rolling(1), 3)).unwrap();
        let undo_of = |effect: &str| {
            let step = plan.steps.iter().find(|step| step.effect.to_string() == effect);
            let Some(Undo::Apply(undo)) = step.map(|step| &step.undo) else { panic!("{effect}") };
            undo.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let at_once = ["run 3 instances of v1", "traffic to v1 100 %, preview of v2"];
        assert_eq!(undo_of("run 2 instances of v1"), at_once);
        assert_eq!(undo_of("run 3 instances of v2")[..2], at_once);
        assert_eq!(undo_of("run 3 instances of v2")[2], "run 2 instances of v2");
    }

    #[test]
    fn a_lapse_leaves_the_old_release_what_it_can_bear() {
        let plan = forth(&place(&["v1"], rolling(1), 4)).unwrap();
        let lapses: Vec<String> = plan
            .steps
            .iter()
            .filter_map(|step| match &step.effect {
                Effect::EnsureTraffic { state, .. } => state.lease.as_ref(),
                _ => None,
            })
            .map(|lease| lease.lapse.to_string())
            .collect();
        let expected = ["v1 75 %, v2 25 %", "v1 50 %, v2 50 %", "v1 25 %, v2 75 %"];
        assert_eq!(lapses, expected);
    }

    #[test]
    fn the_way_back_of_a_finished_release() {
        let mut environment = place(&["v1", "v2"], rolling(1), 2);
        let says = |environment: &Environment, what: &str| {
            effects(&back(environment)).iter().any(|effect| effect.contains(what))
        };
        assert!(!says(&environment, "serve"), "warm and inside its window: at once");
        environment.instances.remove(&ReleaseId::from("v1"));
        assert!(says(&environment, "1 of v1 serve"), "cold: instance by instance");
        assert!(!says(&environment, "compare") && !says(&environment, "verify v1 ready"));
        environment.observed_at += 2.hours();
        assert!(says(&environment, "compare v1 with v2") && says(&environment, "verify v1 ready"));
    }

    #[test]
    fn refusals() {
        let refused = |rolling: Rolling, instances: u32, expected: &str| {
            let said = forth(&place(&["v1"], rolling, instances)).unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        };
        refused(rolling(0), 2, "a batch of none never ends");
        refused(rolling(1), 41, "41 batches are more than 40");
        refused(Rolling { lease_ms: 0, ..rolling(1) }, 2, "without a lease");
        let environment = place(&["v1"], rolling(1), 2);
        let (release, schema) = (release("v2"), preview(Direction::Up, true, 0));
        let request = DeployRequest {
            release: &release,
            schema: Some(&schema),
            flags: None,
            retry: false,
            accepted: None,
        };
        let refusal = deploy(&environment, &request).unwrap_err();
        assert!(matches!(refusal, Refusal::WouldNotSurvive { .. }), "{refusal}");
    }

    #[test]
    fn a_rollback_that_does_not_fit_is_not_refused() {
        let environment = place(&["v1", "v2"], rolling(1), 2);
        let (release, schema) = (release("v1"), preview(Direction::Down, true, 0));
        let request = RollbackRequest {
            target: &release,
            schema: Some(&schema),
            flags: None,
            room_for_a_copy: true,
        };
        let plan = rollback(&environment, &request).unwrap();
        assert!(effects(&plan).iter().any(|effect| effect.starts_with("requests wait")));
    }

    proptest! {
        #[test]
        fn every_plan_is_sound(
            batch in 1_u32..5,
            instances in 1_u32..9,
            runs in 1_u32..9,
            pause_ms in 0_u64..2,
            roles in any::<bool>(),
            keep in any::<bool>(),
            ways in any::<[bool; 3]>(),
        ) {
            let [forth, cold, late] = ways;
            let rolling = Rolling { batch, pause_ms, lease_ms: 5_000 };
            let verified: &[&str] = if forth { &["v1"] } else { &["v1", "v2"] };
            let mut environment = place(verified, rolling, instances);
            environment.policy.abort_keep_ms = keep.then_some(5);
            let live = environment.history.live().unwrap().clone();
            environment.instances.insert(live.clone(), Instances { wanted: runs, ready: runs });
            if roles {
                roles_run(&mut environment, live.as_str());
            }
            if cold && !forth {
                environment.instances.remove(&ReleaseId::from("v1"));
            }
            if late {
                environment.observed_at += 2.hours();
            }
            let target = release_with_roles(if forth { "v2" } else { "v1" });
            let plan = if forth {
                let request =
                    DeployRequest { release: &target, schema: None, flags: None, retry: false, accepted: None };
                deploy(&environment, &request).unwrap()
            } else {
                let request =
                    RollbackRequest { target: &target, schema: None, flags: None, room_for_a_copy: true };
                rollback(&environment, &request).unwrap()
            };
            prop_assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
        }
    }
}
