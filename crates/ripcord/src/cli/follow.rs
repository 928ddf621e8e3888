//! Following a plan: its journal is told line by line until it is over or waits for somebody.

use crate::api::Client;
use crate::controller::Phase;
use crate::failure::{Code, Failure, Kind};
use crate::terminal;
use ripcord_core::plan::Plan;
use ripcord_core::report::Story;
use ripcord_core::run::{Entry, Event, Outcome, Subject};
use std::time::{Duration, Instant};

/// How a followed plan ended, or why following did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is over.
    Over(Outcome),
    /// It waits for a person, who has to know why.
    Waits(Phase, String),
}

/// How many times in a row the controller may be away before following gives up. It may be
/// restarting, and the plan goes on then.
const AWAY_MAX: u32 = 60;

/// Follows a plan from a sequence on.
pub(crate) fn follow(
    client: &Client,
    environment: &str,
    plan: &Plan,
    after: u64,
    timeout: Duration,
    tell: bool,
) -> Result<Ended, Failure> {
    let began = Instant::now();
    let mut after = after;
    let mut away = 0;
    let mut asked = None;
    let mut story = Story::new(false);
    loop {
        let answered = client
            .entries(environment, after, 1_000)
            .and_then(|entries| Ok((entries, client.status(environment)?)));
        let (entries, status) = match answered {
            Ok(answered) => answered,
            Err(failure) if failure.code.kind() == Kind::Unreachable && away < AWAY_MAX => {
                away += 1;
                std::thread::sleep(Duration::from_millis(500));
                continue;
            }
            Err(failure) => return Err(failure),
        };
        away = 0;
        let news = !entries.is_empty();
        for entry in entries {
            after = entry.sequence;
            if tell && let Some(line) = story.tell(&entry, Some(plan)) {
                terminal::story(&line);
            }
            if let Some(outcome) = outcome(&entry, plan) {
                return Ok(Ended::Over(outcome));
            }
        }
        if news {
            continue;
        }
        let Some(operation) = status.operation.filter(|o| o.plan == plan.id) else { continue };
        match operation.phase {
            Phase::Undecided | Phase::Degraded | Phase::NeedsOperator => {
                return Ok(Ended::Waits(operation.phase, operation.doing));
            }
            Phase::AwaitingApproval | Phase::Paused => {
                if tell && asked.as_ref() != Some(&operation.doing) {
                    terminal::say(&format!("waiting: {}", operation.doing));
                    asked = Some(operation.doing.clone());
                }
                if began.elapsed() > timeout {
                    return Ok(Ended::Waits(operation.phase, operation.doing));
                }
            }
            Phase::Progressing | Phase::GoingBack => {}
        }
    }
}

fn outcome(entry: &Entry, plan: &Plan) -> Option<Outcome> {
    match (&entry.event, &entry.subject) {
        (Event::Finished { outcome }, Subject::Plan { plan: of, .. }) if of == &plan.id => {
            Some(outcome.clone())
        }
        _ => None,
    }
}

/// What waiting means for whoever called, as a failure with the commands that help.
pub(crate) fn waits(phase: Phase, doing: &str) -> Failure {
    match phase {
        Phase::Undecided => Failure::new(Code::Undecided, format!("undecided: {doing}"))
            .hint("`ripcord promote` accepts the release, `ripcord abort` takes it back"),
        Phase::AwaitingApproval => Failure::new(Code::AwaitingApproval, doing.to_owned())
            .hint("`ripcord promote` approves, `ripcord abort` takes everything back"),
        Phase::Paused => Failure::new(Code::AwaitingApproval, format!("paused: {doing}"))
            .hint("`ripcord resume` lets it go on, `ripcord abort` takes everything back"),
        Phase::Degraded => Failure::new(Code::Degraded, format!("past its deadline: {doing}"))
            .hint("`ripcord retry` tries again, `ripcord abort` takes everything back"),
        Phase::NeedsOperator | Phase::Progressing | Phase::GoingBack => {
            Failure::new(Code::NeedsOperator, doing.to_owned()).hint(
                "put right what the message says, then `ripcord retry`; see `ripcord ledger log`",
            )
        }
    }
}
