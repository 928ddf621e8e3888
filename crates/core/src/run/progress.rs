//! Progress: the entries of one plan, replayed. An order that could not have been written is
//! corruption, and is said so instead of being interpreted.

use crate::flag::ServiceTrace;
use crate::model::StepId;
use crate::plan::{Effect, Step};
use crate::run::entry::{Entry, Subject};
use crate::run::event::{Event, FailureKind, Observation, Outcome, Receipt, TurnReason};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// Begun, and no word since: it may or may not have happened.
    InDoubt,
    /// Its effect holds.
    Succeeded,
    /// It failed for good.
    Failed,
    /// Its undo was begun, and no word since.
    UndoInDoubt,
    /// It is taken back.
    Undone,
    /// Its undo failed for good.
    Stuck,
}

/// Where a plan stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The state of each step that was begun.
    pub states: BTreeMap<StepId, StepState>,
    /// How often each step was begun in the present direction since a person last asked.
    pub attempts: BTreeMap<StepId, u32>,
    /// The failure of a step, until the plan turns back or is retried.
    pub failure: Option<(StepId, FailureKind, String)>,
    /// Why the plan goes back, once it does.
    pub turned_back: Option<TurnReason>,
    /// Why a person asked to go back, once they did.
    pub abort_requested: Option<String>,
    /// Why a person stopped the progress, while they do.
    pub paused: Option<String>,
    /// A person approved and ends waiting. A question that is answered uses it up, so that whoever
    /// approves the switch has not said that the release need not be watched.
    pub promoted: bool,
    /// A person ended all waiting and watching.
    pub promoted_fully: bool,
    /// How often a person had the plan go on from an earlier step.
    pub jumps: u32,
    /// The steps that a person's approval ends, and that use it up.
    pub asks: BTreeSet<StepId>,
    /// What the judge lacks, while it lacks it.
    pub undecided: Option<String>,
    /// How far the watch of a step has come: elapsed time, requests and errors.
    pub watched: BTreeMap<StepId, (u64, u64, u64)>,
    /// What was seen of flags at services, by name.
    pub services: BTreeMap<String, ServiceTrace>,
    /// What each step did.
    pub receipts: BTreeMap<StepId, Receipt>,
    /// How it ended.
    pub finished: Option<Outcome>,
}

/// A journal that could not have been written in this order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("entry {sequence} of the ledger is impossible: {why}")]
pub struct Corrupt {
    /// Where.
    pub sequence: u64,
    /// Why.
    pub why: String,
}

/// Replays the entries of one plan, in order. Entries of other subjects must be left out.
///
/// # Errors
///
/// A journal whose entries could not have been written in this order is corrupt.
pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Progress, Corrupt> {
    let mut progress = Progress::default();
    for entry in entries {
        let Subject::Plan { step, .. } = &entry.subject else { continue };
        progress
            .take(*step, &entry.event)
            .map_err(|why| Corrupt { sequence: entry.sequence, why })?;
    }
    Ok(progress)
}

impl Progress {
    /// Takes one more event into account.
    ///
    /// # Errors
    ///
    /// Says why the event is impossible at this point.
    pub fn take(&mut self, step: StepId, event: &Event) -> Result<(), String> {
        if self.finished.is_some() {
            // A request that came a moment too late changes nothing and is no corruption.
            if event.is_request() {
                return Ok(());
            }
            return Err(format!("{} after the plan has ended", name(event)));
        }
        match event {
            Event::PlanStarted { plan } if self.states.is_empty() => {
                let asks = |step: &&Step| {
                    matches!(step.effect, Effect::Approve { .. } | Effect::Analysis(_))
                };
                self.asks = plan.steps.iter().filter(asks).map(|step| step.id).collect();
            }
            Event::AbortRequested { reason } => self.abort_requested = Some(reason.clone()),
            Event::Paused { reason } => self.paused = Some(reason.clone()),
            Event::Resumed => self.paused = None,
            Event::Promoted => {
                self.promoted = true;
                self.paused = None;
                self.undecided = None;
            }
            Event::PromotedFully => {
                self.promoted_fully = true;
                self.paused = None;
                self.undecided = None;
            }
            Event::JumpedBack { to } => self.jumped_back(*to),
            Event::Retried => self.retried(),
            Event::TurnedBack { reason } if self.turned_back.is_none() => {
                self.turned_back = Some(reason.clone());
                self.attempts.clear();
            }
            Event::Finished { outcome } => self.finished = Some(outcome.clone()),
            Event::Observed { observation } => self.observed(step, observation),
            _ => self.step_event(step, event)?,
        }
        Ok(())
    }

