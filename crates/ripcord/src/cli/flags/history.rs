//! `ripcord flags history`.

use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;

/// List the revisions of the flags: when, who, why, and what changed
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the last so many
    #[arg(long, value_name = "NUMBER")]
    last: Option<usize>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let mut all = context.client()?.flag_history(&context.environment()?)?;
    let skip = args.last.map_or(0, |last| all.len().saturating_sub(last));
    all.drain(..skip);
    if context.json {
        let text = serde_json::to_string(&all)
            .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
        terminal::print(&text);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|view| {
            let one = &view.revision;
            vec![
                one.number.to_string(),
                view.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
                view.by.clone(),
                one.source.to_string(),
                one.release.as_ref().map(ToString::to_string).unwrap_or_default(),
                one.changed.first().cloned().unwrap_or_default()
                    + if one.changed.len() > 1 { " …" } else { "" },
                one.reason.clone(),
            ]
        })
        .collect();
    let head = ["revision", "at", "by", "from", "release", "change", "reason"];
    terminal::print(&terminal::table(&head, &rows));
    Ok(())
}
