//! Is the canary slower? Bets on the arm, given how long an answer took, over the whole
//! distribution: all of it shifted, or only the slowest part of it.
//!
//! The bets are fixed by stable's distribution from before and never fall with the time that an
//! answer took, so they are fair against every canary that is not slower, whatever its
//! distribution. An inexact yardstick costs power, never validity.

use super::errors::Odds;
use super::nats::{Bets, as_count, as_f64, down};
use super::reference::{ANSWERS_MIN, Reference, counts, quantile, total};
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
        self.yardstick.is_some() && total(&self.canary) > 0
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
        self.bets.mean_by(&SHARES)
    }

    /// The logarithm of the largest bet.
    pub(super) fn largest(&self) -> f64 {
        self.bets.largest()
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
        for bucket in 1..BUCKETS {
            for bet in 0..K {
                // Never falling: this is what makes the bets fair against all that is no slower.
                ratios[bucket][bet] = ratios[bucket][bet].max(ratios[bucket - 1][bet]);
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
