//! The executor: replay, decide, append, act, append, loop. It makes no choices; `next` has.

use crate::act::act;
use crate::bake::Watch;
use crate::compare::Comparison;
use crate::failure::Failure;
use crate::ticket::Ticket;
use crate::watched::Watched;
use crate::world::{Ledger, LedgerError, Renewal, World};
use ripcord_core::model::StepId;
use ripcord_core::model::ids::Millis;
use ripcord_core::plan::{Effect, Intent, Plan, Step, Undo};
use ripcord_core::run::next::Hold;
use ripcord_core::run::{
    Corrupt, Draft, Event, FailureKind, Next, Observation, Outcome, Progress, Receipt, Subject,
    next,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use thiserror::Error;

/// How often an undo is tried before a person is asked.
const UNDO_ATTEMPTS_MAX: u32 = 30;

/// The first wait before another attempt; it doubles up to [`BACKOFF_MS_MAX`].
const BACKOFF_MS: Millis = 100;

/// The longest wait before another attempt.
const BACKOFF_MS_MAX: Millis = 5_000;

/// The longest wait for a receiver that wants to be left alone.
const LATER_MS_MAX: Millis = 60_000;

/// Runs one plan until it is over, needs somebody, or is told to stop.
pub struct Runner<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) ledger: &'a dyn Ledger,
    pub(crate) world: World<'a>,
    pub(crate) shutdown: &'a dyn Fn() -> bool,
    seen: RefCell<Seen>,
    /// How often the lease of the plan's traffic is renewed, if it ever has one.
    tend_every_ms: Option<Millis>,
    tended_ms: Cell<Option<Millis>>,
    /// A renewal found that the lease had ended, and nobody has dealt with that yet.
    lapsed: Cell<bool>,
    /// Services that did not answer a moment ago: nobody waits for them twice who need not.
    pub(crate) silent: RefCell<BTreeSet<String>>,
}

/// The journal as far as it was read.
#[derive(Default)]
struct Seen {
    sequence: u64,
    progress: Progress,
    /// What the judge and who watches have seen, in order.
    evidence: Vec<Observation>,
}

/// Why the runner returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// The plan is over.
    Over(Outcome),
    /// The plan waits; run it again when the ledger has something new.
    Hold(Hold),
    /// The undo of this step failed; run it again after a person's `Retried`.
    NeedsOperator(StepId),
    /// The controller is shutting down; the plan goes on after its restart.
    Stopped,
}

/// What stops the executor itself. The plan stands where the ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExecuteError {
    /// The journal cannot be written or read, so nothing may be done.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The journal contradicts itself, so nothing may be concluded from it.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// A receiver has seen a newer controller.
    #[error("{0}")]
    Fenced(Failure),
}

type Result<T> = std::result::Result<T, ExecuteError>;

