//! The measurement behind `cargo xtask bench cutover`: many rollbacks to a warm, fitting release
//! under load, on real parts.

use super::{deploy, quantile};
use crate::api::WishKind;
use crate::cli::follow::{Ended, follow};
use crate::demo::{Data, ENVIRONMENT, Fixture, Options, Stage};
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::model::ReleaseId;
use ripcord_core::plan::Plan;
use ripcord_core::run::{Event, Outcome};
use ripcord_shop::load::{Load, LoadOptions};
use std::time::Duration;

/// Measure how fast traffic leaves a bad release
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many rollbacks
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Requests per second meanwhile
    #[arg(long, default_value_t = 300)]
    rps: u32,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let options =
        Options { directory: None, keep: false, json: false, rps: args.rps, data: Data::Sqlite };
    let stage = Stage::set(&options)?;
    let measured = measure(&stage, args);
    stage.strike(Duration::from_secs(30))?;
    let (mut last_ms, failed) = measured?;
    last_ms.sort_by(f64::total_cmp);
    let at = |share| quantile(&last_ms, share);
    terminal::print(&format!(
        "{} rollbacks at {} requests/s: from the decision to the last new request reaching the \
         bad release: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms; {failed} requests failed",
        last_ms.len(),
        args.rps,
        at(0.5),
        at(0.99),
        at(1.0)
    ));
    if failed == 0 && at(0.99) <= 10.0 {
        return Ok(());
    }
    Err(Failure::new(Code::DemoFailed, "more than 10 ms at p99, or requests failed"))
}

/// Deploys and takes back in turn; each time, when the last new request reached the release that
/// was left, counted from the decision in the ledger.
fn measure(stage: &Stage, args: &Args) -> Result<(Vec<f64>, usize), Failure> {
    let client = stage.open(false)?;
    let first = live(deploy(stage, &client)?)?;
    let load = Load::start(LoadOptions {
        url: stage.url(),
        rps: args.rps,
        fault_log: Some(stage.fault_log()),
        ..LoadOptions::default()
    })
    .map_err(|error| Failure::new(Code::DemoFailed, error.to_string()))?;
    let mut decisions = Vec::new();
    for _ in 0..args.rounds {
        stage.dress_round(Fixture::GOOD, decisions.len() + 1)?;
        let left = live(deploy(stage, &client)?)?;
        let after = client.status(ENVIRONMENT)?.sequence;
        let wish = WishKind::Rollback { to: Some(first.clone()), force_flags: false };
        let plan = client.plan(ENVIRONMENT, &wish)?;
        client.start(ENVIRONMENT, plan.clone(), "bench".to_owned())?;
        follow(&client, ENVIRONMENT, &plan, after, Duration::from_mins(1), false)?;
        let entries = client.entries(ENVIRONMENT, after, 0)?;
        let decided = entries.iter().find(|e| matches!(e.event, Event::PlanStarted { .. }));
        let decided = decided.map(|entry| entry.at.as_microsecond()).unwrap_or_default();
        decisions.push((left, decided));
    }
    let (report, _) =
        load.stop().map_err(|error| Failure::new(Code::DemoFailed, error.to_string()))?;
    let began = i64::try_from(report.started_at_unix_ms).unwrap_or(0) * 1_000;
    let mut last_ms = Vec::new();
    for (release, decided) in decisions {
        let starts = report
            .timeline
            .iter()
            .filter(|request| request.release.as_deref() == Some(release.as_str()))
            .map(|request| request.start_ms);
        let last = starts.fold(0.0, f64::max);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one run")]
        let decided_ms = (decided - began) as f64 / 1_000.0;
        last_ms.push((last - decided_ms).max(0.0));
    }
    Ok((last_ms, report.failed_unexplained.len()))
}

fn live((plan, ended): (Plan, Ended)) -> Result<ReleaseId, Failure> {
    match ended {
        Ended::Over(Outcome::Live) => Ok(plan.to),
        other => Err(Failure::new(Code::DemoFailed, format!("{}: {other:?}", plan.to))),
    }
}
