//! Comparing a canary with stable while both serve: what the proxy and other sources counted is
//! read several times a second, journaled, and given to the judge. The judge sees exactly what
//! the journal has, so its decision can be replayed from there.

mod calibration;
mod counting;
mod external;
mod stopwatch;

use crate::act::act;
use crate::execute::{ExecuteError, Runner};
use crate::failure::Failure;
use crate::signs::Signs;
use crate::ticket::Ticket;
use crate::watched::Watched;
use crate::world::Periods;
use calibration::Calibration;
use counting::{Counted, Counting, usual};
use external::External;
use ripcord_core::analysis::{Assessment, Judge, JudgeMode, OnBlind, Reference, Verdict};
use ripcord_core::model::ids::Millis;
use ripcord_core::plan::{Analysis, Effect, Until};
use ripcord_core::run::{Event, FailureKind, Observation, Progress, Receipt, hear};
use stopwatch::Stopwatch;

/// How often the counts are read. With the writing of the decision and the proxy's own work,
/// traffic moves within a tenth of a second of the request that decides.
const TICK_MS: Millis = 20;

/// How often in one step the proxy may have gone back by itself before the plan does.
const LAPSES_MAX: u32 = 3;

/// One comparison.
pub(crate) struct Comparison<'r, 'a> {
    runner: &'r Runner<'a>,
    analysis: &'r Analysis,
    ticket: Ticket<'r>,
    counting: Counting,
    judge: Judge,
    external: External<'r>,
    calibration: Calibration<'r>,
    signs: Signs<'r>,
    clock: Stopwatch,
    lapses: u32,
    would_go_back: bool,
    jumps: u32,
    /// When this attempt began, in the time of what is seen.
    began_ms: Millis,
}

impl<'r, 'a> Comparison<'r, 'a> {
    /// Takes up the comparison where the journal says it stands.
    pub(crate) fn new(
        runner: &'r Runner<'a>,
        analysis: &'r Analysis,
        ticket: Ticket<'r>,
        progress: &Progress,
    ) -> Result<Self, ExecuteError> {
        let mut counting = Counting::default();
        let mut judge = Judge::new(&analysis.judge, &analysis.canary, &analysis.stable);
        let mut at_ms = 0;
        for observation in runner.evidence() {
            if let Observation::Judged { epoch, period, tick, .. } = &observation {
                counting.journaled(*epoch, *period, tick);
                at_ms = at_ms.max(tick.at_ms);
            }
            // What the journal holds was taken before.
            drop(hear(&mut judge, &observation));
        }
        let (elapsed_ms, ..) = progress.watched.get(&ticket.step).copied().unwrap_or_default();
        let clock = Stopwatch::new(at_ms, elapsed_ms, runner.world.clock.monotonic_ms());
        let specs = if analysis.judge.looks() { &analysis.judge.external[..] } else { &[] };
        let external =
            External::new(runner.world.metrics, specs, (&analysis.canary, &analysis.stable));
        let signs = Signs::new(runner.world.platform, &analysis.canary);
        let (lapses, would_go_back, jumps) = (0, false, progress.jumps);
        let calibration = Calibration::new(runner, analysis)?;
        Ok(Comparison {
            runner,
            analysis,
            ticket,
            counting,
            judge,
            external,
            calibration,
            signs,
            clock,
            lapses,
            would_go_back,
            jumps,
            began_ms: at_ms,
        })
    }

    /// Compares until there is a reason to stop.
    pub(crate) fn run(mut self) -> Result<Watched, ExecuteError> {
        // Before anything is divided anew: a lapse that nobody saw is to be written down.
        if let Some(failure) = self.keep_lease()? {
            return Ok(Watched::Failed(failure));
        }
        if let Err(failure) = self.ensure_traffic() {
            return Ok(Watched::Failed(failure));
        }
        loop {
            let progress = self.runner.refresh()?;
            if progress.promoted || progress.promoted_fully {
                return self.passed("promoted");
            }
            if (self.ticket.stop)() || progress.jumps != self.jumps {
                return Ok(Watched::Failed(Failure::Interrupted));
            }
            if let Some(failure) = self.keep_lease()? {
                return Ok(Watched::Failed(failure));
            }
            let now = self.look(false)?;
            if let Some(error) = self.bad(&now)? {
                let kind = FailureKind::Evidence;
                return Ok(Watched::Not(Event::Failed { kind, error }));
            }
            if let Some(end) = self.end(&now)? {
                return Ok(end);
            }
            self.runner.world.clock.sleep(TICK_MS);
            self.clock.tick(self.runner.world.clock.monotonic_ms(), progress.paused.is_some());
        }
    }

