//! Answers of scenarios: what people would see, without what differs from run to run.

use crate::lab::{NAME, Rest};
use crate::state::State;
use ripcord_core::model::{PlanId, ReleaseId};
use ripcord_core::plan::Plan;
use ripcord_core::report::{Mark, line};
use ripcord_core::run::{Event, History, Hold, Outcome};
use std::fmt::Write as _;

/// A text without the id of a plan, which changes with every detail of it.
pub(crate) fn redacted(text: &str, plan: &PlanId) -> String {
    text.replace(plan.as_str(), "PLAN")
}

pub(crate) fn last_plan_id(state: &State) -> Option<PlanId> {
    last_plan(state).map(|plan| plan.id.clone())
}

fn last_plan(state: &State) -> Option<&Plan> {
    state.book.entries.iter().rev().find_map(|entry| match &entry.event {
        Event::PlanStarted { plan } => Some(plan.as_ref()),
        _ => None,
    })
}

/// The story of the ledger after an entry, as the timeline tells it.
pub(crate) fn ledger(state: &State, after: u64) -> String {
    let mut plan: Option<&Plan> = None;
    let mut lines = Vec::new();
    for entry in &state.book.entries {
        if let Event::PlanStarted { plan: begun } = &entry.event {
            plan = Some(begun);
        }
        if entry.sequence <= after {
            continue;
        }
        let Some(line) = line(entry, plan).filter(|line| line.mark != Mark::Doing) else {
            continue;
        };
        let mark = line.mark;
        let text = match (&entry.event, plan) {
            (Event::ControllerStarted { .. }, _) => "a controller starts".to_owned(),
            (_, Some(plan)) => redacted(&line.text, &plan.id),
            (_, None) => line.text,
        };
        lines.push(format!("{} {}", sign(mark), without_times(&text)));
    }
    lines.join("\n")
}

fn sign(mark: Mark) -> char {
    match mark {
        Mark::Begin => '*',
        Mark::Doing => '.',
        Mark::Done => '+',
        Mark::Seen => '?',
        Mark::Person => '@',
        Mark::Bad => '!',
        Mark::Back => '-',
        Mark::End => '=',
    }
}

/// How long something took is no part of a scenario.
fn without_times(text: &str) -> String {
    match text.rsplit_once(" (") {
        Some((before, after)) if after.ends_with(" ms)") || after.ends_with(" s)") => {
            before.to_owned()
        }
        _ => text.to_owned(),
    }
}

/// How a run came to rest.
pub(crate) fn rest(rest: &Rest) -> String {
    match rest {
        Rest::Over(Outcome::Live) => "at rest: live".to_owned(),
        Rest::Over(Outcome::WentBack(_)) => "at rest: went back".to_owned(),
        Rest::NeedsOperator(step) => format!("waits: step {step} needs a person"),
        Rest::Held(Hold::Paused(_)) => "waits: paused".to_owned(),
        Rest::Held(Hold::Approval(question)) => format!("waits: {question}"),
        Rest::Held(Hold::Undecided(because)) => format!("waits: undecided, {because}"),
        Rest::Held(Hold::NeedsPerson(what)) => format!("waits for a person: {what}"),
        Rest::Held(Hold::Degraded(because)) => format!("waits: degraded, {because}"),
        Rest::Idle => "nothing runs".to_owned(),
        Rest::Endless(why) => format!("NO END: {why}"),
    }
}

/// What is live, held and running, and what became of requests.
pub(crate) fn status(state: &State) -> String {
    let name = NAME.into();
    let history = History::of(&name, &state.book.entries);
    let list = |names: Vec<String>| {
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let mut told = String::new();
    let live = history.live().map_or("nobody", |live| live.as_str());
    let verified = history.verified.iter().map(|one| one.release.to_string()).collect();
    let held = history.held.iter().map(|(release, why)| format!("{release} ({why})")).collect();
    let instances = state.fleet.wanted.iter().map(|(release, wanted)| {
        format!("{release} {} of {wanted} ready", state.fleet.ready(release).count())
    });
    let config = state.settings.config.as_ref().map_or("nobody", |release| release.as_str());
    let served = state.flags.served();
    let flags: Vec<String> = served.iter().map(|(key, value)| format!("{key} {value}")).collect();
    let columns = state.store.columns.iter().cloned().collect();
    let set_aside = state.store.vault.keys().cloned().collect();
    let clients = &state.clients;
    let lines = [
        ("live", live.to_owned()),
        ("traffic", state.proxy.live.to_string()),
        ("verified", list(verified)),
        ("held", list(held)),
        ("running", history.running.map_or("nothing", |_| "a plan").to_owned()),
        ("instances", list(instances.collect())),
        ("configuration", config.to_owned()),
        ("flags", list(flags)),
        ("schema", list(columns)),
        ("set aside", list(set_aside)),
        ("requests lost", (clients.lost.len() as u64 + clients.timed_out).to_string()),
    ];
    for (label, what) in lines {
        // Writing into a text cannot fail.
        let _ = writeln!(told, "{label}: {what}");
    }
    let roles: Vec<String> = state.golden_now().roles.into_iter().map(role).collect();
    if !roles.is_empty() {
        let _ = writeln!(told, "roles: {}", roles.join(", "));
    }
    told.trim_end().to_owned()
}

fn role((name, count): (String, usize)) -> String {
    format!("{count} {name}")
}

/// Who answered since this was last asked, and how many users keep a cookie.
pub(crate) fn who(state: &mut State) -> String {
    let sent = std::mem::take(&mut state.clients.sent);
    let line = |(release, [testers, others]): (ReleaseId, [u64; 2])| {
        format!("{release}: {testers} requests of testers, {others} of others")
    };
    let mut lines: Vec<String> = sent.into_iter().map(line).collect();
    let cookies = state.clients.cookies.len();
    if cookies > 0 {
        lines.push(format!("{cookies} users keep a cookie"));
    }
    lines.join("\n")
}

/// Whether a plan is not over.
pub(crate) fn is_running(state: &State) -> bool {
    History::of(&NAME.into(), &state.book.entries).running.is_some()
}
