//! What people see of the demo: chapters while it plays, and one readable page at its end.

use crate::api::Client;
use crate::demo::journey::Released;
use crate::demo::outcome::Outcome;
use crate::demo::stage::{ENVIRONMENT, Stage};
use crate::failure::Failure;
use crate::terminal;
use anstyle::Style;
use ripcord_core::plan::display::duration;
use ripcord_core::report::{self, Account, Mark};
use ripcord_core::schema::Counted;
use ripcord_shop::load::LoadReport;

/// Begins a chapter.
pub(crate) fn chapter(title: &str) {
    let bold = Style::new().bold();
    terminal::say(&format!("\n{bold}── {title}{bold:#}"));
}

/// Tells what happened to the bad release: the timeline, what users noticed, and the forecast
/// against the outcome.
pub(crate) fn tell(
    stage: &Stage,
    client: &Client,
    bad: &Released,
    outcome: &Outcome,
    report: &LoadReport,
) -> Result<(), Failure> {
    let entries = client.entries(ENVIRONMENT, 0, 0)?;
    let account = Account::of(&bad.plan, &entries);
    timeline(bad, &entries);
    let forecast = &bad.plan.forecast;
    let mut rows = Vec::new();
    row(&mut rows, "kept", &forecast.kept, &account.kept);
    row(&mut rows, "brought back", &forecast.kept, &account.restored);
    row(&mut rows, "hidden", &forecast.hidden, &account.hidden);
    row(&mut rows, "gone", &forecast.gone, &account.gone);
    rows.push(vec![
        "users wait".to_owned(),
        format!("about {}", duration(forecast.notice_ms_max)),
        format!("{:.0} ms at most", report.max_ms),
    ]);
    terminal::say(&format!("\n{}", terminal::table(&["", "forecast", "outcome"], &rows)));
    let sign = |good: bool| if good { "✓" } else { "✗" };
    for (good, text) in [
        (
            outcome.failed_requests_due_to_ripcord == 0,
            format!(
                "{} requests, {} failed by the shop itself, {} because of Ripcord",
                outcome.requests, report.failed_by_shop, outcome.failed_requests_due_to_ripcord
            ),
        ),
        (
            outcome.canary.holds(),
            format!(
                "{}, the canary: gone after {} requests, {} of {} users got an error; the others none",
                outcome.canary.canary_release,
                outcome.canary.canary_requests_to_detection,
                outcome.canary.canary_users_affected,
                outcome.canary.users,
            ),
        ),
        (
            outcome.taken_back_by_evidence,
            format!(
                "found bad after {} requests, traffic back after {}, everything after {}",
                outcome.requests_to_detection,
                duration(outcome.decision_to_traffic_back_ms),
                duration(outcome.rollback_total_ms)
            ),
        ),
        (outcome.schema_equal, "the schema is as it was".to_owned()),
        (
            outcome.data_equal && outcome.user_rows_lost == 0,
            format!(
                "{} writes of users through the bad release, {} lost; older rows as they were",
                outcome.user_rows_written_during, outcome.user_rows_lost
            ),
        ),
        (outcome.flags_equal, "flags are as they were".to_owned()),
        (outcome.config_equal, "configuration is as it was".to_owned()),
        (outcome.ledger_verified, format!("ledger: {}/ledger.db", stage.state().display())),
    ] {
        terminal::say(&format!("{} {text}", sign(good)));
    }
    Ok(())
}

fn timeline(bad: &Released, entries: &[ripcord_core::run::Entry]) {
    let mut began = None;
    for entry in entries {
        let Some(line) = report::line(entry, Some(&bad.plan)) else { continue };
        let own = matches!(
            &entry.subject,
            ripcord_core::run::Subject::Plan { plan, .. } if plan == &bad.plan.id
        );
        if !own || line.mark == Mark::Doing {
            continue;
        }
        let began = *began.get_or_insert(line.at);
        let after = line.at.duration_since(began).as_secs_f64();
        let (sign, style) = terminal::look(line.mark);
        terminal::say(&format!("{style}{after:>8.3} s {sign} {}{style:#}", line.text));
    }
}

/// One line for each thing, what was said beside what was.
fn row(rows: &mut Vec<Vec<String>>, label: &str, said: &[Counted], was: &[Counted]) {
    let cell = |things: &[Counted], index: usize| match things.get(index) {
        Some(thing) => thing.to_string(),
        None if index == 0 => "nothing".to_owned(),
        None => String::new(),
    };
    for index in 0..said.len().max(was.len()).max(1) {
        let label = if index == 0 { label.to_owned() } else { String::new() };
        rows.push(vec![label, cell(said, index), cell(was, index)]);
    }
}
