//! `ripcord db attach`.

use super::place::Place;
use super::trouble::failure;
use crate::cli::context::Context;
use crate::failure::Failure;
use crate::terminal;
use ripcord_databases::postgres::attach;
use std::process::ExitCode;

/// Take over a database that another tool has migrated so far
///
/// Stores the scripts of what is in force beside what Ripcord ran itself, so that it can be taken
/// back by its author's down script, even when a later folder lacks that script. Runs no
/// migration. What a migration destroyed when the other tool ran it is kept nowhere.
///
/// Exit codes: 0 done; 2 usage; 3 refused; 6 the database cannot be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Where no tool remembers: the last version that is in force already
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let mut place = args.place.open("attach")?;
    let mut session = args.place.session(&place.history)?;
    let attached = attach(&mut session, &place.set, &mut place.history, args.at.as_deref())
        .map_err(|error| failure(&error))?;
    if context.json {
        let document = serde_json::json!({
            "version": 1,
            "stored": attached.stored,
            "forgotten": attached.forgotten,
            "without_way_back": attached.without_down,
        });
        terminal::print(&document.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let list = |versions: &[String]| match versions {
        [] => "nothing".to_owned(),
        some => some.join(", "),
    };
    terminal::print(&format!("stored: {}", list(&attached.stored)));
    if !attached.forgotten.is_empty() {
        let forgotten = list(&attached.forgotten);
        terminal::print(&format!("taken back by somebody else, noted so: {forgotten}"));
    }
    if !attached.without_down.is_empty() {
        let without = list(&attached.without_down);
        terminal::say(&format!("no script takes these back: {without}"));
    }
    Ok(ExitCode::SUCCESS)
}
