//! `ripcord db down`.

use super::conditions::{Conditions, spend};
use super::crash::Plug;
use super::place::{Opened, Place};
use super::plan::foretold;
use super::tell::{self, Subject};
use super::trouble::{failure, hindrance};
use crate::cli::context::Context;
use crate::failure::Failure;
use crate::terminal;
use ripcord_databases::formats::MigrationSet;
use ripcord_databases::postgres::{
    Back, Ran, Standing, Taking, down, preview_down, settle, to_take_back,
};
use std::process::ExitCode;

/// Take migrations back, the latest first; what they destroyed comes back, and what users wrote
/// since stays
///
/// Each is taken back in one transaction, with its author's down script where there is one (checked,
/// and put right where it leaves anything otherwise than it was), or else by what was noted when it
/// ran. What users wrote into what goes away is kept, and comes back when the migration runs again.
/// Run it again after whatever went wrong.
///
/// With --json each line of the output is an object.
///
/// Exit codes: 0 done; 2 usage; 3 refused; 6 the database cannot be reached, or the answer to a
/// commit was lost.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
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

impl Args {
    fn back(&self) -> Back<'_> {
        back(self.to.as_deref(), self.steps)
    }
}

/// How far back.
pub(super) fn back(to: Option<&str>, steps: Option<usize>) -> Back<'_> {
    match (to, steps) {
        (Some(version), _) => Back::To(version),
        (None, Some(count)) => Back::Steps(count),
        (None, None) => Back::Steps(1),
    }
}

/// The runs to be taken back, and which of them a script takes back.
pub(super) fn takings(
    chosen: &[i64],
    runs: &[Ran],
    standings: &[Standing],
    set: &MigrationSet,
) -> Vec<Taking> {
    let taking = |ran: &Ran| {
        let mut known = standings.iter();
        let standing = known.find(|one| one.version == ran.version && one.kind == ran.kind);
        let file = standing.and_then(|one| set.migrations.get(one.index?));
        let script = ran.has_down || file.is_some_and(|file| file.down.is_some());
        Taking { run: ran.id, script }
    };
    let chosen = chosen.iter().filter_map(|id| runs.iter().find(|ran| ran.id == *id));
    chosen.map(taking).collect()
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let history = args.place.open("down")?.history;
    let mut plug = Plug::from_environment();
    let mut session = args.place.session(&history)?;
    plug.pass();
    // Whoever was at work before may have changed what is in force.
    let Opened { set, history, mut connection } = args.place.open("down")?;
    for version in settle(&mut session, &set, &history).map_err(|error| failure(&error))? {
        terminal::say(&format!("{version} was taken back by somebody else; noted so"));
    }
    let standings = history.standing(&set, &mut connection).map_err(|error| failure(&error))?;
    let runs = history.runs(&mut connection).map_err(|error| failure(&error))?;
    let chosen = to_take_back(&standings, &runs, args.back()).map_err(|error| hindrance(&error))?;
    let mut terms = args.conditions.terms()?;
    let takings = takings(&chosen, &runs, &standings, &set);
    // Who has to go back now is not kept from it by a forecast that fails.
    match preview_down(&mut connection, history.key(), &takings, &terms) {
        Ok(ahead) if !takings.is_empty() => terminal::say(&foretold(&ahead).join("\n")),
        Ok(_) => {}
        Err(error) => terminal::say(&format!("no forecast: {error}")),
    }
    drop(connection);
    let mut count = 0;
    for id in chosen {
        let Some(ran) = runs.iter().find(|ran| ran.id == id) else { continue };
        let standing =
            standings.iter().find(|one| one.version == ran.version && one.kind == ran.kind);
        let file = standing.and_then(|one| set.migrations.get(one.index?));
        plug.pass();
        let mut tell = |progress| {
            plug.pass();
            tell::progress(&progress);
        };
        let outcome = down(&mut session, id, file, &history, &terms, &mut tell)
            .map_err(|error| failure(&error))?;
        spend(&mut terms, &outcome);
        plug.pass();
        count += 1;
        let subject = Subject { event: "taken_back", version: &ran.version, name: &ran.name };
        tell::outcome(&subject, &outcome, context);
    }
    tell::end("taken back", count, context);
    Ok(ExitCode::SUCCESS)
}
