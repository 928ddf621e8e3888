//! `ripcord check`.

use crate::check::{self, Level};
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;

/// Validate configuration, artifact, flags and every migration, before anything is released
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, context: &Context) -> Result<(), Failure> {
    let findings = check::check(&context.config)?;
    if context.json {
        let text = serde_json::to_string_pretty(&findings)
            .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
        terminal::print(&text);
    } else {
        let row = |finding: &check::Finding| {
            let sign = match finding.level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Error => "ERROR",
            };
            vec![sign.to_owned(), finding.subject.clone(), finding.message.clone()]
        };
        let rows: Vec<Vec<String>> = findings.iter().map(row).collect();
        terminal::print(&terminal::table(&["", "what", "found"], &rows));
    }
    let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
    match errors {
        0 => Ok(()),
        1 => Err(Failure::new(Code::CheckFailed, "1 thing is wrong")),
        n => Err(Failure::new(Code::CheckFailed, format!("{n} things are wrong"))),
    }
}
