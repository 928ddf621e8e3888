//! The judge under test, used as the product uses it: ticks and samples in, assessments out.
//!
//! Nothing of the judge is done over again here. What this adds is only how a simulated request
//! becomes a tick.

use crate::bench::answers::Answer;
use crate::bench::stream::{RATE, Step, Tally};
use ripcord_core::analysis::{ArmCounts, Judge, JudgePolicy, Reference, Sample, Tick, Verdict};
use ripcord_core::model::ids::ReleaseId;

/// A judge that has seen nothing yet, and what becomes of it.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    judge: Judge,
}

/// The policy of all bars: errors alone, no tolerance, one percent.
pub(crate) fn errors_only() -> JudgePolicy {
    JudgePolicy { tolerated_ratio_thousandths: 1_000, latency: false, ..JudgePolicy::default() }
}

/// The same for latency alone, without a burn-in, since these streams have no warm-up.
pub(crate) fn latency_only() -> JudgePolicy {
    JudgePolicy {
        errors: false,
        latency_tolerance_ppm: 0,
        burn_in_ms: 0,
        burn_in_requests: 0,
        ..JudgePolicy::default()
    }
}

impl Subject {
    /// A judge with this policy.
    pub(crate) fn new(policy: &JudgePolicy, reference: Option<&Reference>) -> Subject {
        let [canary, stable] = ["v2", "v1"].map(|name| ReleaseId(name.to_owned()));
        let mut judge = Judge::new(policy, &canary, &stable);
        if let Some(reference) = reference {
            judge.refer(reference);
        }
        Subject { judge }
    }

    /// Shows it a step, as one tick.
    pub(crate) fn step(&mut self, step: &Step) {
        self.tick(&Tick {
            at_ms: at_ms(step.at),
            weight: step.weight,
            canary: counts(step.canary),
            stable: counts(step.stable),
        });
    }

    /// Shows it a tick.
    pub(crate) fn tick(&mut self, tick: &Tick) {
        self.judge.tick(tick).expect("a simulated tick is a possible one");
    }

    /// Shows it what was read from outside.
    pub(crate) fn sample(&mut self, sample: &Sample) {
        self.judge.sample(sample);
    }

    /// Whether it takes the release back now. The cheap look comes first; what it finds must then
    /// be what the product is told.
    pub(crate) fn goes_back(&self, at: u64) -> bool {
        self.judge.gone() && self.is_told_to_go_back(at)
    }

    /// Whether the product is told to take the release back.
    fn is_told_to_go_back(&self, at: u64) -> bool {
        matches!(self.judge.assess(at_ms(at)).verdict, Verdict::GoBack { .. })
    }

    /// Whether it says that it cannot tell.
    pub(crate) fn is_undecided(&self, at: u64) -> bool {
        matches!(self.judge.assess(at_ms(at)).verdict, Verdict::Undecided { .. })
    }

    /// Whether it would let the release proceed.
    pub(crate) fn promotes(&self, at: u64) -> bool {
        let now_ms = at_ms(at);
        self.judge.promotable(now_ms) && self.judge.assess(now_ms).promotable
    }

    /// Runs through a stream, with a look after every error, since nothing else moves the evidence:
    /// the number of requests after which the release was taken back.
    pub(crate) fn watch(mut self, steps: impl Iterator<Item = Step>) -> Option<u64> {
        self.watch_on(steps)
    }

    /// The same, after which it can still be asked.
    pub(crate) fn watch_on(&mut self, mut steps: impl Iterator<Item = Step>) -> Option<u64> {
        let end = steps.find(|step| {
            self.step(step);
            step.failed() && self.goes_back(step.at)
        });
        end.map(|step| step.at)
    }

