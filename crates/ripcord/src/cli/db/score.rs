//! `ripcord db score`.

use super::conditions::Conditions;
use super::place::Place;
use super::trouble::failure;
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use anstyle::AnsiColor;
use ripcord_databases::postgres::{Step, score};
use serde::Serialize;
use std::process::ExitCode;

/// Run every migration of a folder there, back and there again in a scratch database, and say
/// which come back exactly
///
/// Makes a database of its own on the server, fills tables with a few rows before each step,
/// compares every definition and every row, and drops it again. The database that the address
/// names is only connected to. The user must be allowed to make databases.
///
/// Exit codes: 0 all come back exactly; 2 usage; 3 some do not; 6 the server cannot be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    conditions: Conditions,
}

/// What machines read.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    exact: usize,
    of: usize,
    steps: &'a [Step],
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let set = args.place.folder()?;
    let url = &args.place.address.url;
    // Unique enough: the server refuses a name that is taken.
    let nanos = jiff::Timestamp::now().as_nanosecond();
    let name = format!("ripcord_score_{}_{nanos}", std::process::id());
    let mut told = |step: &Step| {
        if !context.json {
            terminal::print(&line(step));
        }
    };
    let terms = args.conditions.terms()?;
    let steps = score(url, &name, &set, &terms, &mut told).map_err(|error| failure(&error))?;
    let exact = steps.iter().filter(|step| step.differs.is_empty()).count();
    let of = set.migrations.len();
    if context.json {
        let document = Document { version: 1, exact, of, steps: &steps };
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::new(Code::Bug, format!("the answer is no JSON: {error}")))?;
        terminal::print(&json);
    } else {
        terminal::print(&format!("\n{exact} of {of} come back exactly"));
    }
    Ok(if exact == of { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn line(step: &Step) -> String {
    let exact = step.differs.is_empty();
    let style = terminal::colour(if exact { AnsiColor::Green } else { AnsiColor::Red });
    let sign = if exact { "✓" } else { "✗" };
    let down = if step.has_down { "" } else { " (way back derived)" };
    let mut lines = vec![format!("{style}{sign}{style:#} {} {}{down}", step.version, step.name)];
    lines.extend(step.repaired.iter().map(|what| format!("    put right: {what}")));
    lines.extend(step.differs.iter().map(|what| format!("    {what}")));
    lines.join("\n")
}
