//! `ripcord flags lint`.

use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_flags::FlagSet;
use serde_json::json;
use std::path::PathBuf;

/// Check a document for what would make clients fail; without a file, the one that is served
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The document
    file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let (path, text) = match &args.file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(Code::FlagsInvalid, format!("{}: {error}", path.display()))
            })?;
            (path.clone(), text)
        }
        None => ("flags.json".into(), context.client()?.flags(&context.environment()?)?.in_force),
    };
    crate::store::flag_set(&path, text.as_bytes())?;
    let set = FlagSet::parse(&text)
        .map_err(|error| Failure::new(Code::FlagsInvalid, error.to_string()))?;
    let problems: Vec<String> = set.problems().iter().map(|problem| problem.what.clone()).collect();
    if context.json {
        terminal::print(&json!({ "flags": set.len(), "problems": problems }).to_string());
        return Ok(());
    }
    for problem in &problems {
        terminal::print(problem);
    }
    terminal::say(&format!("{} flags, {} problems", set.len(), problems.len()));
    Ok(())
}
