//! The timeline: each entry of the ledger as one line that a person understands.

use crate::flag::FlagRevision;
use crate::model::ReleaseId;
use crate::plan::display::duration;
use crate::plan::{Effect, Intent, Plan, Step};
use crate::run::event::{Event, Observation, Outcome, Receipt};
use crate::run::{Entry, Subject};
use crate::schema::Counted;
use jiff::Timestamp;
use serde::Serialize;

/// One line of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What kind of line it is.
    pub mark: Mark,
    /// What happened.
    pub text: String,
}

/// What a line says, so that a terminal can colour it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Something begins.
    Begin,
    /// A step is under way.
    Doing,
    /// A step is done.
    Done,
    /// Something is seen.
    Seen,
    /// A person did something.
    Person,
    /// Something is bad.
    Bad,
    /// A step is taken back.
    Back,
    /// Something ended well.
    End,
}

/// Tells an entry; none when it says nothing that people need.
pub fn line(entry: &Entry, plan: Option<&Plan>) -> Option<Line> {
    let (mark, text) = tell(entry, plan)?;
    Some(Line { at: entry.at, mark, text })
}

fn tell(entry: &Entry, plan: Option<&Plan>) -> Option<(Mark, String)> {
    let step = match &entry.subject {
        Subject::Plan { step, .. } => plan.and_then(|plan| plan.step(*step)),
        _ => None,
    };
    let effect = step.map(|step| step.effect.to_string()).unwrap_or_default();
    let by = &entry.by;
    Some(match &entry.event {
        Event::PlanStarted { plan } => (Mark::Begin, started(plan, by)),
        Event::Started => (Mark::Doing, effect),
        Event::Succeeded { receipt } => (Mark::Done, done(&effect, receipt)),
        Event::Failed { error, .. } => (Mark::Bad, error.clone()),
        Event::Observed { observation } => observed(observation, step)?,
        Event::TurnedBack { reason } => (Mark::Bad, format!("going back: {reason}")),
        Event::UndoStarted => return None,
        Event::UndoSucceeded { receipt } if receipt.what.is_empty() => return None,
        Event::UndoSucceeded { receipt } => (Mark::Back, done(&receipt.what, receipt)),
        Event::UndoFailed { error, .. } => {
            (Mark::Bad, format!("«{effect}» cannot be taken back: {error}"))
        }
        Event::AbortRequested { reason } if reason.is_empty() => {
            (Mark::Person, format!("{by} aborts"))
        }
        Event::AbortRequested { reason } => (Mark::Person, format!("{by} aborts: {reason}")),
        Event::Paused { reason } if reason.is_empty() => (Mark::Person, format!("{by} pauses")),
        Event::Paused { reason } => (Mark::Person, format!("{by} pauses: {reason}")),
        Event::Resumed => (Mark::Person, format!("{by} resumes")),
        Event::Promoted => (Mark::Person, format!("{by} promotes")),
        Event::PromotedFully => (Mark::Person, format!("{by} promotes fully")),
        Event::JumpedBack { to } => (Mark::Person, format!("{by} has it go on from step {to}")),
        Event::Retried => (Mark::Person, format!("{by} retries")),
        Event::Finished { outcome } => finished(outcome, plan),
        Event::ReleaseCreated { release } => {
            (Mark::Begin, format!("{} of {} frozen by {by}", release.id, release.service))
        }
        Event::MaintenanceOn { .. } => (Mark::Person, format!("{by} opens a downtime window")),
        Event::MaintenanceOff { written } if written.is_empty() => {
            (Mark::Person, format!("{by} closes the downtime window; nothing was written"))
        }
        Event::MaintenanceOff { written } => (
            Mark::Person,
            format!("{by} closes the downtime window; written: {}", written.join(", ")),
        ),
        Event::WarmEnded { release } => {
            (Mark::Done, format!("{release} stopped, its time to be kept warm is over"))
        }
        Event::Repaired { what } => (Mark::Seen, format!("put right: {what}")),
        Event::Pruned { releases } => {
            let names: Vec<&str> = releases.iter().map(ReleaseId::as_str).collect();
            (Mark::Done, format!("cleared away, no rollback needs them: {}", names.join(", ")))
        }
        Event::FlagsRevised { revision } => (Mark::Person, revised(revision, by)),
        Event::ControllerStarted { version } => {
            (Mark::Begin, format!("controller {version} started, fence {}", entry.fence))
        }
    })
}

