//! Streams of answered requests, as long as wanted, at a hundred requests a second.
//!
//! Only an error moves the evidence about errors, so the stream jumps from one error to the next:
//! how many requests lie between is drawn from the geometric law, and whose error it was and how
//! many of the others went to the canary from theirs. That is the same law as request by request,
//! not an approximation, and a million requests take as long as their errors.

use crate::bench::random::{Random, small};

/// Requests a second in all simulations.
pub(crate) const RATE: u64 = 100;

/// Requests in a minute.
pub(crate) const MINUTE: u64 = 60 * RATE;

/// A stretch of requests under which nothing changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Segment {
    /// How many.
    pub(crate) requests: u64,
    /// The canary's weight in ten thousandths.
    pub(crate) weight: u16,
    /// The share of errors of the stable release.
    pub(crate) stable: f64,
    /// The share of errors of the canary.
    pub(crate) canary: f64,
}

/// Requests, some of them after one another, with at most one error: the last one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// The number of the last of them in the whole stream, from 1.
    pub(crate) at: u64,
    /// The canary's weight in ten thousandths.
    pub(crate) weight: u16,
    /// Requests and errors of the canary.
    pub(crate) canary: Tally,
    /// Requests and errors of the stable release.
    pub(crate) stable: Tally,
}

impl Step {
    /// No request.
    pub(crate) fn nothing(at: u64, weight: u16) -> Step {
        Step { at, weight, canary: Tally::default(), stable: Tally::default() }
    }

    /// Whether there is an error in it.
    pub(crate) fn failed(&self) -> bool {
        self.canary.errors + self.stable.errors > 0
    }
}

/// Requests of one arm, and how many failed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    /// All of them.
    pub(crate) requests: u64,
    /// Those that failed.
    pub(crate) errors: u64,
}

/// What both arms answered in one minute: all that the other tools look at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Minute {
    /// The canary.
    pub(crate) canary: Tally,
    /// The stable release.
    pub(crate) stable: Tally,
}

/// A stream without changes, cut at the minutes.
pub(crate) fn steady(requests: u64, weight: u16, stable: f64, canary: f64) -> Vec<Segment> {
    shaped(requests, |_| Segment { requests: 0, weight, stable, canary })
}

/// A stream whose minutes are what `minute` says of each; the last one may be shorter.
pub(crate) fn shaped(requests: u64, minute: impl Fn(u64) -> Segment) -> Vec<Segment> {
    pieces(requests, MINUTE, minute)
}

/// A stream in pieces of this many requests, each being what `piece` says of it.
pub(crate) fn pieces(requests: u64, size: u64, piece: impl Fn(u64) -> Segment) -> Vec<Segment> {
    (0..requests.div_ceil(size))
        .map(|index| Segment { requests: size.min(requests - index * size), ..piece(index) })
        .collect()
}

/// One run through a stream.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    segments: std::slice::Iter<'a, Segment>,
    current: Segment,
    at: u64,
    random: Random,
}

impl<'a> Stream<'a> {
    /// The run of this seed.
    pub(crate) fn new(segments: &'a [Segment], seed: u64) -> Stream<'a> {
        let current = Segment { requests: 0, weight: 0, stable: 0.0, canary: 0.0 };
        Stream { segments: segments.iter(), current, at: 0, random: Random::new(seed) }
    }
}

impl Iterator for Stream<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        while self.current.requests == 0 {
            self.current = *self.segments.next()?;
        }
        let Segment { requests: left, weight, stable, canary } = self.current;
        let share = f64::from(weight) / 10_000.0;
        let error = (1.0 - share) * stable + share * canary;
        // The law has no memory: a stretch that ends without an error says nothing of the next.
        let gap = self.random.geometric(error, left + 1);
        let taken = gap.min(left);
        let failed = u64::from(gap <= left);
        let from_canary = failed == 1 && self.random.chance(share * canary / error);
        let good = taken - failed;
        let good_share = if error < 1.0 { share * (1.0 - canary) / (1.0 - error) } else { 0.0 };
        let canary_good = self.random.binomial(good, good_share);
        self.current.requests -= taken;
        self.at += taken;
        let errors = u64::from(from_canary);
        Some(Step {
            at: self.at,
            weight,
            canary: Tally { requests: canary_good + errors, errors },
            stable: Tally {
                requests: good - canary_good + failed - errors,
                errors: failed - errors,
            },
        })
    }
}

/// The minutes of a whole run.
pub(crate) fn minutes(segments: &[Segment], seed: u64) -> Vec<Minute> {
    let mut minutes: Vec<Minute> = Vec::new();
    for step in Stream::new(segments, seed) {
        let index = usize::try_from((step.at - 1) / MINUTE).unwrap_or(usize::MAX);
        minutes.resize(minutes.len().max(index + 1), Minute::default());
        if let Some(minute) = minutes.get_mut(index) {
            minute.canary.add(step.canary);
            minute.stable.add(step.stable);
        }
    }
    minutes
}

impl Tally {
    /// Adds what another one counted.
    pub(crate) fn add(&mut self, other: Tally) {
        self.requests += other.requests;
        self.errors += other.errors;
    }

    /// The share of errors in percent; no number when there was no request.
    pub(crate) fn percent(self) -> f64 {
        100.0 * small(self.errors) / small(self.requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over many requests each arm has the requests and errors of its law, within five deviations.
    fn check(weight: u16, stable: f64, canary: f64) {
        let requests = 400_000;
        let mut all = Minute::default();
        for minute in minutes(&steady(requests, weight, stable, canary), 3) {
            all.canary.add(minute.canary);
            all.stable.add(minute.stable);
        }
        assert_eq!(all.canary.requests + all.stable.requests, requests);
        let near = |found: u64, trials: f64, p: f64| {
            let slack = 5.0 * (trials * p * (1.0 - p)).sqrt() + 1.0;
            assert!((small(found) - trials * p).abs() < slack, "{found} of {trials} at {p}");
        };
        let share = f64::from(weight) / 10_000.0;
        near(all.canary.requests, small(requests), share);
        near(all.canary.errors, small(all.canary.requests), canary);
        near(all.stable.errors, small(all.stable.requests), stable);
    }

    #[test]
    fn arms_have_their_laws() {
        check(500, 0.01, 0.05);
        check(5_000, 0.001, 0.001);
        check(1_000, 0.0, 1.0);
        check(500, 0.0, 0.0);
        check(5_000, 1.0, 1.0);
    }

    #[test]
    fn minutes_end_where_they_should() {
        let segments = steady(2 * MINUTE + 1, 500, 0.01, 0.01);
        assert_eq!(segments.iter().map(|one| one.requests).collect::<Vec<_>>(), [6_000, 6_000, 1]);
        let counted = minutes(&segments, 1).into_iter();
        let requests: Vec<u64> =
            counted.map(|one| one.canary.requests + one.stable.requests).collect();
        assert_eq!(requests, [6_000, 6_000, 1]);
    }
}