    /// Reads what is new, journals what is due or all of it, and says what the judge makes of it.
    fn look(&mut self, all: bool) -> Result<Assessment, ExecuteError> {
        let at_ms = self.clock.at_ms();
        if !self.analysis.judge.looks() {
            return Ok(Assessment::undecided("nothing is judged in this step"));
        }
        let known = self.calibration.look(at_ms);
        for sample in known.into_iter().chain(self.external.look(at_ms)) {
            self.judge.sample(&sample);
            self.runner.append(
                self.ticket.step,
                Event::Observed { observation: Observation::Sampled { sample } },
            )?;
        }
        let Ok(periods) = self.runner.world.traffic.periods() else {
            // Nobody counts, which is neither good nor bad.
            return Ok(self.judge.assess(at_ms));
        };
        self.refer(&periods)?;
        let both = (&self.analysis.canary, &self.analysis.stable);
        let news = self.counting.news(&periods, both, self.judge.cap_bucket(), at_ms);
        let mut judge = self.judge.clone();
        let mut contradiction = None;
        for counted in &news {
            contradiction = judge.tick(&counted.tick).err().or(contradiction);
        }
        if let Some(bad) = contradiction {
            // Counts that contradict themselves say nothing, and are not written down as evidence.
            return Ok(Assessment::undecided(&bad.to_string()));
        }
        let assessment = judge.assess(at_ms);
        // When an outage began and ended is evidence, too.
        let turns = judge.failing_since_ms().is_some() != self.judge.failing_since_ms().is_some();
        let decides = turns || self.decides(&assessment);
        if !news.is_empty() && (all || decides || self.clock.journal_is_due()) {
            self.journal(news, &assessment)?;
            self.judge = judge;
        }
        Ok(assessment)
    }

    /// Whether what is seen now ends the step, so that it must be in the journal before that does.
    /// Evidence that ends nothing is journaled in its own time, however long it stands.
    fn decides(&self, now: &Assessment) -> bool {
        let found_before = self.analysis.judge.mode == JudgeMode::Observe && self.would_go_back;
        match now.verdict {
            Verdict::GoBack { .. } => !found_before,
            _ => now.promotable && matches!(self.analysis.until, Until::Judged { .. }),
        }
    }

    fn journal(&mut self, news: Vec<Counted>, now: &Assessment) -> Result<(), ExecuteError> {
        for Counted { epoch, period, tick } in news {
            self.counting.journaled(epoch, period, &tick);
            let (elapsed_ms, evidence) = (self.clock.elapsed_ms(), now.evidence);
            let observation = Observation::Judged { elapsed_ms, epoch, period, tick, evidence };
            self.runner.append(self.ticket.step, Event::Observed { observation })?;
        }
        self.clock.journaled();
        Ok(())
    }

    /// The yardstick of latency is fixed once, from before the canary got anything; where that is
    /// too little, from what stable has answered meanwhile, which then is no evidence.
    fn refer(&mut self, periods: &Periods) -> Result<(), ExecuteError> {
        if self.judge.has_reference() {
            return Ok(());
        }
        let before = usual(periods, &self.analysis.canary, &self.analysis.stable);
        let Some(reference) = Reference::new(&before).or_else(|| self.judge.reference_so_far())
        else {
            return Ok(());
        };
        self.judge.refer(reference.clone());
        let observation = Observation::Reference { reference };
        self.runner.append(self.ticket.step, Event::Observed { observation })
    }

    /// What speaks against the canary so much that it must go.
    fn bad(&mut self, now: &Assessment) -> Result<Option<String>, ExecuteError> {
        let crashed = self.signs.bad(self.clock.at_ms());
        let because = match (&now.verdict, crashed) {
            (_, Some(because)) => return Ok(Some(because)),
            (Verdict::GoBack { because }, None) => because.clone(),
            _ => return Ok(None),
        };
        if self.analysis.judge.mode == JudgeMode::Act {
            return Ok(Some(because));
        }
        if !self.would_go_back {
            self.would_go_back = true;
            let observation = Observation::WouldGoBack { because };
            self.runner.append(self.ticket.step, Event::Observed { observation })?;
        }
        Ok(None)
    }

