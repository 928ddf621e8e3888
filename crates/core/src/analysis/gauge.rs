//! A value of the moment, such as a queue's length or a ready-made percentile: is it worse for
//! the canary than it ever was between equal releases?
//!
//! What is compared is the logarithm of canary over stable at the same time, so that what moves
//! both is gone. Its rank among those of two equal releases is equally likely to be any, and bets
//! on high ranks are fair whatever the distribution. Values of neighbouring times are alike, which
//! would make ranks worthless; so they are averaged over blocks as long as the likeness lasts.
//! Without enough blocks from before, this knows nothing and says so.

use super::advice::Advice;
use super::nats::{Bets, as_count, as_f64, down};
use super::restarts::Restarts;
use std::sync::Arc;

/// How many bets, by how steeply they fall with the rank.
const SLOPES: [f64; 5] = [0.05, 0.15, 0.3, 0.5, 0.75];

/// Fewer blocks from before are never enough.
const BLOCKS_MIN: usize = 50;

/// How many values from before are kept, and how many blocks of now; after those, nothing more
/// counts.
const VALUES_MAX: usize = 10_000;

/// Values below this are told apart no more.
const SMALLEST: f64 = 1e-12;

/// Likeness of neighbours beyond which no block is long enough.
const LIKENESS_MAX: f64 = 0.98;

/// Evidence of one gauge.
#[derive(Debug, Clone)]
pub(super) struct Gauge {
    higher_is_worse: bool,
    /// How many blocks from before are enough.
    needed: usize,
    before: Arc<Vec<f64>>,
    ranks: Option<Ranks>,
    advice: Advice,
    /// What the canary and stable were at last.
    latest: Option<(f64, f64)>,
}

impl Gauge {
    pub(super) fn new(higher_is_worse: bool, needed: usize) -> Gauge {
        let (before, advice) = (Arc::default(), Advice::default());
        Gauge { higher_is_worse, needed, before, ranks: None, advice, latest: None }
    }

    /// How many blocks from before are enough.
    pub(super) fn needed(&self) -> usize {
        self.needed
    }

    /// Learns from two equal releases, as long as nothing was judged. Values that are none are
    /// left out.
    pub(super) fn calibrate(&mut self, pairs: &[(f64, f64)]) {
        if self.ranks.is_some() {
            return;
        }
        let differences = pairs.iter().filter_map(|(one, other)| self.difference(*one, *other));
        let room = VALUES_MAX.saturating_sub(self.before.len());
        let differences: Vec<f64> = differences.take(room).collect();
        Arc::make_mut(&mut self.before).extend(differences);
    }

    /// Takes a reading into account; none if it has no meaning.
    pub(super) fn add(&mut self, canary: f64, stable: f64) -> Option<()> {
        let difference = self.difference(canary, stable)?;
        if self.ranks.is_none() && self.can_decide() {
            self.ranks = Some(Ranks::new(&self.before));
        }
        self.latest = Some((canary, stable));
        match &mut self.ranks {
            Some(ranks) => ranks.add(difference),
            None => self.advice.add(canary, stable),
        }
        Some(())
    }

    /// What is told to people while it cannot decide; none when there is nothing to tell.
    pub(super) fn advice(&self) -> Option<String> {
        self.advice.words(self.higher_is_worse)
    }

    /// What the canary and stable were at last; none before the first reading.
    pub(super) fn latest(&self) -> Option<(f64, f64)> {
        self.latest
    }

    /// Whether enough is known from before.
    pub(super) fn can_decide(&self) -> bool {
        self.blocks() >= self.needed
    }

    /// How many blocks are known from before.
    pub(super) fn blocks(&self) -> usize {
        self.before.len() / block(&self.before)
    }

    /// The evidence that the canary is worse; 1 is none.
    pub(super) fn evidence(&self) -> f64 {
        self.ranks.as_ref().map_or(1.0, |ranks| ranks.restarts.sum(&ranks.bets, Bets::mean))
    }

    /// The logarithm of the largest bet on that.
    pub(super) fn largest(&self) -> f64 {
        self.ranks.as_ref().map_or(0.0, |ranks| ranks.restarts.largest(&ranks.bets))
    }

    /// Begins to bet anew, beside the bets that there are.
    pub(super) fn restart(&mut self) {
        if let Some(ranks) = &mut self.ranks {
            ranks.restarts.begin(ranks.bets);
        }
    }

    /// How much worse the canary is at this time, as a logarithm.
    fn difference(&self, canary: f64, stable: f64) -> Option<f64> {
        let sound = |value: f64| value.is_finite() && value >= 0.0;
        if !sound(canary) || !sound(stable) {
            return None;
        }
        let log = |value: f64| libm::log(smallest(value));
        let worse = log(canary) - log(stable);
        Some(if self.higher_is_worse { worse } else { -worse })
    }
}

