//! `ripcord db detach`.

use super::kept::size;
use super::place::Address;
use super::trouble::failure;
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_databases::postgres::{Limits, Session, belongings, detach};
use std::process::ExitCode;

/// Leave a database without a trace; the folder's own tool goes on working
///
/// Removes the schema `ripcord` with everything in it. Refused while something in it may still be
/// wanted: kept rows, hidden tables or columns, a run that is not finished.
///
/// Exit codes: 0 done; 2 usage; 3 refused; 6 the database cannot be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    address: Address,
    /// Destroy what is kept and what is hidden; migrations that ran cannot be taken back losslessly
    /// any more
    #[arg(long)]
    discard_kept: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let mut session = Session::open(&args.address.url, "ripcord", &Limits::default())
        .map_err(|error| failure(&error))?;
    let found = belongings(&mut session).map_err(|error| failure(&error))?;
    if !found.unfinished.is_empty() {
        let versions = found.unfinished.join(", ");
        let error = format!("not finished: version {versions}; nothing was removed");
        return Err(Failure::new(Code::StillNeeded, error)
            .hint("`ripcord db up` or `ripcord db down` finishes it"));
    }
    if !found.is_nothing() && !args.discard_kept {
        let hidden = match found.hidden.as_slice() {
            [] => String::new(),
            some => format!(", and hidden: {}", some.join(", ")),
        };
        let waiting = match found.waiting.as_slice() {
            [] => String::new(),
            some => format!(", and put off: {}", some.join("; ")),
        };
        let what = format!("{} kept rows ({}){hidden}{waiting}", found.rows, size(found.bytes));
        return Err(Failure::new(Code::StillNeeded, format!("{what}; nothing was removed")).hint(
            "`ripcord db kept list` shows them; `ripcord db down` brings hidden things back, \
                 `ripcord db finish` runs what was put off; --discard-kept destroys what is kept",
        ));
    }
    detach(&mut session).map_err(|error| failure(&error))?;
    if context.json {
        let document = serde_json::json!({ "version": 1, "destroyed": found });
        terminal::print(&document.to_string());
    } else {
        terminal::print(&format!("nothing of Ripcord's is left in {}", session.place()));
    }
    Ok(ExitCode::SUCCESS)
}
