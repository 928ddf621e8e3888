//! A decision of the past, judged anew from the ledger: does the judge say today what it did then?

use crate::cli::context::{Context, release_id};
use crate::cli::judge::report::Report;
use crate::cli::judge::show;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::model::ReleaseId;
use ripcord_core::model::ids::Millis;
use ripcord_core::plan::Plan;
use ripcord_core::report::replay::{Comparison, How, Look};
use ripcord_core::report::{Account, replay};
use ripcord_core::run::{Entry, Event, Outcome, Subject};
use ripcord_ledger::LedgerReader;
use serde_json::{Map, json};
use std::process::ExitCode;

/// The exit code when the judge and the ledger do not agree.
const DIFFERS: u8 = 5;

pub(super) fn run(release: &str, trace: bool, context: &Context) -> Result<ExitCode, Failure> {
    let release = release_id(release)?;
    let reader = LedgerReader::open(&context.state())?;
    // A ledger that was changed afterwards proves nothing.
    reader.verify(&[])?;
    let entries = reader.all_entries(0)?;
    let (plan, compared) = find(&entries, &release, context.environment_named())?;
    let (Some(last), gone) = (compared.last(), compared.gone()) else {
        return Err(nothing(&release, "its deploy ended before anything was compared"));
    };
    let differences = compared.differences();
    let account = Account::of(&plan, &entries);
    if trace {
        tell(&compared, context.json);
    }
    let mut notes = vec![format!("plan        {} of {}", plan.id, plan.environment)];
    notes.push(format!("the ledger  {}", outcome(account.outcome.as_ref(), &plan)));
    notes.extend(elsewhere(&compared).map(|why| format!("            not by comparison: {why}")));
    if differences.is_empty() {
        let looks = compared.looks.len();
        notes.push(format!("agrees      in each of {looks} looks, to the last bit"));
    }
    notes.extend(differences.iter().map(|one| format!("DIFFERS     {one}")));
    let more = json!({
        "release": release, "plan": plan.id, "looks": compared.looks.len(),
        "outcome": account.outcome, "agrees": differences.is_empty(), "differences": differences,
    });
    let place = |look: &Look| (look.sequence, seconds(look.at_ms));
    let report = Report {
        said: gone.unwrap_or(last).said.clone(),
        unit: "entry",
        decided: gone.map(place),
        promotable: compared.promotable().map(place),
        notes,
        more: more.as_object().cloned().unwrap_or_else(Map::new),
    };
    show(&report, context.json);
    let agrees = differences.is_empty();
    Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

/// The last plan that compared this release with another.
fn find(
    entries: &[Entry],
    release: &ReleaseId,
    environment: Option<&str>,
) -> Result<(Plan, Comparison), Failure> {
    let plans = entries.iter().rev().filter_map(|entry| match &entry.event {
        Event::PlanStarted { plan } => Some(plan),
        _ => None,
    });
    let of_it = plans.filter(|plan| {
        &plan.to == release && environment.is_none_or(|name| plan.environment.as_str() == name)
    });
    let mut found = false;
    for plan in of_it {
        found = true;
        let own = entries.iter().filter(|entry| is_of(entry, plan));
        if let Some(compared) = replay(plan, own) {
            return Ok((Plan::clone(plan), compared));
        }
    }
    let why = if found { "it was deployed without a comparison" } else { "it was never deployed" };
    Err(nothing(release, why))
}

fn is_of(entry: &Entry, plan: &Plan) -> bool {
    matches!(&entry.subject, Subject::Plan { plan: of, .. } if of == &plan.id)
}

fn nothing(release: &ReleaseId, why: &str) -> Failure {
    Failure::new(Code::NothingCompared, format!("nothing was compared with {release}: {why}"))
        .hint("`ripcord ledger log` tells what happened; steps of a canary are compared")
}

/// Why the release was taken back, where that was seen by others than the judge.
fn elsewhere(compared: &Comparison) -> Option<String> {
    compared.ends.iter().find_map(|end| match &end.how {
        How::Bad(why) if compared.is_from_elsewhere(why) => Some(why.clone()),
        _ => None,
    })
}

fn outcome(outcome: Option<&Outcome>, plan: &Plan) -> String {
    match outcome {
        None => "the plan is not over".to_owned(),
        Some(Outcome::Live) => format!("{} is live", plan.to),
        Some(Outcome::WentBack(reason)) => format!("{} was taken back: {reason}", plan.to),
    }
}

fn tell(compared: &Comparison, json: bool) {
    for look in &compared.looks {
        let (at, said) = (seconds(look.at_ms), &look.said);
        let (canary, stable) = (said.counts.canary, said.counts.stable);
        let text = if json {
            json!({ "trace": "look", "entry": look.sequence, "at": at, "evidence": said.evidence,
                "recorded": look.recorded, "verdict": said.verdict,
                "canary": { "errors": canary.events, "requests": canary.total },
                "stable": { "errors": stable.events, "requests": stable.total } })
            .to_string()
        } else {
            format!(
                "{:>9}  {at:>14.3}  evidence {:>10.3}  canary {} of {}, stable {} of {}",
                look.sequence,
                said.evidence,
                canary.events,
                canary.total,
                stable.events,
                stable.total
            )
        };
        terminal::print(&text);
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a rollout stay far below 2^52")]
fn seconds(ms: Millis) -> f64 {
    ms as f64 / 1e3
}