/// Bets on the ranks of blocks.
#[derive(Debug, Clone)]
struct Ranks {
    block: usize,
    before: Arc<Vec<f64>>,
    since: Vec<f64>,
    /// The sum and the number of values of the block that is not full yet.
    open: (f64, usize),
    bets: Bets<5>,
    restarts: Restarts<5>,
}

impl Ranks {
    fn new(before: &[f64]) -> Ranks {
        let block = block(before);
        let mut means: Vec<f64> = before.chunks_exact(block).map(mean).collect();
        means.sort_by(f64::total_cmp);
        let (before, since) = (Arc::new(means), Vec::new());
        let (bets, restarts) = (Bets::new(), Restarts::new());
        Ranks { block, before, since, open: (0.0, 0), bets, restarts }
    }

    fn add(&mut self, difference: f64) {
        self.open = (self.open.0 + difference, self.open.1 + 1);
        if self.open.1 >= self.block && self.since.len() < VALUES_MAX {
            self.bet(self.open.0 / as_f64(self.open.1 as u64));
            self.open = (0.0, 0);
        }
    }

    /// The bets grow if few of those before were as bad. Ties count against the bets, so that
    /// nothing must be drawn by lot.
    fn bet(&mut self, block: f64) {
        let below = |blocks: &[f64]| blocks.partition_point(|other| *other < block);
        let all = self.before.len() + self.since.len();
        let as_bad = all - below(&self.before) - below(&self.since);
        let rank = as_f64(as_bad as u64 + 1) / as_f64(all as u64 + 1);
        let log = libm::log(rank);
        self.bets.add(&SLOPES.map(|slope| down(libm::log(slope) + (slope - 1.0) * log)), 1);
        let at = below(&self.since);
        self.since.insert(at, block);
    }
}

/// How many blocks from before are enough for this much evidence. With fewer a gauge could never
/// decide, and must not look as if it had found nothing.
pub(super) fn blocks_needed(evidence: f64) -> usize {
    (BLOCKS_MIN..VALUES_MAX).find(|blocks| reach(*blocks) >= evidence).unwrap_or(VALUES_MAX)
}

/// The most evidence that there can be after so many blocks, if all that follow are worse than
/// those and like each other: each joins those before, so that the next one is less of a surprise.
fn reach(blocks: usize) -> f64 {
    let (mut logs, mut most) = ([0.0; SLOPES.len()], 1.0_f64);
    for number in 1..=blocks {
        let log = libm::log(as_f64(number as u64) / as_f64((blocks + number) as u64));
        for (sum, slope) in logs.iter_mut().zip(SLOPES) {
            *sum += libm::log(slope) + (slope - 1.0) * log;
        }
        let sum: f64 = logs.iter().map(|log| libm::exp(*log)).sum();
        most = most.max(sum / as_f64(SLOPES.len() as u64));
    }
    most
}

/// A value that has a logarithm.
pub(super) fn smallest(value: f64) -> f64 {
    value.max(SMALLEST)
}

/// After how many values of one release they resemble each other no more.
pub(super) fn stretch(values: &[f64]) -> usize {
    block(&values.iter().map(|value| libm::log(smallest(*value))).collect::<Vec<_>>())
}

