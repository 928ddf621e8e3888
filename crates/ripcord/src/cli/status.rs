//! `ripcord status`.

use crate::cli::context::Context;
use crate::cli::rollout;
use crate::cli::words::number;
use crate::controller::{Operation, Phase, Status};
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::plan::Intent;
use ripcord_core::run::Outcome;
use std::time::Duration;

/// How often `--watch` looks again.
const EVERY: Duration = Duration::from_millis(500);

/// Show what serves, what runs, and the way back
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Look again until interrupted: a terminal is drawn anew, elsewhere what changed is printed
    #[arg(long)]
    watch: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let environment = context.environment()?;
    let mut shown = String::new();
    loop {
        let status = client.status(&environment)?;
        let text = if context.json {
            serde_json::to_string(&status)
                .map_err(|error| Failure::new(Code::Bug, error.to_string()))?
        } else {
            render(&status, terminal::width())
        };
        if !args.watch {
            terminal::print(&text);
            return Ok(());
        }
        if text != shown {
            let show = if context.json { terminal::print } else { terminal::redraw };
            show(&text);
            shown = text;
        }
        std::thread::sleep(EVERY);
    }
}

fn render(status: &Status, width: usize) -> String {
    let mut rows: Vec<(&str, String)> = vec![
        ("environment", format!("{} (generation {})", status.environment, status.generation)),
        ("live", or_none(status.live.as_ref())),
        ("traffic", format!("{} at {}", status.traffic, status.listen)),
    ];
    if let Some(per_second) = status.requests_per_second {
        rows.push(("requests", format!("{} a second", number(per_second))));
    }
    if let Some(preview) = &status.preview {
        rows.push(("preview at", preview.clone()));
    }
    for (release, instances) in &status.instances {
        rows.push((
            "instances",
            format!("{release}: {} of {} ready", instances.ready, instances.wanted),
        ));
    }
    if let Some(schema) = &status.schema {
        let migration = status.migration.as_deref().unwrap_or("no migration");
        rows.push(("schema", format!("{schema}, {migration}")));
    }
    rows.push(("configuration", or_none(status.config.as_ref())));
    rows.push(("flags", or_none(status.flags.as_ref())));
    rows.push(("way back", status.way_back.clone()));
    for (release, because) in &status.held {
        rows.push(("held", format!("{release}: {because}")));
    }
    if let Some(since) = &status.maintenance_since {
        rows.push(("downtime window", format!("open since {since}")));
    }
    match (&status.operation, &status.last) {
        (Some(operation), _) => rows.push(("running", running(operation))),
        (None, Some(last)) => rows.push(("last", {
            let verb = verb(last.intent);
            match &last.outcome {
                Outcome::Live => format!("{verb} to {}: done", last.to),
                Outcome::WentBack(reason) => format!("{verb} to {}: went back: {reason}", last.to),
            }
        })),
        (None, None) => {}
    }
    if let Some(problem) = &status.problem {
        rows.push(("PROBLEM", problem.clone()));
    }
    let widest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:<widest$}  {value}");
    let mut text = rows.iter().map(line).collect::<Vec<_>>().join("\n");
    if let Some(rollout) = status.operation.as_ref().and_then(|one| one.rollout.as_ref()) {
        text = format!("{text}\n\n{}", rollout::render(rollout, width));
    }
    text
}

fn running(operation: &Operation) -> String {
    let phase = match operation.phase {
        Phase::Progressing => "progressing",
        Phase::GoingBack => "going back",
        Phase::Paused => "paused",
        Phase::AwaitingApproval => "waits for approval",
        Phase::Undecided => "undecided",
        Phase::Degraded => "past its deadline",
        Phase::NeedsOperator => "NEEDS AN OPERATOR",
    };
    format!(
        "{} to {} by {} since {}: {phase}, step {} of {}: {}",
        verb(operation.intent),
        operation.to,
        operation.by,
        operation.since.strftime("%H:%M:%S"),
        (operation.steps_done + 1).min(operation.steps),
        operation.steps,
        operation.doing
    )
}

fn verb(intent: Intent) -> &'static str {
    match intent {
        Intent::Deploy => "deploy",
        Intent::Rollback => "rollback",
    }
}

fn or_none<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}
