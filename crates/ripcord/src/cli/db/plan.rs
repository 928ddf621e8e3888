//! `ripcord db plan`.

use super::conditions::{Conditions, Modes};
use super::down::{back, takings};
use super::place::Place;
use super::trouble::{failure, hindrance};
use super::up::Passes;
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use clap::Subcommand;
use ripcord_core::schema::SchemaForecast;
use ripcord_databases::formats::Migration;
use ripcord_databases::postgres::{
    Ahead, Conflict, Locked, Taking, preview_down, preview_up, to_run, to_take_back,
};
use serde::Serialize;
use std::process::ExitCode;

/// Say what `ripcord db up` or `down` would run now, and what that would keep and destroy
///
/// Counts in one read-only transaction and changes nothing, so a role that may only read will do,
/// and a replica.
///
/// Exit codes: 0 done; 2 usage; 3 it would be refused; 6 the database cannot be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What `ripcord db up` would do
    Up(Up),
    /// What `ripcord db down` would take back
    Down(Down),
}

#[derive(Debug, clap::Args)]
struct Up {
    #[command(flatten)]
    place: Place,
    /// Versions up to this one
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    #[command(flatten)]
    passing: Passes,
    #[command(flatten)]
    modes: Modes,
    #[command(flatten)]
    conditions: Conditions,
}

#[derive(Debug, clap::Args)]
struct Down {
    #[command(flatten)]
    place: Place,
    /// Until this version is the last one in force; 0 takes back everything
    #[arg(long, value_name = "VERSION", conflicts_with = "steps")]
    to: Option<String>,
    /// So many migrations [default: 1]
    #[arg(long, value_name = "COUNT")]
    steps: Option<usize>,
    #[command(flatten)]
    conditions: Conditions,
}

/// What machines read.
#[derive(Serialize)]
struct Document {
    version: u32,
    direction: &'static str,
    migrations: Vec<Line>,
    #[serde(flatten)]
    ahead: Ahead,
}

#[derive(Serialize)]
struct Line {
    version: String,
    name: String,
    /// What takes it back: `script` or `derived`.
    way_back: &'static str,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let document = match &args.verb {
        Verb::Up(args) => up(args)?,
        Verb::Down(args) => down(args)?,
    };
    if context.json {
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::new(Code::Bug, format!("the answer is no JSON: {error}")))?;
        terminal::print(&json);
    } else {
        terminal::print(&people(&document));
    }
    Ok(ExitCode::SUCCESS)
}

fn up(args: &Up) -> Result<Document, Failure> {
    let mut place = args.place.open("plan")?;
    let set = &place.set;
    let standings =
        place.history.standing(set, &mut place.connection).map_err(|error| failure(&error))?;
    let chosen = to_run(set.format, &standings, args.to.as_deref(), args.passing.passing())
        .map_err(|error| hindrance(&error))?;
    let chosen: Vec<Migration> =
        chosen.iter().filter_map(|index| set.migrations.get(*index)).cloned().collect();
    let terms = args.modes.terms(&args.conditions)?;
    let forecast =
        preview_up(&mut place.connection, &chosen, &terms).map_err(|error| failure(&error))?;
    let line = |one: &Migration| Line {
        version: if one.version.is_empty() { one.name.clone() } else { one.version.clone() },
        name: one.name.clone(),
        way_back: way_back(one.down.is_some()),
    };
    let migrations = chosen.iter().map(line).collect();
    let (conflicts, against, locks) = (Vec::new(), Vec::new(), Vec::new());
    let ahead = Ahead { forecast, conflicts, against, locks, bytes: 0 };
    Ok(Document { version: 1, direction: "up", migrations, ahead })
}

fn down(args: &Down) -> Result<Document, Failure> {
    let mut place = args.place.open("plan")?;
    let standings = place
        .history
        .standing(&place.set, &mut place.connection)
        .map_err(|error| failure(&error))?;
    let runs = place.history.runs(&mut place.connection).map_err(|error| failure(&error))?;
    let chosen = to_take_back(&standings, &runs, back(args.to.as_deref(), args.steps))
        .map_err(|error| hindrance(&error))?;
    let takings = takings(&chosen, &runs, &standings, &place.set);
    let line = |taking: &Taking| {
        let ran = runs.iter().find(|ran| ran.id == taking.run)?;
        let (version, name) = (ran.version.clone(), ran.name.clone());
        Some(Line { version, name, way_back: way_back(taking.script) })
    };
    let migrations = takings.iter().filter_map(line).collect();
    let terms = args.conditions.terms()?;
    let ahead = preview_down(&mut place.connection, place.history.key(), &takings, &terms)
        .map_err(|error| failure(&error))?;
    Ok(Document { version: 1, direction: "down", migrations, ahead })
}

fn way_back(script: bool) -> &'static str {
    if script { "script" } else { "derived" }
}

fn people(document: &Document) -> String {
    if document.migrations.is_empty() {
        return "nothing to do".to_owned();
    }
    let row = |line: &Line| vec![line.version.clone(), line.name.clone(), line.way_back.to_owned()];
    let rows: Vec<Vec<String>> = document.migrations.iter().map(row).collect();
    let mut lines = vec![terminal::table(&["version", "name", "way back"], &rows)];
    let back = document.direction == "down";
    lines.extend(told(&document.ahead, if back { "comes back:" } else { "kept:" }));
    lines.join("\n")
}

/// What taking back would bring, line by line.
pub(super) fn foretold(ahead: &Ahead) -> Vec<String> {
    told(ahead, "comes back:")
}

fn told(ahead: &Ahead, kept_word: &str) -> Vec<String> {
    let SchemaForecast { kept, hidden, gone, caveats, counted_at, takes_ms } = &ahead.forecast;
    let mut lines = Vec::new();
    for (word, list) in [(kept_word, kept), ("hidden:", hidden), ("gone for good:", gone)] {
        lines.extend(list.iter().map(|one| format!("{word} {one}")));
    }
    let one = |word: &'static str| {
        move |one: &Conflict| format!("{word} {} ({}): {}", one.what, one.count, one.why)
    };
    lines.extend(ahead.conflicts.iter().map(one("conflict:")));
    lines.extend(ahead.against.iter().map(one("would be refused:")));
    for Locked { table, readers_wait, bytes } in &ahead.locks {
        let who = if *readers_wait { "readers and writers wait" } else { "writers wait" };
        lines.push(format!("locked: {table} ({bytes} bytes): {who}"));
    }
    if ahead.bytes > 0 {
        lines.push(format!("copied aside or written anew: up to {} bytes", ahead.bytes));
    }
    lines.extend(caveats.iter().map(|caveat| format!("note: {caveat}")));
    lines.push(format!("counted at {counted_at}; takes about {takes_ms} ms"));
    lines
}