    /// The one list of legal transitions of a step.
    fn step_event(&mut self, step: StepId, event: &Event) -> Result<(), String> {
        use StepState::{Failed, InDoubt, Stuck, Succeeded, UndoInDoubt, Undone};
        let before = self.states.get(&step).copied();
        let back = self.turned_back.is_some();
        let after = match (event, before, back) {
            (Event::Started, None | Some(InDoubt), false) => InDoubt,
            (Event::Succeeded { .. }, Some(InDoubt), false) => Succeeded,
            (Event::Failed { .. }, Some(InDoubt), false) => Failed,
            (Event::UndoStarted, Some(InDoubt | Succeeded | Failed | UndoInDoubt), true) => {
                UndoInDoubt
            }
            (Event::UndoSucceeded { .. }, Some(UndoInDoubt), true) => Undone,
            (Event::UndoFailed { .. }, Some(UndoInDoubt), true) => Stuck,
            _ => return Err(format!("{} of step {step} after {before:?}", name(event))),
        };
        match event {
            Event::Started | Event::UndoStarted => *self.attempts.entry(step).or_default() += 1,
            Event::Succeeded { receipt } => {
                self.receipts.insert(step, receipt.clone());
                self.promoted &= !self.asks.contains(&step);
            }
            Event::Failed { kind, error } => self.failure = Some((step, *kind, error.clone())),
            _ => {}
        }
        self.states.insert(step, after);
        Ok(())
    }

    fn observed(&mut self, step: StepId, observation: &Observation) {
        match observation {
            Observation::Watched { elapsed_ms, requests, errors, .. } => {
                self.watched.insert(step, (*elapsed_ms, *requests, *errors));
            }
            Observation::Judged { elapsed_ms, tick, .. } => {
                let (elapsed, requests, errors) = self.watched.entry(step).or_default();
                *elapsed = (*elapsed).max(*elapsed_ms);
                *requests = requests.saturating_add(tick.canary.requests);
                *errors = errors.saturating_add(tick.canary.errors);
            }
            Observation::Undecided { because } => self.undecided = Some(because.clone()),
            Observation::ServiceFlag { seen } => {
                let trace = self.services.entry(seen.flag.name());
                trace.or_insert_with(|| ServiceTrace::of(&seen.flag)).take(seen);
            }
            Observation::Retrying { .. }
            | Observation::Reference { .. }
            | Observation::Sampled { .. }
            | Observation::Lapsed
            | Observation::Alarm { .. }
            | Observation::WouldGoBack { .. } => {}
        }
    }

    /// A person has mended something: what failed is in doubt again, counted anew.
    fn retried(&mut self) {
        self.failure = None;
        self.undecided = None;
        self.attempts.clear();
        for state in self.states.values_mut() {
            match state {
                StepState::Failed if self.turned_back.is_none() => *state = StepState::InDoubt,
                StepState::Stuck => *state = StepState::UndoInDoubt,
                _ => {}
            }
        }
    }

    /// What was done from this step on is in doubt again, so that it is ensured anew; nothing is
    /// taken back. A plan that goes back has no use for it.
    fn jumped_back(&mut self, to: StepId) {
        if self.turned_back.is_some() || !self.states.contains_key(&to) {
            return;
        }
        self.jumps += 1;
        self.failure = None;
        self.undecided = None;
        self.promoted = false;
        self.promoted_fully = false;
        self.attempts.clear();
        for (step, state) in self.states.range_mut(to..) {
            *state = StepState::InDoubt;
            self.watched.remove(step);
        }
    }

    /// The state of a step; none if it was never begun.
    pub fn state(&self, step: StepId) -> Option<StepState> {
        self.states.get(&step).copied()
    }

    /// How often a step was begun in the present direction.
    pub fn attempts(&self, step: StepId) -> u32 {
        self.attempts.get(&step).copied().unwrap_or(0)
    }
}