    /// Runs through up to `most` answers that carry how long they took: the number of the one after
    /// which the release was taken back.
    ///
    /// That is a look after each, without the cost of it. Whatever an alternative says, one request
    /// multiplies the evidence by at most 1/w if the canary answered, and 1/(1-w) if stable did.
    /// While that cannot reach the boundary, nobody needs to look, and ticks may be merged. (Where
    /// something begins at a time, as a burn-in ends, it begins with the block that reaches it.)
    pub(crate) fn listen(
        mut self,
        weight: u16,
        most: u64,
        mut next: impl FnMut(u64) -> Answer,
    ) -> Option<u64> {
        let share = f64::from(weight) / 10_000.0;
        let (by_canary, by_stable) = (-libm::log(share), -libm::log(1.0 - share));
        let (mut room, mut block) = (0.0, Block::new(weight));
        for at in 1..=most {
            let answer = next(at);
            block.add(answer);
            room -= if answer.canary { by_canary } else { by_stable };
            if room <= 0.0 {
                let tick = block.take(at_ms(at));
                self.tick(&tick);
                if self.goes_back(at) {
                    return Some(at);
                }
                // A hair less than there is, so that rounding never hides a crossing.
                room = BOUNDARY_LOG - libm::log(self.judge.evidence().max(1e-300)) - 1e-6;
            }
        }
        None
    }
}

/// The logarithm of the lowest evidence that takes a release back: 1/alpha, if nothing else is set.
const BOUNDARY_LOG: f64 = 4.605_170_185;

/// Answers that become one tick: the buckets of stable's and of the canary's, as they came.
#[derive(Debug)]
struct Block {
    weight: u16,
    arms: [Vec<u16>; 2],
}

impl Block {
    fn new(weight: u16) -> Block {
        Block { weight, arms: [Vec::new(), Vec::new()] }
    }

    fn add(&mut self, answer: Answer) {
        self.arms[usize::from(answer.canary)].push(answer.bucket);
    }

    /// All answers so far, which are forgotten here.
    fn take(&mut self, at_ms: u64) -> Tick {
        let [stable, canary] = self.arms.each_mut().map(|arm| {
            arm.sort_unstable();
            let same = arm.chunk_by(|one, other| one == other);
            let latency = same.map(|group| (group[0], group.len() as u64)).collect();
            let requests = arm.len() as u64;
            arm.clear();
            ArmCounts { requests, errors: 0, latency }
        });
        Tick { at_ms, weight: self.weight, canary, stable }
    }
}

/// When a request of this number was answered.
pub(crate) fn at_ms(at: u64) -> u64 {
    at * 1_000 / RATE
}

fn counts(tally: Tally) -> ArmCounts {
    ArmCounts { requests: tally.requests, errors: tally.errors, latency: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::answers::{Answers, reference};
    use crate::bench::random::Random;
    use crate::bench::stream::{Stream, steady};

    /// The cheap look and what the product is told are the same at every step.
    #[test]
    fn the_cheap_look_tells_the_truth() {
        let segments = steady(60_000, 1_000, 0.01, 0.03);
        let mut subject = Subject::new(&errors_only(), None);
        let mut found = false;
        for step in Stream::new(&segments, 1) {
            subject.step(&step);
            let told = subject.is_told_to_go_back(step.at);
            assert_eq!(subject.judge.gone(), told, "after {} requests", step.at);
            found |= told;
        }
        assert!(found, "three times the errors were not found in 60,000 requests");
    }

    /// Looking only when the boundary is in reach finds the same as looking after each request.
    #[test]
    fn merged_looks_miss_nothing() {
        let answers = Answers::new(1_000, 1.5);
        let judge = Subject::new(&latency_only(), Some(&reference()));
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let merged = judge.clone().listen(1_000, 5_000, |_| answers.next(&mut random));
            let (mut random, mut each) = (Random::new(seed), judge.clone());
            let mut block = Block::new(1_000);
            let one_by_one = (1..=5_000).find(|&at| {
                block.add(answers.next(&mut random));
                each.tick(&block.take(at_ms(at)));
                each.is_told_to_go_back(at)
            });
            assert!(one_by_one.is_some());
            assert_eq!(merged, one_by_one, "run {seed}");
        }
    }
}