    /// Whether the step is over without anything against the canary.
    fn end(&mut self, now: &Assessment) -> Result<Option<Watched>, ExecuteError> {
        let only_looks = self.only_looks();
        let blind = match &now.verdict {
            Verdict::Undecided { because } => Some(because),
            Verdict::Continue | Verdict::Wait { .. } | Verdict::GoBack { .. } => None,
        };
        self.clock.sees(blind.is_none());
        let fine = only_looks || (blind.is_none() && !now.suspect);
        let elapsed_ms = self.clock.elapsed_ms();
        let over = |ms: Millis| elapsed_ms >= ms;
        match &self.analysis.until {
            Until::Elapsed { ms } if over(*ms) && fine => {
                return self.passed(&now.summary()).map(Some);
            }
            Until::Judged { .. } if now.promotable => {
                return self.passed(&now.summary()).map(Some);
            }
            Until::Judged { ms_max } if over(*ms_max) && only_looks => {
                return self.passed(&now.summary()).map(Some);
            }
            // Whether the outage is of the canary's making shows before long.
            Until::Judged { ms_max } if over(*ms_max) && !may_be_of_the_canary(now) => {
                let because = format!("{} is not proven: {}", self.analysis.canary, now.lacking());
                return self.undecided(because).map(Some);
            }
            _ => {}
        }
        if let Some(outage) = now.outage.as_ref().filter(|_| !only_looks && self.has_waited(now)) {
            return self
                .undecided(format!("{} is not blamed: {}", self.analysis.canary, outage.words))
                .map(Some);
        }
        match blind {
            Some(because)
                if !only_looks && self.clock.blind_ms() >= self.analysis.judge.blind_ms_max =>
            {
                self.blind(because).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether both have failed for so long that a person is asked: since it began, and since a
    /// person last said to go on.
    fn has_waited(&self, now: &Assessment) -> bool {
        let lasts_ms = now.outage.as_ref().map_or(0, |outage| outage.lasts_ms);
        let tried_ms = self.clock.at_ms().saturating_sub(self.began_ms);
        !may_be_of_the_canary(now) && lasts_ms.min(tried_ms) >= self.analysis.judge.outage_ms_max
    }

    /// Whether nothing that the judge says ends the step or holds it up.
    fn only_looks(&self) -> bool {
        self.analysis.judge.mode == JudgeMode::Observe || !self.analysis.judge.looks()
    }

    fn blind(&mut self, because: &str) -> Result<Watched, ExecuteError> {
        match self.analysis.judge.on_blind {
            OnBlind::Pause => self.undecided(because.to_owned()),
            OnBlind::GoBack => {
                let (kind, error) = (FailureKind::Evidence, format!("nothing is known: {because}"));
                Ok(Watched::Not(Event::Failed { kind, error }))
            }
        }
    }

    fn undecided(&mut self, because: String) -> Result<Watched, ExecuteError> {
        self.look(true)?;
        let observation = Observation::Undecided { because };
        Ok(Watched::Not(Event::Observed { observation }))
    }

    fn passed(&mut self, what: &str) -> Result<Watched, ExecuteError> {
        // The next step begins with everything that this one saw, unless the last look says no.
        let now = self.look(true)?;
        if let Some(error) = self.bad(&now)? {
            let kind = FailureKind::Evidence;
            return Ok(Watched::Not(Event::Failed { kind, error }));
        }
        Ok(Watched::Passed(Receipt::of(what)))
    }

    /// Renews the lease; where it has ended, traffic is divided anew, but not without end.
    fn keep_lease(&mut self) -> Result<Option<Failure>, ExecuteError> {
        self.runner.tend();
        if !self.runner.lapsed() {
            return Ok(None);
        }
        self.lapses += 1;
        let observation = Observation::Lapsed;
        self.runner.append(self.ticket.step, Event::Observed { observation })?;
        if self.lapses > LAPSES_MAX {
            let what = format!("the proxy lost sight of the controller {} times", self.lapses);
            return Ok(Some(Failure::Definite(what)));
        }
        Ok(self.ensure_traffic().err())
    }

    fn ensure_traffic(&self) -> Result<(), Failure> {
        let world = &self.runner.world;
        let found = world.traffic.observe()?;
        let state = self.analysis.traffic.clone();
        let mut wanted = state.clone();
        // A limit of as many instances as there are cannot be seen.
        wanted.limits.retain(|release, _| found.limits.contains_key(release));
        if found == wanted {
            return Ok(());
        }
        let effect = Effect::EnsureTraffic { state, drain_ms_max: self.analysis.drain_ms_max };
        act(&effect, world, &self.ticket).map(drop)
    }
}

fn may_be_of_the_canary(now: &Assessment) -> bool {
    now.outage.as_ref().is_some_and(|outage| outage.with_release)
}
