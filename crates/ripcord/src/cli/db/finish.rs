//! `ripcord db finish`.

use super::conditions::{Conditions, Modes};
use super::place::Place;
use super::tell::{self, Subject};
use super::trouble::failure;
use crate::cli::context::Context;
use crate::failure::Failure;
use ripcord_databases::postgres::{finish, waiting};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Run the statements that were put off, when nothing uses any more what they remove
///
/// `ripcord db up --mode defer`, or `-- ripcord: defer` before a statement, puts statements off;
/// `ripcord db status` lists them. What they destroy is copied aside like by `up`, or as --mode
/// says; `ripcord db down` takes them back together with their migration.
///
/// Exit codes: 0 done, or nothing waits; 2 usage; 3 refused, or a statement failed and all go on
/// waiting; 6 the database cannot be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Only what this version put off
    #[arg(long, value_name = "VERSION")]
    only: Option<String>,
    #[command(flatten)]
    modes: Modes,
    #[command(flatten)]
    conditions: Conditions,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let mut place = args.place.open("finish")?;
    let mut due = waiting(&mut place.connection, place.history.key()).map_err(|e| failure(&e))?;
    due.retain(|one| args.only.as_ref().is_none_or(|version| *version == one.version));
    let runs: BTreeMap<i64, String> = due.into_iter().map(|one| (one.run, one.version)).collect();
    if runs.is_empty() {
        tell::end("finished", 0, context);
        return Ok(ExitCode::SUCCESS);
    }
    let mut session = args.place.session(&place.history)?;
    let terms = args.modes.terms(&args.conditions)?;
    for (run, version) in &runs {
        let outcome = finish(&mut session, *run, &terms, &mut |progress| tell::progress(&progress))
            .map_err(|error| failure(&error))?;
        let subject = Subject { event: "finished", version, name: "what it put off" };
        tell::outcome(&subject, &outcome, context);
    }
    tell::end("finished", runs.len(), context);
    Ok(ExitCode::SUCCESS)
}