/// How many neighbours make a block, so that blocks are hardly alike.
fn block(values: &[f64]) -> usize {
    let middle = mean(values);
    let deviation = |value: &f64| value - middle;
    let spread: f64 = values.iter().map(|value| deviation(value) * deviation(value)).sum();
    let pairs = values.iter().zip(values.iter().skip(1));
    let common: f64 = pairs.map(|(one, next)| deviation(one) * deviation(next)).sum();
    let likeness = if spread > 0.0 { (common / spread).clamp(0.0, LIKENESS_MAX) } else { 0.0 };
    // Chance alone makes values look a little alike, or unlike.
    let length = libm::ceil((1.0 + likeness) / (1.0 - likeness) - 0.25);
    usize::try_from(as_count(length)).unwrap_or(1).max(1)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / as_f64(values.len().max(1) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All orders in which seven different values can come, three of them before: the mean of the
    /// evidence is not above the stake, and nearly as high.
    #[test]
    fn the_mean_never_exceeds_the_stake() {
        fn orders(rest: &[f64], chosen: &mut Vec<f64>, all: &mut Vec<Vec<f64>>) {
            if rest.is_empty() {
                all.push(chosen.clone());
            }
            for index in 0..rest.len() {
                let mut rest = rest.to_vec();
                chosen.push(rest.remove(index));
                orders(&rest, chosen, all);
                chosen.pop();
            }
        }
        for values in [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0]] {
            let mut all = Vec::new();
            orders(&values, &mut Vec::new(), &mut all);
            let sum: f64 = all.iter().map(|order| evidence(&order[..3], &order[3..])).sum();
            let mean = sum / as_f64(all.len() as u64);
            assert!(mean <= 1.0, "{mean}");
        }
    }

    fn evidence(before: &[f64], since: &[f64]) -> f64 {
        let mut before = before.to_vec();
        before.sort_by(f64::total_cmp);
        // Bets anew would be further ranks of the same kind; here the first ones are looked at.
        let mut ranks = Ranks { restarts: Restarts::none(), ..Ranks::new(&before) };
        ranks.block = 1;
        ranks.before = Arc::new(before);
        for value in since {
            ranks.add(*value);
        }
        ranks.bets.mean()
    }

    /// Pseudo-random values around 1, each alike to the one before by this much.
    fn values(count: usize, likeness: f64) -> Vec<(f64, f64)> {
        let (mut state, mut last) = (0x9E37_79B9_7F4A_7C15_u64, 0.0);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            as_f64(state >> 11) / as_f64(1 << 53) - 0.5
        };
        let each = |_| {
            last = likeness * last + next();
            (libm::exp(0.1 * last), 1.0)
        };
        (0..count).map(each).collect()
    }

    fn gauge(before: usize, likeness: f64, since: &[(f64, f64)]) -> Gauge {
        let mut gauge = Gauge::new(true, BLOCKS_MIN);
        gauge.calibrate(&values(before, likeness));
        for (canary, stable) in since {
            let _ = gauge.add(*canary, *stable);
        }
        gauge
    }

    #[test]
    fn a_worse_value_is_found_within_a_few_readings() {
        let found = |readings| {
            let gauge = gauge(120, 0.0, &vec![(1.3, 1.0); readings]);
            gauge.evidence() >= 100.0
        };
        assert!(!found(1) && found(6));
        let same = gauge(120, 0.0, &values(100, 0.0));
        assert!(same.evidence() < 20.0);
        let better = gauge(120, 0.0, &[(0.5, 1.0); 20]);
        assert!(better.evidence() < 1.0);
    }

    /// Points of five and ten that other judges are known for: one outlier is nothing, seven bad
    /// points of ten are, and so are bad ones beside a stable that has none at all.
    #[test]
    fn points_that_are_hard_to_judge() {
        let evidence = |points: &[(f64, f64)]| gauge(300, 0.0, points).evidence();
        let outlier = evidence(&[(1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (10.0, 1.0)]);
        assert!(outlier < 20.0, "{outlier}");
        let mut seven = vec![(100.0, 1.0); 7];
        for at in [0, 4, 8] {
            seven.insert(at, (1.0, 1.0));
        }
        assert!(evidence(&seven) >= 100.0, "{}", evidence(&seven));
        assert!(evidence(&[(3.0, 0.0); 5]) >= 100.0);
        assert!(evidence(&[(0.0, 0.0); 5]) < 20.0, "nothing beside nothing");
    }

    #[test]
    fn neighbours_that_are_alike_make_blocks() {
        let length = |likeness| {
            let gauge = gauge(2_000, likeness, &[]);
            block(&gauge.before)
        };
        assert_eq!(length(0.0), 1);
        assert!((3..=4).contains(&length(0.5)));
        assert!((7..=11).contains(&length(0.8)));
        assert!(gauge(120, 0.0, &[]).can_decide());
        assert!(!gauge(120, 0.8, &[]).can_decide(), "a dozen blocks are too few");
        assert!(!gauge(0, 0.0, &[(9.0, 1.0); 50]).can_decide());
    }

    /// One that could never decide says so, instead of finding nothing.
    #[test]
    fn as_many_blocks_as_can_be_enough() {
        assert_eq!([100.0, 200.0, 300.0, 1_200.0].map(blocks_needed), [50, 54, 57, 67]);
        let most = |blocks: u32| {
            let before: Vec<f64> = (0..blocks).map(f64::from).collect();
            let after = |count| evidence(&before, &vec![1e6; count]);
            (1..40).map(after).fold(0.0, f64::max)
        };
        assert!(most(53) < 200.0 && most(54) >= 200.0, "{} {}", most(53), most(54));
    }

    #[test]
    fn what_is_no_value_counts_as_none() {
        let mut gauge = gauge(120, 0.0, &[]);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            assert_eq!(gauge.add(bad, 1.0), None);
            assert_eq!(gauge.add(1.0, bad), None);
        }
        assert!(gauge.ranks.is_none());
        // Zeros are values: nothing against something is as bad as can be.
        (0..6).for_each(|_| assert_eq!(gauge.add(3.0, 0.0), Some(())));
        assert!(gauge.evidence() >= 100.0);
        assert_eq!(gauge.add(f64::MAX, 0.0), Some(()));
    }
}
