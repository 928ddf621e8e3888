//! Is the canary slower? Bets on the arm, given how long an answer took, over the whole
//! distribution: all of it shifted, or only the slowest part of it.
//!
//! The bets are fixed by stable's distribution from before and never fall with the time that an
//! answer took, so they are fair against every canary that is not slower, whatever its
//! distribution. An inexact yardstick costs power, never validity.

use super::errors::Odds;
use super::nats::{Bets, as_count, as_f64, down};
use super::reference::{ANSWERS_MIN, Reference, counts, quantile, total};
use super::restarts::Restarts;
use super::tick::{BUCKETS, Tick};
use crate::model::Share;
use crate::model::traffic::WHOLE;
use std::sync::Arc;

/// How many bets.
const K: usize = 10;

/// By how many deviations of stable's distribution all of it is slower.
const SHIFTS: [f64; 5] = [0.1, 0.2, 0.4, 0.8, 1.6];

/// From which quantile on there are how many times as many slow answers.
const TAILS: [(f64, f64); 5] = [(0.9, 2.0), (0.9, 4.0), (0.99, 3.0), (0.99, 10.0), (0.99, 30.0)];

/// How the stake is split: mostly on shifts, which are what usually happens.
const SHARES: [f64; K] = [0.14, 0.14, 0.14, 0.14, 0.14, 0.06, 0.06, 0.06, 0.06, 0.06];

/// No answer counts for more than this, nor for less than one over it.
const RATIO_MAX: f64 = 100.0;

/// The width of a bucket, as a logarithm.
const WIDTH: f64 = 0.048_790_164_169_432;

/// For how many weights the logarithms are remembered.
const TABLES_MAX: usize = 32;

/// Evidence on latency.
#[derive(Debug, Clone)]
pub(super) struct Latency {
    yardstick: Option<Arc<Yardstick>>,
    tables: Vec<(Share, Arc<[Odds<K>]>)>,
    recent: usize,
    bets: Bets<K>,
    restarts: Restarts<K>,
    /// What was judged; of stable also what was seen before there was a yardstick.
    pub(super) canary: [u64; BUCKETS],
    pub(super) stable: [u64; BUCKETS],
    tolerated: usize,
}

/// What each bet makes of each bucket.
#[derive(Debug)]
struct Yardstick {
    cap: u16,
    ratios: Vec<[f64; K]>,
}

impl Latency {
    /// Tolerates a canary that is slower by this share.
    pub(super) fn new(tolerance_ppm: u32) -> Latency {
        let buckets = libm::round(libm::log1p(f64::from(tolerance_ppm) / 1e6) / WIDTH);
        Latency {
            yardstick: None,
            tables: Vec::new(),
            recent: 0,
            bets: Bets::new(),
            restarts: Restarts::new(),
            canary: [0; BUCKETS],
            stable: [0; BUCKETS],
            tolerated: usize::try_from(as_count(buckets)).unwrap_or(BUCKETS),
        }
    }

    /// Fixes the yardstick, once and for all.
    pub(super) fn refer(&mut self, reference: &Reference) {
        let Some(reference) = Reference::new(&reference.latency) else { return };
        if self.yardstick.is_none() {
            self.yardstick = Some(Arc::new(Yardstick::new(&reference)));
            self.stable = [0; BUCKETS];
        }
    }

    /// The bucket from which on all is one; none without a yardstick.
    pub(super) fn cap(&self) -> Option<u16> {
        self.yardstick.as_ref().map(|yardstick| yardstick.cap)
    }

    /// A yardstick from what stable has answered while there was none.
    pub(super) fn reference_so_far(&self) -> Option<Reference> {
        if self.yardstick.is_some() { None } else { Reference::of(&self.stable) }
    }

    /// Whether anything of the canary was judged.
    pub(super) fn has_judged(&self) -> bool {
        self.judged() > 0
    }

    /// How many of the canary's answers were judged.
    pub(super) fn judged(&self) -> u64 {
        if self.yardstick.is_some() { total(&self.canary) } else { 0 }
    }

    /// What was judged, for people.
    pub(super) fn words(&self) -> String {
        if self.yardstick.is_none() {
            return format!(
                "suspended: {ANSWERS_MIN} answers of stable are needed to compare with, there are {}",
                total(&self.stable)
            );
        }
        if total(&self.canary) == 0 {
            return "the canary is warming up".to_owned();
        }
        let [new, old] = [&self.canary, &self.stable]
            .map(|counts| [0.5, 0.99].map(|share| duration(quantile(counts, share))));
        format!(
            "half of the canary's answers take up to {} and 99 of 100 up to {}, stable's {} and {}",
            new[0], new[1], old[0], old[1]
        )
    }

