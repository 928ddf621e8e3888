//! Watching a release after the switch: counts are read several times a second, journaled, and
//! judged with nothing beside them. What is journaled is enough to replay the decision.

use crate::execute::{ExecuteError, Runner};
use crate::failure::Failure;
use crate::latencies::Latencies;
use crate::signs::Signs;
use crate::ticket::Ticket;
use crate::watched::Watched;
use crate::world::Counts;
use ripcord_core::analysis::{Alone, ArmCounts, Finding, JudgeMode, JudgePolicy};
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
    runner: &'r Runner<'a>,
    bake: &'r Bake,
    ticket: Ticket<'r>,
    mode: JudgeMode,
    alone: Alone,
    /// Whether a limit on latency is among the rules.
    times: bool,
    seen: Seen,
    /// What was found already and does not end the watch.
    found: Option<Finding>,
}

/// What was seen so far.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    elapsed_ms: Millis,
    requests: u64,
    errors: u64,
}

/// What the proxy counted at the last look.
struct Last {
    counts: Option<Counts>,
    latencies: Latencies,
}

impl<'r, 'a> Watch<'r, 'a> {
    /// Takes up the watch where the journal says it stands.
    pub(crate) fn new(
        runner: &'r Runner<'a>,
        bake: &'r Bake,
        ticket: Ticket<'r>,
        progress: &Progress,
    ) -> Self {
        let usual = JudgePolicy::default();
        let policy = bake.judge.as_deref().unwrap_or(&usual);
        let floor = f64::from(bake.error_floor) / 10_000.0;
        let mut watch = Watch {
            alone: Alone::new(policy, usual_rate(runner, bake), floor),
            mode: policy.mode,
            times: policy.thresholds.as_ref().is_some_and(|rules| rules.max_p99_ms.is_some()),
            seen: Seen::default(),
            found: None,
            runner,
            bake,
            ticket,
        };
        if progress.watched.contains_key(&watch.ticket.step) {
            for observation in runner.evidence() {
                watch.hear(&observation);
            }
        }
        watch
    }

    /// What the journal has of the watch before a restart.
    fn hear(&mut self, observation: &Observation) {
        let &Observation::Watched { elapsed_ms, requests, errors, .. } = observation else {
            return;
        };
        let more = ArmCounts {
            requests: requests.saturating_sub(self.seen.requests),
            errors: errors.saturating_sub(self.seen.errors),
            latency: Vec::new(),
        };
        self.alone.add(elapsed_ms, &more);
        self.seen = Seen { elapsed_ms, requests, errors };
    }

    /// Watches to the end.
    pub(crate) fn run(mut self) -> Result<Watched, ExecuteError> {
        let clock = self.runner.world.clock;
        let mut signs = Signs::new(self.runner.world.platform, &self.bake.release);
        let mut last = Last { counts: self.counts(), latencies: Latencies::default() };
        let mut journaled_ms = self.seen.elapsed_ms;
        let mut looked_ms = clock.monotonic_ms();
        loop {
            let progress = self.runner.refresh()?;
            if progress.promoted || progress.promoted_fully {
                let what = format!("promoted after {} requests", self.seen.requests);
                return Ok(Watched::Passed(Receipt::of(what)));
            }
            if (self.ticket.stop)() {
                return Ok(Watched::Failed(Failure::Interrupted));
            }
            self.count(&mut last);
            let crashed = signs.bad(looked_ms);
            let finding =
                self.alone.finding(self.seen.elapsed_ms).filter(|found| self.is_new(found));
            let over = self.seen.elapsed_ms >= self.bake.duration_ms;
            // A long watch is journaled less and less often: some fifty entries for any length.
            let due_ms = journaled_ms + JOURNAL_MS.max(journaled_ms / 10);
            let ends = crashed.is_some() || finding.is_some() || over;
            if ends || self.seen.elapsed_ms >= due_ms {
                self.journal()?;
                journaled_ms = self.seen.elapsed_ms;
            }
            let bad = match (crashed, finding) {
                (Some(because), _) => Some(because),
                (None, Some(finding)) => self.found(finding)?,
                (None, None) => None,
            };
            if let Some(error) = bad {
                let kind = FailureKind::Evidence;
                return Ok(Watched::Not(Event::Failed { kind, error }));
            }
            if over {
                return Ok(self.at_the_end());
            }
            clock.sleep(TICK_MS);
            let now_ms = clock.monotonic_ms();
            self.seen.elapsed_ms += now_ms.saturating_sub(looked_ms);
            looked_ms = now_ms;
        }
    }

