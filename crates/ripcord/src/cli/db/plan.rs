//! `ripcord db plan`.

use super::conditions::Conditions;
use super::down::back;
use super::place::Place;
use super::trouble::{failure, hindrance};
use super::up::Passes;
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use clap::Subcommand;
use ripcord_core::schema::SchemaForecast;
use ripcord_databases::formats::Migration;
use ripcord_databases::postgres::{preview_up, to_run, to_take_back};
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
}

/// What machines read.
#[derive(Serialize)]
struct Document {
    version: u32,
    direction: &'static str,
    migrations: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<SchemaForecast>,
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
    let terms = args.conditions.terms();
    let forecast =
        preview_up(&mut place.connection, &chosen, &terms).map_err(|error| failure(&error))?;
    let line = |one: &Migration| Line {
        version: if one.version.is_empty() { one.name.clone() } else { one.version.clone() },
        name: one.name.clone(),
        way_back: way_back(one.down.is_some()),
    };
    let migrations = chosen.iter().map(line).collect();
    Ok(Document { version: 1, direction: "up", migrations, forecast: Some(forecast) })
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
    let chosen = chosen.iter().filter_map(|id| runs.iter().find(|ran| ran.id == *id));
    let migrations = chosen.map(|ran| {
        let standing =
            standings.iter().find(|one| one.version == ran.version && one.kind == ran.kind);
        let file = standing.and_then(|one| place.set.migrations.get(one.index?));
        let script = ran.has_down || file.is_some_and(|file| file.down.is_some());
        Line { version: ran.version.clone(), name: ran.name.clone(), way_back: way_back(script) }
    });
    let migrations = migrations.collect();
    Ok(Document { version: 1, direction: "down", migrations, forecast: None })
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
    if let Some(forecast) = &document.forecast {
        for (word, list) in [
            ("kept:", &forecast.kept),
            ("hidden:", &forecast.hidden),
            ("gone for good:", &forecast.gone),
        ] {
            lines.extend(list.iter().map(|one| format!("{word} {one}")));
        }
        lines.extend(forecast.caveats.iter().map(|caveat| format!("note: {caveat}")));
        let SchemaForecast { counted_at, takes_ms, .. } = forecast;
        lines.push(format!("counted at {counted_at}; takes about {takes_ms} ms"));
    }
    lines.join("\n")
}