    /// The evidence that the canary is slower; 1 is none.
    pub(super) fn evidence(&self) -> f64 {
        self.restarts.sum(&self.bets, |bets| bets.mean_by(&SHARES))
    }

    /// The logarithm of the largest bet.
    pub(super) fn largest(&self) -> f64 {
        self.restarts.largest(&self.bets)
    }

    /// Begins to bet anew, beside the bets that there are.
    pub(super) fn restart(&mut self) {
        self.restarts.begin(self.bets);
    }

    /// Takes a tick into account that was found to be sound. While the canary warms up, nothing
    /// counts; without a yardstick, stable's answers become one.
    pub(super) fn add(&mut self, tick: &Tick, warm: bool) {
        let Some(yardstick) = self.yardstick.clone() else {
            add(&mut self.stable, &tick.stable.latency, BUCKETS);
            return;
        };
        if !warm || (tick.canary.latency.is_empty() && tick.stable.latency.is_empty()) {
            return;
        }
        let cap = usize::from(yardstick.cap);
        add(&mut self.canary, &tick.canary.latency, cap);
        add(&mut self.stable, &tick.stable.latency, cap);
        let Some(table) = self.table(&yardstick, tick.weight) else {
            // So many weights at once are rare enough to do without a table.
            let chance = f64::from(tick.weight) / f64::from(WHOLE);
            let odds: Vec<_> = yardstick.odds(chance).collect();
            return self.bet(tick, cap, &odds);
        };
        self.bet(tick, cap, &table);
    }

    fn bet(&mut self, tick: &Tick, cap: usize, table: &[Odds<K>]) {
        for &(bucket, count) in &tick.canary.latency {
            // What is tolerated is taken off the canary's time.
            let bucket = usize::from(bucket).min(cap).saturating_sub(self.tolerated);
            if let Some(odds) = table.get(bucket) {
                self.bets.add(&odds.canary, count);
            }
        }
        for &(bucket, count) in &tick.stable.latency {
            if let Some(odds) = table.get(usize::from(bucket).min(cap)) {
                self.bets.add(&odds.stable, count);
            }
        }
    }

    fn table(&mut self, yardstick: &Yardstick, weight: Share) -> Option<Arc<[Odds<K>]>> {
        if self.tables.get(self.recent).is_none_or(|(recent, _)| *recent != weight) {
            self.recent = match self.tables.iter().position(|(known, _)| *known == weight) {
                Some(at) => at,
                None if self.tables.len() >= TABLES_MAX => return None,
                None => {
                    let chance = f64::from(weight) / f64::from(WHOLE);
                    self.tables.push((weight, yardstick.odds(chance).collect()));
                    self.tables.len() - 1
                }
            };
        }
        self.tables.get(self.recent).map(|(_, table)| table.clone())
    }
}

impl Yardstick {
    fn new(reference: &Reference) -> Yardstick {
        let counts = counts(&reference.latency);
        let all = as_f64(total(&counts));
        let mut below = 0.0;
        let mut ends = [0.0; BUCKETS];
        let mut scores = [0.0; BUCKETS];
        for (bucket, count) in counts.iter().enumerate() {
            let here = as_f64(*count);
            // Half an answer more at either end, so that nothing is impossible.
            scores[bucket] = normal_score((below + 0.5 * here + 0.5) / (all + 1.0));
            below += here;
            ends[bucket] = below / all;
        }
        let mut ratios: Vec<[f64; K]> =
            (0..BUCKETS).map(|bucket| ratios(bucket, scores[bucket], &ends)).collect();
        let mut largest = [0.0_f64; K];
        for bucket in &mut ratios {
            for (ratio, largest) in bucket.iter_mut().zip(&mut largest) {
                // Never falling: this is what makes the bets fair against all that is no slower.
                *ratio = ratio.max(*largest);
                *largest = *ratio;
            }
        }
        Yardstick { cap: reference.cap_bucket(), ratios }
    }

    /// The logarithms of all buckets under one weight.
    fn odds(&self, chance: f64) -> impl Iterator<Item = Odds<K>> {
        let cap = usize::from(self.cap);
        self.ratios.iter().take(cap + 1).map(move |ratios| {
            let mut odds = Odds { canary: [0; K], stable: [0; K] };
            for (bet, ratio) in ratios.iter().enumerate() {
                let fair = libm::log(1.0 - chance + chance * ratio);
                odds.canary[bet] = down(libm::log(*ratio) - fair);
                odds.stable[bet] = down(-fair);
            }
            odds
        })
    }
}

