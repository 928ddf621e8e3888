//! `ripcord ledger log|verify`. Both read the file itself, so they work without a controller.

use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use clap::Subcommand;
use ripcord_core::plan::Plan;
use ripcord_core::report::Story;
use ripcord_core::run::{Event, Subject};
use ripcord_ledger::{Anchor, LedgerReader};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Read and verify the append-only record of everything that happened
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tell what happened
    Log {
        /// Only entries after this sequence
        #[arg(long, default_value_t = 0, value_name = "SEQUENCE")]
        after: u64,
        /// Only the last so many
        #[arg(long, value_name = "NUMBER")]
        last: Option<usize>,
        /// Also what hardly changes, such as each count of a comparison
        #[arg(long)]
        verbose: bool,
    },
    /// Check the hash chain and the anchors known from outside
    Verify {
        /// A file with an earlier output of `ledger verify --json`: the ledger must continue it
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let reader = LedgerReader::open(&context.state())?;
    match &args.verb {
        Verb::Log { after, last, verbose } => {
            log(&reader, *after, *last, Story::new(*verbose), context)
        }
        Verb::Verify { anchor } => verify(&reader, anchor.as_ref(), context),
    }
}

fn log(
    reader: &LedgerReader,
    after: u64,
    last: Option<usize>,
    mut story: Story,
    context: &Context,
) -> Result<(), Failure> {
    let entries = reader.all_entries(0)?;
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    let mut lines = Vec::new();
    for entry in &entries {
        if let Event::PlanStarted { plan } = &entry.event {
            plans.insert(plan.id.to_string(), Plan::clone(plan));
        }
        if context.json {
            if entry.sequence <= after {
                continue;
            }
            let text = serde_json::to_string(entry)
                .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
            lines.push(text);
            continue;
        }
        let plan = match &entry.subject {
            Subject::Plan { plan, .. } => plans.get(plan.as_str()),
            _ => None,
        };
        // What is not shown is told all the same: later lines add it up.
        let line = story.tell(entry, plan).filter(|_| entry.sequence > after);
        if let Some(line) = line {
            let (sign, _) = terminal::look(line.mark);
            let time = line.at.strftime("%Y-%m-%d %H:%M:%S%.3f");
            lines.push(format!("{:>5}  {time}  {sign} {}", entry.sequence, line.text));
        }
    }
    let skip = last.map_or(0, |last| lines.len().saturating_sub(last));
    for line in lines.iter().skip(skip) {
        terminal::print(line);
    }
    Ok(())
}

fn verify(
    reader: &LedgerReader,
    anchor: Option<&PathBuf>,
    context: &Context,
) -> Result<(), Failure> {
    let anchors: Vec<Anchor> = match anchor {
        Some(path) => {
            let wrong =
                |why: String| Failure::new(Code::Usage, format!("{}: {why}", path.display()));
            let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let value: serde_json::Value =
                serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
            let head = value.get("head").cloned().unwrap_or(value);
            vec![serde_json::from_value(head).map_err(|error| wrong(error.to_string()))?]
        }
        None => Vec::new(),
    };
    let verified = reader.verify(&anchors)?;
    if context.json {
        let text = json!({ "verified": true, "entries": verified.entries, "head": verified.head });
        terminal::print(&text.to_string());
    } else {
        terminal::print(&format!(
            "{} entries, unbroken; the last is {} {}",
            verified.entries, verified.head.sequence, verified.head.digest
        ));
    }
    Ok(())
}