    /// Whether this was not found before: something else, or now the release's own fault.
    fn is_new(&self, finding: &Finding) -> bool {
        self.found.as_ref().is_none_or(|before| {
            before.shared.is_some() && (before.by != finding.by || finding.shared.is_none())
        })
    }

    /// Writes down what was found, and gives it back if the release must go for it.
    fn found(&mut self, finding: Finding) -> Result<Option<String>, ExecuteError> {
        let Finding { by, because, shared } = finding.clone();
        let to_blame = shared.is_none();
        let observation = Observation::Alarm { by, because: because.clone(), shared };
        self.append(observation)?;
        self.found = Some(finding);
        if to_blame && self.mode == JudgeMode::Act {
            return Ok(Some(because));
        }
        if to_blame {
            self.append(Observation::WouldGoBack { because })?;
        }
        Ok(None)
    }

    fn at_the_end(&self) -> Watched {
        let undecided = |because: String| {
            let because = format!("{}: {because}", self.bake.release);
            Watched::Not(Event::Observed { observation: Observation::Undecided { because } })
        };
        let act = self.mode == JudgeMode::Act;
        if act && self.alone.is_blind() {
            return undecided("no request has reached it while it was watched".to_owned());
        }
        if let Some(Finding { because, shared: Some(shared), .. }) = &self.found
            && act
        {
            return undecided(format!(
                "{because}; but {shared}, so it is not taken back by itself"
            ));
        }
        Watched::Passed(Receipt::of(format!(
            "{} errors in {} requests, {:.2} % tolerated",
            self.seen.errors,
            self.seen.requests,
            100.0 * self.alone.tolerated()
        )))
    }

    fn journal(&self) -> Result<(), ExecuteError> {
        self.append(Observation::Watched {
            elapsed_ms: self.seen.elapsed_ms,
            requests: self.seen.requests,
            errors: self.seen.errors,
            tolerated: self.alone.tolerated(),
            evidence: self.alone.evidence(),
        })
    }

    fn append(&self, observation: Observation) -> Result<(), ExecuteError> {
        self.runner.append(self.ticket.step, Event::Observed { observation })
    }

    /// Adds what the proxy counted since the last look. A proxy that began anew counts from zero;
    /// one that does not answer counts nothing, which is neither good nor bad.
    fn count(&mut self, last: &mut Last) {
        let Some(now) = self.counts() else { return };
        let since = match last.counts {
            Some(last) if last.epoch == now.epoch => last,
            Some(_) => Counts { epoch: now.epoch, ..Counts::default() },
            None => now,
        };
        last.counts = Some(now);
        let requests = now.requests.saturating_sub(since.requests);
        let errors = now.errors.saturating_sub(since.errors);
        // What was counted as a request a moment ago may be known as an error only now.
        let errors = errors.min(self.seen.requests + requests - self.seen.errors);
        let latency = self.latency(&mut last.latencies);
        self.seen.requests += requests;
        self.seen.errors += errors;
        self.alone.add(self.seen.elapsed_ms, &ArmCounts { requests, errors, latency });
    }

    fn latency(&self, latencies: &mut Latencies) -> Vec<(u16, u64)> {
        if !self.times {
            return Vec::new();
        }
        let periods = self.runner.world.traffic.periods();
        periods.map_or_else(|_| Vec::new(), |found| latencies.news(&found, &self.bake.release))
    }

    fn counts(&self) -> Option<Counts> {
        let counts = self.runner.world.traffic.counts().ok()?;
        Some(counts.get(&self.bake.release).copied().unwrap_or_default())
    }
}

/// The error rate of the release before, if enough of its answers are known.
fn usual_rate(runner: &Runner<'_>, bake: &Bake) -> f64 {
    let Ok(counts) = runner.world.traffic.counts() else { return 0.0 };
    let before = bake.before.as_ref().and_then(|before| counts.get(before));
    match before {
        Some(counts) if counts.requests >= USUAL_REQUESTS_MIN => ratio(counts),
        _ => 0.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
fn ratio(counts: &Counts) -> f64 {
    counts.errors as f64 / counts.requests as f64
}
