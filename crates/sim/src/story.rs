//! The ledger of a simulated world, told as people read it.

use crate::state::State;
use ripcord_core::plan::Plan;
use ripcord_core::run::{Entry, Event, Subject};

impl State {
    /// The whole ledger as lines: sequence, step, and what happened.
    pub fn story(&self) -> String {
        self.story_after(0)
    }

    /// What the ledger has after an entry, as lines.
    pub fn story_after(&self, sequence: u64) -> String {
        let mut plan: Option<&Plan> = None;
        let mut lines = Vec::new();
        for entry in &self.book.entries {
            if let Event::PlanStarted { plan: started } = &entry.event {
                plan = Some(started);
            }
            if entry.sequence > sequence {
                lines.push(tell(entry, plan));
            }
        }
        lines.join("\n")
    }

    /// How many entries the ledger has.
    pub fn entries(&self) -> u64 {
        self.book.entries.len() as u64
    }
}

fn tell(entry: &Entry, plan: Option<&Plan>) -> String {
    let step = match &entry.subject {
        Subject::Plan { step, .. } if *step > 0 => {
            let effect = plan.and_then(|plan| plan.step(*step)).map(|step| &step.effect);
            let effect = effect.map(ToString::to_string).unwrap_or_default();
            format!(" {step} «{effect}»")
        }
        _ => String::new(),
    };
    let what = match &entry.event {
        Event::PlanStarted { plan } => {
            format!("{:?} of {} begins", plan.intent, plan.to).to_lowercase()
        }
        Event::Started => "started".to_owned(),
        Event::Succeeded { receipt } => told("succeeded", &receipt.what),
        Event::Failed { error, .. } => told("failed", error),
        Event::Observed { observation } => {
            told("observed", &serde_json::to_string(observation).unwrap_or_default())
        }
        Event::TurnedBack { reason } => told("turned back", &reason.to_string()),
        Event::UndoStarted => "undo started".to_owned(),
        Event::UndoSucceeded { receipt } => told("undone", &receipt.what),
        Event::UndoFailed { error, .. } => told("undo failed", error),
        Event::Finished { outcome } => told("finished", &format!("{outcome:?}")),
        Event::ControllerStarted { .. } => format!("controller {} started", entry.fence),
        other => serde_json::to_string(other).unwrap_or_default(),
    };
    let by = if entry.by == "ripcord" { String::new() } else { format!(" by {}", entry.by) };
    format!("{}{step} {what}{by}", entry.sequence)
}

fn told(what: &str, detail: &str) -> String {
    if detail.is_empty() { what.to_owned() } else { format!("{what}: {detail}") }
}