fn name(event: &Event) -> String {
    let json = serde_json::to_value(event).unwrap_or_default();
    match json {
        serde_json::Value::String(name) => name,
        serde_json::Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn turned() -> Event {
        Event::TurnedBack { reason: TurnReason::Operator("no".into()) }
    }

    fn receipt() -> Receipt {
        Receipt::default()
    }

    fn failed() -> Event {
        Event::Failed { kind: FailureKind::Definite, error: "broken".into() }
    }

    /// The events that could come, in the order of the letters that stand for them.
    fn event(letter: char) -> Event {
        match letter {
            's' => Event::Started,
            'd' => Event::Succeeded { receipt: receipt() },
            'f' => failed(),
            't' => turned(),
            'u' => Event::UndoStarted,
            'v' => Event::UndoSucceeded { receipt: receipt() },
            'x' => Event::UndoFailed { error: "no".into(), commands: vec!["retry".into()] },
            'r' => Event::Retried,
            'a' => Event::AbortRequested { reason: "no".into() },
            'p' => Event::Promoted,
            'o' => Event::Finished { outcome: Outcome::Live },
            other => panic!("no event {other}"),
        }
    }

    fn take(letters: &str) -> Result<Progress, String> {
        let mut progress = Progress::default();
        for letter in letters.chars() {
            let step = u32::from(!matches!(letter, 't' | 'r' | 'a' | 'p' | 'o'));
            progress.take(step, &event(letter))?;
        }
        Ok(progress)
    }

    /// Every order of one step's events, legal or not.
    #[test]
    fn transitions() {
        use StepState::{Failed, InDoubt, Stuck, Succeeded, UndoInDoubt, Undone};
        let legal = |letters: &str, expected: StepState| {
            assert_eq!(take(letters).unwrap().state(1), Some(expected), "{letters}");
        };
        let corrupt = |letters: &str| assert!(take(letters).is_err(), "{letters}");
        legal("s", InDoubt);
        legal("ss", InDoubt);
        legal("sd", Succeeded);
        legal("ssf", Failed);
        legal("stu", UndoInDoubt);
        legal("sdtu", UndoInDoubt);
        legal("sftuu", UndoInDoubt);
        legal("sdtuv", Undone);
        legal("sdtux", Stuck);
        legal("sdtuxr", UndoInDoubt);
        legal("sdtuxruv", Undone);
        legal("sfr", InDoubt);
        legal("sftr", Failed);
        legal("sdoa", Succeeded);
        for letters in [
            "d", "f", "u", "v", "x", "sdd", "sds", "sdf", "sfs", "sdu", "su", "stsd", "std", "stf",
            "stv", "stuvu", "stuvx", "stt", "sdod", "sdoo", "tus",
        ] {
            corrupt(letters);
        }
    }

    #[test]
    fn attempts_count_in_the_present_direction() {
        assert_eq!(take("sss").unwrap().attempts(1), 3);
        assert_eq!(take("ssst").unwrap().attempts(1), 0);
        assert_eq!(take("ssstuu").unwrap().attempts(1), 2);
        assert_eq!(take("sssfr").unwrap().attempts(1), 0);
    }

    #[test]
    fn requests_are_legal_at_any_time_and_late_ones_change_nothing() {
        let over = take("sdo").unwrap();
        for request in ["a", "p", "r"] {
            assert_eq!(take(&format!("sdo{request}")).unwrap(), over, "{request}");
        }
        assert!(take("apr").is_ok());
    }

    proptest! {
        /// A prefix of a legal journal is legal: a crash can cut it anywhere.
        #[test]
        fn every_prefix_of_a_sound_journal_is_sound(letters in "[sdftuvxrapo]{0,24}") {
            let mut legal = String::new();
            for letter in letters.chars() {
                legal.push(letter);
                if take(&legal).is_err() {
                    legal.pop();
                }
            }
            for end in 0..=legal.len() {
                prop_assert!(take(&legal[..end]).is_ok(), "{} of {legal}", &legal[..end]);
            }
        }

        /// Once a plan has turned back, nothing makes it go forward again.
        #[test]
        fn turned_back_is_for_good(letters in "[sdftuvxrapo]{0,24}") {
            let mut legal = String::from("st");
            for letter in letters.chars() {
                legal.push(letter);
                if take(&legal).is_err() {
                    legal.pop();
                }
            }
            let progress = take(&legal).unwrap();
            prop_assert!(progress.turned_back.is_some());
            prop_assert_ne!(progress.state(1), Some(StepState::Succeeded));
        }
    }
}
