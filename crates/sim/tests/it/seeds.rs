//! Chance: many faults of many kinds in one run, until every kind has struck every kind of step
//! often. A failure prints its seed, which is all that is needed to see it again.

use crate::sweep::run;
use ripcord_sim::{Fault, Operator, Rest, Schedule, StepKind, journeys};
use std::collections::BTreeMap;

/// How often each fault must have struck each kind of step.
const HITS_MIN: u32 = 100;

/// At least so many runs, however soon everything was hit.
const RUNS_MIN: u32 = 20_000;

/// More seeds than are needed.
const SEEDS_MAX: u64 = 60_000;

/// How much goes wrong in one run.
const FAULTS: u32 = 5;

type Coverage = BTreeMap<(StepKind, Fault), u32>;

fn missing(coverage: &Coverage) -> Vec<(StepKind, Fault)> {
    use StepKind::{
        Analysis, Approve, Backup, Bake, Config, Flags, Instances, Resource, Role, Schema, Traffic,
        Verify,
    };
    let steps = [
        Backup, Schema, Config, Instances, Role, Traffic, Flags, Resource, Bake, Analysis, Verify,
        Approve,
    ];
    let mut wanted = Vec::new();
    for step in steps {
        wanted.extend(Fault::ANYTIME.map(|fault| (step, fault)));
        let calls = !matches!(step, Bake | Analysis | Approve);
        if calls {
            wanted.extend(Fault::IN_CALLS.map(|fault| (step, fault)));
        }
    }
    wanted.retain(|pair| coverage.get(pair).copied().unwrap_or(0) < HITS_MIN);
    wanted
}

#[test]
fn by_chance() {
    let journeys: Vec<_> =
        journeys().into_iter().map(|journey| (journey.begun(), journey)).collect();
    let mut coverage = Coverage::new();
    let mut runs = 0;
    for seed in 0..SEEDS_MAX {
        for (begun, journey) in &journeys {
            let operator =
                Operator { aborts_after_restart: seed.is_multiple_of(7), ..journey.operator };
            let wanted = missing(&coverage);
            let aim =
                usize::try_from(seed).ok().and_then(|seed| wanted.get(seed % wanted.len().max(1)));
            let schedule = Schedule::by_chance(seed, FAULTS, 30).aimed(aim.copied());
            let done = run(begun, schedule, operator);
            let told = done.told(journey.name);
            assert!(
                told.is_none(),
                "seed {seed}\n{}\n{}",
                told.unwrap_or_default(),
                done.state.story()
            );
            assert!(matches!(done.rest, Rest::Over(_)), "seed {seed}: {:?}", done.rest);
            for struck in done.state.struck() {
                *coverage.entry((struck.moment.kind, struck.fault)).or_default() += 1;
            }
            runs += 1;
        }
        if runs >= RUNS_MIN && missing(&coverage).is_empty() {
            return;
        }
    }
    panic!(
        "after {runs} runs these were hit fewer than {HITS_MIN} times: {:?}",
        missing(&coverage)
    );
}