/// How many times as likely an answer in this bucket is from the canary, for each bet.
fn ratios(bucket: usize, score: f64, ends: &[f64; BUCKETS]) -> [f64; K] {
    let mut ratios = [1.0; K];
    for (ratio, shift) in ratios.iter_mut().zip(SHIFTS) {
        *ratio = libm::exp(shift * score - 0.5 * shift * shift);
    }
    for (ratio, (quantile, times)) in ratios.iter_mut().skip(SHIFTS.len()).zip(TAILS) {
        let first = ends.iter().position(|end| *end >= quantile).unwrap_or(BUCKETS - 1);
        let below = ends[first];
        *ratio = if bucket > first { times } else { (1.0 - times * (1.0 - below)) / below };
    }
    ratios.map(|ratio| ratio.clamp(1.0 / RATIO_MAX, RATIO_MAX))
}

/// Where on the normal curve this share lies below.
fn normal_score(share: f64) -> f64 {
    let (mut low, mut high) = (-9.0_f64, 9.0_f64);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Where a bucket ends, in milliseconds; rounded up.
pub(super) fn end_ms(bucket: u16) -> u64 {
    as_count(libm::ceil(0.1 * libm::exp(WIDTH * f64::from(bucket))))
}

/// Where a bucket ends, for people.
fn duration(bucket: usize) -> String {
    match 0.1 * libm::exp(WIDTH * as_f64(bucket as u64)) {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

fn add(counts: &mut [u64; BUCKETS], latency: &[(u16, u64)], cap: usize) {
    for (bucket, count) in latency {
        if let Some(sum) = counts.get_mut(usize::from(*bucket).min(cap)) {
            *sum = sum.saturating_add(*count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::ArmCounts;
    use proptest::prelude::*;

    fn reference() -> impl Strategy<Value = Reference> {
        let buckets = prop::collection::vec((0_u16..270, 1_u64..500), 1..30);
        buckets.prop_filter_map("enough answers", |buckets| Reference::new(&buckets))
    }

    fn answer(weight: Share, bucket: u16, canary: bool) -> Tick {
        let one = ArmCounts { requests: 1, errors: 0, latency: vec![(bucket, 1)] };
        let none = ArmCounts::default();
        let (canary, stable) = if canary { (one, none) } else { (none, one) };
        Tick { at_ms: 0, weight, canary, stable }
    }

    /// The mean evidence over all answers and arms; both releases have these chances of buckets.
    fn mean(
        latency: &Latency,
        weights: &[Share],
        canary: &[(u16, f64)],
        stable: &[(u16, f64)],
    ) -> f64 {
        let Some((weight, later)) = weights.split_first() else { return latency.evidence() };
        let chance = f64::from(*weight) / 1e4;
        let arms = [(true, canary, chance), (false, stable, 1.0 - chance)];
        let outcomes = arms.iter().flat_map(|(arm, buckets, share)| {
            buckets.iter().map(move |(bucket, often)| (*arm, *bucket, share * often))
        });
        let each = outcomes.map(|(arm, bucket, probability)| {
            let mut latency = latency.clone();
            latency.add(&answer(*weight, bucket, arm), true);
            probability * mean(&latency, later, canary, stable)
        });
        each.sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Never falling: a slower answer never speaks less against the canary.
        #[test]
        fn slower_answers_speak_more_against_the_canary(reference in reference()) {
            let ratios = Yardstick::new(&reference).ratios;
            for (faster, slower) in ratios.iter().zip(&ratios[1..]) {
                prop_assert!(faster.iter().zip(slower).all(|(one, next)| one <= next));
                prop_assert!(slower.iter().all(|ratio| (0.01..=100.0).contains(ratio)));
            }
        }

        /// Nobody can win by luck on average: whatever the yardstick, the distribution, the
        /// weights, and how much faster the canary truly is, up to what is tolerated.
        #[test]
        fn the_mean_never_exceeds_the_stake(
            reference in reference(),
            tolerance_ppm in prop::sample::select(vec![0_u32, 50_000, 200_000]),
            weights in prop::collection::vec(1_u16..10_000, 1..4),
            buckets in prop::collection::vec((0_u16..265, 1_u32..100, 0_u16..40), 1..4),
        ) {
            let mut latency = Latency::new(tolerance_ppm);
            latency.refer(&reference);
            let slower = u16::try_from(latency.tolerated).expect("a few buckets");
            let all = f64::from(buckets.iter().map(|(_, often, _)| *often).sum::<u32>());
            let stable: Vec<_> = buckets.iter().map(|&(at, often, _)| (at, f64::from(often) / all)).collect();
            let canary: Vec<_> = buckets
                .iter()
                .map(|&(at, often, faster)| {
                    ((at + slower).saturating_sub(faster), f64::from(often) / all)
                })
                .collect();
            let mean = mean(&latency, &weights, &canary, &stable);
            prop_assert!(mean <= 1.0, "{mean}");
        }
    }

    /// Stable's answers, a bell curve around bucket 125, the canary's some buckets slower.
    fn evidence(slower: u16, count: u64, tolerance_ppm: u32) -> f64 {
        let bell = [(105, 2), (110, 14), (115, 34), (120, 14), (125, 2)];
        let mut latency = Latency::new(tolerance_ppm);
        let past: Vec<_> = bell.iter().map(|(bucket, often)| (*bucket, often * 100)).collect();
        latency.refer(&Reference { latency: past });
        let arm = |more: u16, times: u64| {
            let latency: Vec<_> =
                bell.iter().map(|(at, often)| (at + more, often * times)).collect();
            ArmCounts { requests: 66 * times, errors: 0, latency }
        };
        let (canary, stable) = (arm(slower, count), arm(0, 9 * count));
        latency.add(&Tick { at_ms: 0, weight: 1_000, canary, stable }, true);
        latency.evidence()
    }

    #[test]
    fn a_slower_canary_is_found() {
        assert!(evidence(0, 100, 0) < 1.0);
        assert!(evidence(8, 1, 0) >= 100.0, "half as slow again");
        assert!(evidence(1, 20, 0) >= 100.0, "5 % slower");
        assert!(evidence(1, 20, 50_000) < 1.0, "which is tolerated");
        assert!(evidence(0, 100, 50_000) < evidence(0, 100, 0));
    }

    #[test]
    fn hanging_requests_are_found() {
        let mut latency = Latency::new(50_000);
        latency.refer(&Reference { latency: vec![(100, 5_000), (110, 100)] });
        let cap = latency.cap().expect("there is a yardstick");
        for _ in 0..8 {
            latency.add(&answer(500, cap, true), true);
        }
        assert!(latency.evidence() >= 100.0, "{}", latency.evidence());
        let before = latency.evidence();
        latency.add(&answer(500, cap, true), false);
        assert!((latency.evidence() - before).abs() < f64::EPSILON, "still warming up");
    }

    #[test]
    fn without_a_yardstick_stable_becomes_one() {
        let mut latency = Latency::new(0);
        for _ in 0..199 {
            latency.add(&answer(500, 90, false), true);
            latency.add(&answer(500, 200, true), true);
        }
        assert_eq!(latency.reference_so_far(), None);
        latency.add(&answer(500, 90, false), true);
        let reference = latency.reference_so_far().expect("200 answers");
        assert_eq!(reference.latency, vec![(90, 200)], "nothing of the canary is in it");
        latency.refer(&reference);
        assert!(
            latency.evidence() < 1.0 + 1e-12 && !latency.has_judged(),
            "what made it is no evidence"
        );
        latency.refer(&Reference { latency: vec![(1, 1_000)] });
        assert_eq!(latency.cap(), Some(105), "it is fixed once");
    }

    #[test]
    fn more_weights_than_are_remembered_are_the_same() {
        let new = || {
            let mut latency = Latency::new(0);
            latency.refer(&Reference { latency: vec![(100, 5_000), (110, 100)] });
            latency
        };
        let (mut many, mut one) = (new(), new());
        (1..=40).for_each(|weight| many.add(&answer(weight, 112, true), true));
        assert_eq!(many.tables.len(), TABLES_MAX);
        one.add(&answer(40, 112, true), true);
        (1..40).for_each(|weight| one.add(&answer(weight, 112, true), true));
        assert!((many.evidence() - one.evidence()).abs() < f64::EPSILON * many.evidence());
    }

    #[test]
    fn scores() {
        let check = |share: f64, expected: f64| {
            assert!((normal_score(share) - expected).abs() < 1e-6, "{share}");
        };
        check(0.5, 0.0);
        check(0.975, 1.959_963_985);
        check(0.001, -3.090_232_306);
    }
}
