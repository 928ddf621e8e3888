//! `ripcord db status`.

use super::place::Place;
use super::trouble::failure;
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use anstyle::{AnsiColor, Style};
use ripcord_databases::postgres::{Stand, Standing, Waiting, hidden, waiting};
use serde::Serialize;
use std::process::ExitCode;

/// Say how each migration of a folder stands in a database
///
/// Lays side by side the folder's files, the table in which the folder's own tool remembers, and
/// what Ripcord remembers. Changes nothing, and makes nothing.
///
/// Exit codes: 0 everything is applied, or with --pending-ok; 2 usage; 3 something is to be run,
/// or stands otherwise than it should; 6 the database cannot be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Exit with 0 also when migrations are pending
    #[arg(long)]
    pending_ok: bool,
}

/// What machines read.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    format: &'static str,
    history: &'a str,
    history_exists: bool,
    migrations: &'a [Standing],
    /// Statements that were put off.
    waiting: &'a [Waiting],
    /// Tables and columns that are out of sight.
    hidden: &'a [String],
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let mut place = args.place.open("status")?;
    let all = place
        .history
        .standing(&place.set, &mut place.connection)
        .map_err(|error| failure(&error))?;
    let waits =
        waiting(&mut place.connection, place.history.key()).map_err(|error| failure(&error))?;
    let out_of_sight = hidden(&mut place.connection).map_err(|error| failure(&error))?;
    if context.json {
        let document = Document {
            version: 1,
            format: place.set.format.name(),
            history: place.history.key(),
            history_exists: place.history.is_there(),
            migrations: &all,
            waiting: &waits,
            hidden: &out_of_sight,
        };
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::new(Code::Bug, format!("the answer is no JSON: {error}")))?;
        terminal::print(&json);
    } else {
        terminal::print(&table(&all));
        for Waiting { version, line, text, .. } in &waits {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            terminal::print(&format!("{version}, line {line}, waits for `finish`: {text}"));
        }
        for what in &out_of_sight {
            terminal::print(&format!("hidden: {what}"));
        }
        let exists = if place.history.is_there() { "" } else { " (not there yet)" };
        let (tool, key) = (place.set.format.name(), place.history.key());
        terminal::say(&format!("{tool}, history in {key}{exists}"));
    }
    let open = all.iter().any(Standing::is_open);
    let odd = all.iter().any(is_odd);
    let well = !odd && (args.pending_ok || !open);
    // What stands otherwise is the message; there is no failure to tell of.
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

/// Whether somebody should look at it.
fn is_odd(one: &Standing) -> bool {
    use ripcord_databases::formats::MigrationKind::Repeatable;
    use ripcord_databases::postgres::Remark;
    let stuck = matches!(one.stand, Stand::Failed | Stand::Unfinished | Stand::HalfUndone);
    let changed = one.says(Remark::Changed) && one.kind != Repeatable;
    stuck || changed || one.says(Remark::FileMissing) || one.says(Remark::OutOfOrder)
}

fn table(all: &[Standing]) -> String {
    let row = |one: &Standing| {
        let style = match one.stand {
            Stand::Applied if is_odd(one) => terminal::colour(AnsiColor::Yellow),
            Stand::Applied | Stand::Covered => terminal::colour(AnsiColor::Green),
            Stand::Pending | Stand::Undone => Style::new(),
            Stand::Failed | Stand::Unfinished | Stand::HalfUndone => {
                terminal::colour(AnsiColor::Red)
            }
        };
        let remarks: Vec<&str> = one.remarks.iter().map(|remark| remark.words()).collect();
        let when = if one.stand == Stand::Undone { &one.undone_at } else { &one.applied_at };
        let when = when.as_deref().unwrap_or_default();
        let when = when.split_once('.').map_or(when, |(seconds, _)| seconds);
        // Colour comes last in the line, so that the columns line up.
        vec![
            one.version.clone(),
            one.name.clone(),
            one.stand.words().to_owned(),
            when.to_owned(),
            format!("{style}{}{style:#}", remarks.join(", ")),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    terminal::table(&["version", "name", "stands", "since", ""], &rows)
}