fn started(plan: &Plan, by: &str) -> String {
    let verb = match plan.intent {
        Intent::Deploy => "deploy",
        Intent::Rollback => "rollback",
    };
    let from = plan.from.as_ref().map_or("nobody", |release| release.as_str());
    format!("{by}: {verb} {} from {from} to {}, plan {}", plan.environment, plan.to, plan.id)
}

fn revised(revision: &FlagRevision, by: &str) -> String {
    let FlagRevision { number, source, reason, changed, .. } = revision;
    let mut text = format!("{by} makes revision {number} of the flags ({source}): {reason}");
    if !changed.is_empty() {
        text = format!("{text}; {}", changed.join("; "));
    }
    text
}

fn done(what: &str, receipt: &Receipt) -> String {
    let mut text = what.to_owned();
    let detail = &receipt.what;
    if !detail.is_empty() && detail != what {
        text = if what.is_empty() { detail.clone() } else { format!("{what}: {detail}") };
    }
    for (label, things) in [
        ("kept", &receipt.kept),
        ("restored", &receipt.restored),
        ("hidden", &receipt.hidden),
        ("GONE", &receipt.gone),
    ] {
        if !things.is_empty() {
            let things: Vec<String> = things.iter().map(Counted::to_string).collect();
            text = format!("{text}; {label} {}", things.join(", "));
        }
    }
    format!("{text} ({})", duration(receipt.took_ms))
}

fn observed(observation: &Observation, step: Option<&Step>) -> Option<(Mark, String)> {
    Some(match observation {
        Observation::Watched { elapsed_ms, requests, errors, tolerated, evidence } => (
            Mark::Seen,
            format!(
                "{}: {errors} errors in {requests} requests ({:.2} % tolerated), evidence {} of 100",
                duration(*elapsed_ms),
                100.0 * tolerated,
                weight(*evidence)
            ),
        ),
        Observation::Judged { elapsed_ms, tick, evidence, .. } => (
            Mark::Seen,
            format!(
                "{}: canary {} errors in {} requests, stable {} in {}; evidence {} of 100",
                duration(*elapsed_ms),
                tick.canary.errors,
                tick.canary.requests,
                tick.stable.errors,
                tick.stable.requests,
                weight(*evidence),
            ),
        ),
        // What follows from an alarm is told with the step; that nothing does is told here.
        Observation::Reference { .. }
        | Observation::Sampled { .. }
        | Observation::Alarm { shared: None, .. } => return None,
        Observation::Lapsed => (Mark::Bad, lapsed(step)),
        Observation::WouldGoBack { because } => {
            (Mark::Bad, format!("would go back, but may only look: {because}"))
        }
        Observation::Alarm { by, because, shared: Some(shared) } => {
            (Mark::Bad, format!("{by}: {because}; it is not blamed, since {shared}"))
        }
        Observation::Undecided { because } => (Mark::Bad, format!("undecided: {because}")),
        Observation::ServiceFlag { seen } => (Mark::Seen, seen.to_string()),
        Observation::Retrying { error } => (Mark::Seen, format!("again, because {error}")),
    })
}

/// Evidence in a few characters; beyond a million it is certainty, whatever the number.
fn weight(evidence: f64) -> String {
    if evidence < 1e6 { format!("{evidence:.1}") } else { "over a million".to_owned() }
}

/// Where the proxy went is what the step had it do when nobody watches.
fn lapsed(step: Option<&Step>) -> String {
    let state = step.and_then(|step| match &step.effect {
        Effect::EnsureTraffic { state, .. } => Some(state),
        Effect::Analysis(analysis) => Some(&analysis.traffic),
        _ => None,
    });
    let whom = match state.and_then(|state| state.lease.as_ref()) {
        Some(lease) => format!("gave the requests to {}", lease.lapse),
        None => "went where its lease says".to_owned(),
    };
    format!("nobody had watched for too long: the proxy {whom} by itself")
}

fn finished(outcome: &Outcome, plan: Option<&Plan>) -> (Mark, String) {
    let to = plan.map_or_else(|| "the release".to_owned(), |plan| plan.to.to_string());
    let from = plan.and_then(|plan| plan.from.as_ref());
    match (outcome, from) {
        (Outcome::Live, _) => (Mark::End, format!("{to} is live and verified")),
        (Outcome::WentBack(reason), Some(from)) => {
            (Mark::End, format!("everything is back at {from}: {reason}"))
        }
        (Outcome::WentBack(reason), None) => {
            (Mark::End, format!("everything is as it was: {reason}"))
        }
    }
}
