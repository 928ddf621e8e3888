//! `ripcord db up`.

use super::conditions::{Conditions, Modes, spend};
use super::crash::Plug;
use super::place::{Opened, Place};
use super::tell::{self, Subject};
use super::trouble::{failure, hindrance};
use crate::cli::context::Context;
use crate::failure::Failure;
use crate::terminal;
use ripcord_databases::postgres::{Passing, settle, to_run, up};
use std::process::ExitCode;

/// Run the migrations that are yet to run, so that they can be taken back without loss
///
/// Each runs in one transaction together with the row that the folder's own tool would write, so
/// that the tool goes on working. What a migration destroys is copied aside first, unless --mode or
/// an annotation before a statement says otherwise (`-- ripcord: hide`, `defer`, `destroy REASON`).
/// Run it again after whatever went wrong: it goes on where it stopped.
///
/// With --json each line of the output is an object.
///
/// Exit codes: 0 done; 2 usage; 3 refused, or a migration failed and left no trace; 6 the database
/// cannot be reached, or the answer to a commit was lost.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Run versions up to this one, and nothing that is repeatable
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    #[command(flatten)]
    passing: Passes,
    #[command(flatten)]
    modes: Modes,
    #[command(flatten)]
    conditions: Conditions,
}

/// What is passed over by choice.
#[derive(Debug, clap::Args)]
pub(super) struct Passes {
    /// Run also what comes before a version that is in force, where the tool would not
    #[arg(long)]
    out_of_order: bool,
    /// Go on although files were changed after they were applied
    #[arg(long)]
    allow_changed: bool,
    /// Go on although versions in force have no file
    #[arg(long)]
    allow_missing: bool,
}

impl Passes {
    pub(super) fn passing(&self) -> Passing {
        Passing {
            late: self.out_of_order,
            changed: self.allow_changed,
            missing: self.allow_missing,
        }
    }
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let history = args.place.open("up")?.history;
    let mut plug = Plug::from_environment();
    let mut session = args.place.session(&history)?;
    plug.pass();
    // Whoever was at work before may have made the table, or run what was pending a moment ago.
    let Opened { set, mut history, mut connection } = args.place.open("up")?;
    for version in settle(&mut session, &set, &history).map_err(|error| failure(&error))? {
        terminal::say(&format!("{version} was taken back by somebody else; noted so"));
    }
    let standings = history.standing(&set, &mut connection).map_err(|error| failure(&error))?;
    drop(connection);
    let chosen = to_run(set.format, &standings, args.to.as_deref(), args.passing.passing())
        .map_err(|error| hindrance(&error))?;
    let mut terms = args.modes.terms(&args.conditions)?;
    let mut count = 0;
    for index in chosen {
        let Some(migration) = set.migrations.get(index) else { continue };
        plug.pass();
        let mut tell = |progress| {
            plug.pass();
            tell::progress(&progress);
        };
        let outcome = up(&mut session, migration, &mut history, &terms, &mut tell)
            .map_err(|error| failure(&error))?;
        spend(&mut terms, &outcome);
        plug.pass();
        count += 1;
        let version =
            if migration.version.is_empty() { &migration.name } else { &migration.version };
        let subject = Subject { event: "ran", version, name: &migration.name };
        tell::outcome(&subject, &outcome, context);
    }
    tell::end("applied", count, context);
    Ok(ExitCode::SUCCESS)
}