impl<'a> Runner<'a> {
    /// A runner of a plan that the ledger says has begun.
    pub fn new(
        plan: &'a Plan,
        ledger: &'a dyn Ledger,
        world: World<'a>,
        shutdown: &'a dyn Fn() -> bool,
    ) -> Runner<'a> {
        Runner {
            plan,
            ledger,
            world,
            shutdown,
            seen: RefCell::default(),
            tend_every_ms: shortest_lease_ms(plan).map(|lease_ms| lease_ms / 5),
            tended_ms: Cell::new(None),
            lapsed: Cell::new(false),
            silent: RefCell::default(),
        }
    }

    /// Spares reading the journal from its beginning: the plan began after this sequence.
    #[must_use]
    pub fn after(self, sequence: u64) -> Runner<'a> {
        self.seen.borrow_mut().sequence = sequence;
        self
    }

    /// Runs the plan as far as it goes.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] when the ledger cannot be used or a newer controller has taken over.
    pub fn run(&self) -> Result<Halt> {
        loop {
            let progress = self.refresh()?;
            if (self.shutdown)() && progress.finished.is_none() {
                return Ok(Halt::Stopped);
            }
            match next(self.plan, &progress) {
                Next::Over(outcome) => return Ok(Halt::Over(outcome)),
                Next::Hold(hold) => return Ok(Halt::Hold(hold)),
                Next::NeedsOperator(step) => return Ok(Halt::NeedsOperator(step)),
                Next::Finish(outcome) => self.append(0, Event::Finished { outcome })?,
                Next::TurnBack(reason) => self.append(0, Event::TurnedBack { reason })?,
                Next::Do(step) => self.forward(step, &progress)?,
                Next::Undo(step) => self.back(step, &progress)?,
            }
        }
    }

    fn forward(&self, step: &Step, progress: &Progress) -> Result<()> {
        self.append(step.id, Event::Started)?;
        let began = self.world.clock.monotonic_ms();
        let halt = || {
            self.tend();
            (self.shutdown)() || self.abort_requested()
        };
        let ticket = self.ticket(step, &halt);
        let watched = match &step.effect {
            Effect::Bake(bake) => Some(Watch::new(self, bake, ticket, progress).run()?),
            Effect::Analysis(analysis) => {
                Some(Comparison::new(self, analysis, ticket, progress)?.run()?)
            }
            _ => None,
        };
        let result = match watched {
            None => self.acted(&step.effect, &ticket, progress)?,
            Some(Watched::Passed(receipt)) => Ok(receipt),
            Some(Watched::Failed(failure)) => Err(failure),
            Some(Watched::Not(why)) => return self.append(step.id, why),
        };
        let attempts = progress.attempts(step.id) + 1;
        let failed = |kind, failure: &Failure| Event::Failed { kind, error: failure.to_string() };
        match result {
            Ok(receipt) => {
                let receipt = self.timed(receipt, began);
                self.append(step.id, Event::Succeeded { receipt })
            }
            Err(Failure::Interrupted) => Ok(()),
            Err(failure @ Failure::Fenced { .. }) => Err(ExecuteError::Fenced(failure)),
            Err(failure @ Failure::Definite(_)) => {
                self.append(step.id, failed(FailureKind::Definite, &failure))
            }
            Err(failure @ Failure::Deadline(_)) => {
                self.append(step.id, failed(FailureKind::Deadline, &failure))
            }
            Err(ref failure @ Failure::NeedsPerson { ref commands, .. }) => {
                let error = lines(failure, commands);
                self.append(step.id, Event::Failed { kind: FailureKind::NeedsPerson, error })
            }
            Err(
                failure @ (Failure::Transient(_) | Failure::Unknown(_) | Failure::Later { .. }),
            ) => {
                if attempts >= step.attempts_max {
                    return self.append(step.id, failed(self.exhausted(step), &failure));
                }
                self.wait_to_retry(step.id, attempts, &failure, &halt)
            }
        }
    }

    fn back(&self, step: &Step, progress: &Progress) -> Result<()> {
        self.append(step.id, Event::UndoStarted)?;
        let began = self.world.clock.monotonic_ms();
        let ticket = self.ticket(step, self.shutdown);
        let attempts = progress.attempts(step.id) + 1;
        match self.undo(step, &ticket, progress)? {
            Ok(receipt) => {
                let receipt = self.timed(receipt, began);
                self.append(step.id, Event::UndoSucceeded { receipt })
            }
            Err(Failure::Interrupted) => Ok(()),
            Err(failure @ Failure::Fenced { .. }) => Err(ExecuteError::Fenced(failure)),
            Err(
                failure @ (Failure::Transient(_)
                | Failure::Unknown(_)
                | Failure::Later { .. }
                | Failure::Deadline(_)),
            ) if attempts < UNDO_ATTEMPTS_MAX => {
                self.wait_to_retry(step.id, attempts, &failure, self.shutdown)
            }
            Err(failure) => {
                let mut commands =
                    vec![format!("ripcord ledger log --environment {}", self.plan.environment)];
                if let Failure::NeedsPerson { commands: theirs, .. } = &failure {
                    commands.clone_from(theirs);
                }
                commands.push(format!("ripcord retry --environment {}", self.plan.environment));
                let error = failure.to_string();
                self.append(step.id, Event::UndoFailed { error, commands })
            }
        }
    }

    fn acted(
        &self,
        effect: &Effect,
        ticket: &Ticket<'_>,
        progress: &Progress,
    ) -> Result<crate::Result<Receipt>> {
        let at_services = self.at_services(effect, ticket, progress);
        at_services.unwrap_or_else(|| Ok(act(effect, &self.world, ticket)))
    }

    /// What it means that a step was tried as often as the plan allows. A rollback does not turn
    /// back because somebody else's service is down: whoever wanted it decides.
    fn exhausted(&self, step: &Step) -> FailureKind {
        match (&step.effect, self.plan.intent) {
            (Effect::EnsureServiceFlag(_), Intent::Rollback) => FailureKind::NeedsPerson,
            _ => FailureKind::Exhausted,
        }
    }

    fn undo(
        &self,
        step: &Step,
        ticket: &Ticket<'_>,
        progress: &Progress,
    ) -> Result<crate::Result<Receipt>> {
        let effects = match &step.undo {
            Undo::Apply(effects) => effects.as_slice(),
            Undo::Nothing => &[],
            Undo::Loses(_) => return Ok(Ok(Receipt::of("lost, as accepted"))),
        };
        let mut whole = Receipt::default();
        for effect in effects {
            let receipt = match self.acted(effect, ticket, progress)? {
                Ok(receipt) => receipt,
                failed => return Ok(failed),
            };
            if !whole.what.is_empty() {
                whole.what.push_str("; ");
            }
            whole.what.push_str(&receipt.what);
            whole.kept.extend(receipt.kept);
            whole.restored.extend(receipt.restored);
            whole.hidden.extend(receipt.hidden);
            whole.gone.extend(receipt.gone);
        }
        Ok(Ok(whole))
    }

    fn wait_to_retry(
        &self,
        step: StepId,
        attempts: u32,
        failure: &Failure,
        halt: &dyn Fn() -> bool,
    ) -> Result<()> {
        let observation = Observation::Retrying { error: failure.to_string() };
        self.append(step, Event::Observed { observation })?;
        let doubled = BACKOFF_MS.saturating_mul(1 << attempts.min(10));
        let mut left = doubled.min(BACKOFF_MS_MAX);
        if let Failure::Later { after_ms, .. } = failure {
            left = left.max((*after_ms).min(LATER_MS_MAX));
        }
        while left > 0 && !halt() {
            let slice = left.min(100);
            self.world.clock.sleep(slice);
            left -= slice;
        }
        Ok(())
    }

    fn ticket<'t>(&'t self, step: &Step, halt: &'t dyn Fn() -> bool) -> Ticket<'t> {
        Ticket {
            plan: &self.plan.id,
            step: step.id,
            fence: self.ledger.fence(),
            deadline_ms: step.deadline_ms,
            stop: halt,
        }
    }

    fn timed(&self, receipt: Receipt, began: Millis) -> Receipt {
        let took_ms = self.world.clock.monotonic_ms().saturating_sub(began);
        Receipt { took_ms, ..receipt }
    }

    /// Whether a person has asked to go back since the journal was last read. An unreadable
    /// ledger says no here; the next append says it loudly.
    fn abort_requested(&self) -> bool {
        self.refresh().is_ok_and(|progress| {
            progress.abort_requested.is_some() && progress.turned_back.is_none()
        })
    }

    /// Reads what is new in the journal and says where the plan stands.
    pub(crate) fn refresh(&self) -> Result<Progress> {
        let mut seen = self.seen.borrow_mut();
        for entry in self.ledger.entries(&self.plan.environment, seen.sequence)? {
            seen.sequence = entry.sequence;
            let Subject::Plan { plan, step, .. } = &entry.subject else { continue };
            if plan == &self.plan.id {
                let sequence = entry.sequence;
                let taken = seen.progress.take(*step, &entry.event);
                taken.map_err(|why| Corrupt { sequence, why })?;
                if let Event::Observed { observation } = entry.event
                    && (observation.is_evidence()
                        || matches!(observation, Observation::Watched { .. }))
                {
                    seen.evidence.push(observation);
                }
            }
        }
        Ok(seen.progress.clone())
    }

    /// What was seen so far in this plan, as the journal has it.
    pub(crate) fn evidence(&self) -> Vec<Observation> {
        self.seen.borrow().evidence.clone()
    }

    /// Lets the proxy know that somebody watches, if it is time again. For whoever waits while a
    /// plan holds; the runner itself does so while it runs.
    pub fn tend(&self) {
        let Some(every_ms) = self.tend_every_ms else { return };
        let now_ms = self.world.clock.monotonic_ms();
        if self.tended_ms.get().is_some_and(|last| now_ms.saturating_sub(last) < every_ms) {
            return;
        }
        self.tended_ms.set(Some(now_ms));
        let ticket = Ticket {
            plan: &self.plan.id,
            step: 0,
            fence: self.ledger.fence(),
            deadline_ms: every_ms,
            stop: self.shutdown,
        };
        // A proxy that does not answer is asked again; its lease runs on meanwhile.
        if let Ok(Renewal::Lapsed) = self.world.traffic.renew(&ticket) {
            self.lapsed.set(true);
        }
    }

    /// Whether the lease had ended since this was last asked.
    pub(crate) fn lapsed(&self) -> bool {
        self.lapsed.take()
    }

    pub(crate) fn append(&self, step: StepId, event: Event) -> Result<()> {
        let subject = Subject::Plan {
            environment: self.plan.environment.clone(),
            plan: self.plan.id.clone(),
            step,
        };
        self.ledger.append(Draft { subject, by: "ripcord".to_owned(), event })?;
        Ok(())
    }
}

/// A failure with what a person can do about it.
fn lines(failure: &Failure, commands: &[String]) -> String {
    let what = failure.to_string();
    [what].into_iter().chain(commands.iter().cloned()).collect::<Vec<_>>().join("\n")
}

fn shortest_lease_ms(plan: &Plan) -> Option<Millis> {
    let states = plan.steps.iter().filter_map(|step| match &step.effect {
        Effect::EnsureTraffic { state, .. } => Some(state),
        Effect::Analysis(analysis) => Some(&analysis.traffic),
        _ => None,
    });
    states.filter_map(|state| state.lease.as_ref()).map(|lease| lease.ms).min()
}

impl std::fmt::Debug for Runner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("plan", &self.plan.id).finish_non_exhaustive()
    }
}
