//! Watching a release after the switch: counts are read several times a second, journaled, and
//! judged by the absolute test. What is journaled is enough to replay the decision.

use crate::execute::{ExecuteError, Runner};
use crate::failure::Failure;
use crate::signs::Signs;
use crate::ticket::Ticket;
use crate::watched::Watched;
use crate::world::Counts;
use ripcord_core::analysis::{AbsoluteTest, Verdict};
use ripcord_core::model::ids::Millis;
use ripcord_core::plan::Bake;
use ripcord_core::run::{Event, FailureKind, Observation, Progress, Receipt};

/// How often the counts are read.
const TICK_MS: Millis = 50;

/// How often they are journaled at first, while nothing speaks against the release.
const JOURNAL_MS: Millis = 1_000;

/// How many answers of the release before tell what is usual.
const USUAL_REQUESTS_MIN: u64 = 100;

/// One watch of one release.
pub(crate) struct Watch<'r, 'a> {
    pub(crate) runner: &'r Runner<'a>,
    pub(crate) bake: &'r Bake,
    pub(crate) ticket: Ticket<'r>,
}

/// What was seen so far.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    elapsed_ms: Millis,
    requests: u64,
    errors: u64,
}

impl Watch<'_, '_> {
    /// Watches to the end.
    pub(crate) fn run(&self, progress: &Progress) -> Result<Watched, ExecuteError> {
        let clock = self.runner.world.clock;
        let (elapsed_ms, requests, errors) =
            progress.watched.get(&self.ticket.step).copied().unwrap_or_default();
        let mut seen = Seen { elapsed_ms, requests, errors };
        let test = AbsoluteTest::new(self.usual(), f64::from(self.bake.error_floor) / 10_000.0);
        let mut signs = Signs::new(self.runner.world.platform, &self.bake.release);
        let mut last = self.counts();
        let mut journaled_ms = seen.elapsed_ms;
        let mut looked_ms = clock.monotonic_ms();
        loop {
            let progress = self.runner.refresh()?;
            if progress.promoted || progress.promoted_fully {
                let what = format!("promoted after {} requests", seen.requests);
                return Ok(Watched::Passed(Receipt::of(what)));
            }
            if (self.ticket.stop)() {
                return Ok(Watched::Failed(Failure::Interrupted));
            }
            self.count(&mut seen, &mut last);
            let crashed = signs.bad(looked_ms);
            let verdict = test.verdict(seen.requests, seen.errors);
            let bad = match (crashed, verdict) {
                (Some(because), _) | (None, Verdict::GoBack { because }) => Some(because),
                (None, _) => None,
            };
            let over = seen.elapsed_ms >= self.bake.duration_ms;
            // A long watch is journaled less and less often: some fifty entries for any length.
            let due_ms = journaled_ms + JOURNAL_MS.max(journaled_ms / 10);
            if bad.is_some() || over || seen.elapsed_ms >= due_ms {
                self.journal(&seen, test)?;
                journaled_ms = seen.elapsed_ms;
            }
            if let Some(error) = bad {
                let kind = FailureKind::Evidence;
                return Ok(Watched::Not(Event::Failed { kind, error }));
            }
            if over {
                return Ok(self.at_the_end(&seen, test));
            }
            clock.sleep(TICK_MS);
            let now_ms = clock.monotonic_ms();
            seen.elapsed_ms += now_ms.saturating_sub(looked_ms);
            looked_ms = now_ms;
        }
    }

    fn at_the_end(&self, seen: &Seen, test: AbsoluteTest) -> Watched {
        match test.verdict(seen.requests, seen.errors) {
            Verdict::Undecided { because } | Verdict::Wait { need: because } => {
                let because = format!("{}: {because} while it was watched", self.bake.release);
                Watched::Not(Event::Observed { observation: Observation::Undecided { because } })
            }
            Verdict::Continue | Verdict::GoBack { .. } => Watched::Passed(Receipt::of(format!(
                "{} errors in {} requests, {:.2} % tolerated",
                seen.errors,
                seen.requests,
                100.0 * test.tolerated()
            ))),
        }
    }

    fn journal(&self, seen: &Seen, test: AbsoluteTest) -> Result<(), ExecuteError> {
        let observation = Observation::Watched {
            elapsed_ms: seen.elapsed_ms,
            requests: seen.requests,
            errors: seen.errors,
            tolerated: test.tolerated(),
            evidence: test.evidence(seen.requests, seen.errors),
        };
        self.runner.append(self.ticket.step, Event::Observed { observation })
    }

    /// The error rate of the release before, if enough of its answers are known.
    fn usual(&self) -> f64 {
        let Ok(counts) = self.runner.world.traffic.counts() else { return 0.0 };
        let before = self.bake.before.as_ref().and_then(|before| counts.get(before));
        match before {
            Some(counts) if counts.requests >= USUAL_REQUESTS_MIN => ratio(counts),
            _ => 0.0,
        }
    }

    /// Adds what the proxy counted since the last look. A proxy that began anew counts from zero;
    /// one that does not answer counts nothing, which is neither good nor bad.
    fn count(&self, seen: &mut Seen, last: &mut Option<Counts>) {
        let Some(now) = self.counts() else { return };
        let since = match last {
            Some(last) if last.epoch == now.epoch => *last,
            Some(_) => Counts { epoch: now.epoch, ..Counts::default() },
            None => now,
        };
        seen.requests += now.requests.saturating_sub(since.requests);
        seen.errors += now.errors.saturating_sub(since.errors);
        seen.errors = seen.errors.min(seen.requests);
        *last = Some(now);
    }

    fn counts(&self) -> Option<Counts> {
        let counts = self.runner.world.traffic.counts().ok()?;
        Some(counts.get(&self.bake.release).copied().unwrap_or_default())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
fn ratio(counts: &Counts) -> f64 {
    counts.errors as f64 / counts.requests as f64
}
