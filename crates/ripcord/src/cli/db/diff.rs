//! `ripcord db diff`.

use super::snapshot::read;
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_databases::postgres::{Change, Inverse, Scope, What, diff, inverse};
use serde::Serialize;
use std::process::ExitCode;

/// Say what differs between two `PostgreSQL` schemas, and how to turn the second into the first
///
/// Each is a file that `ripcord db snapshot` wrote, or the URL of a database. A renamed object is
/// one dropped and one created.
///
/// Exit codes: 0 they are the same; 2 usage; 3 they differ; 6 a database cannot be reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first schema
    #[arg(value_name = "FILE|URL")]
    before: String,
    /// The second schema
    #[arg(value_name = "FILE|URL")]
    after: String,
    /// Look only at this schema of a database; may be repeated
    #[arg(long, value_name = "NAME")]
    schema: Vec<String>,
    /// Print the statements that turn the second into the first, as a script for psql
    #[arg(long)]
    inverse: bool,
}

/// What machines read.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    same: bool,
    before: String,
    after: String,
    changes: &'a [Change],
    #[serde(skip_serializing_if = "Option::is_none")]
    inverse: Option<&'a Inverse>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let scope = Scope { schemas: args.schema.clone() };
    let (before, after) = (read(&args.before, &scope)?, read(&args.after, &scope)?);
    if before.schemas != after.schemas {
        let why = "one of the two was read for some schemas only, so they cannot be compared";
        return Err(Failure::new(Code::Usage, why).hint("read both with the same --schema"));
    }
    let changes = diff(&before, &after);
    let way = args.inverse.then(|| inverse(&before, &after));
    if context.json {
        let document = Document {
            version: 1,
            same: changes.is_empty(),
            before: before.digest().to_string(),
            after: after.digest().to_string(),
            changes: &changes,
            inverse: way.as_ref(),
        };
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::new(Code::Bug, format!("the answer is no JSON: {error}")))?;
        terminal::print(&json);
    } else if let Some(way) = &way {
        terminal::print(&script(way));
    } else {
        terminal::print(&table(&changes));
    }
    // The differences are the message; there is no failure to tell of.
    Ok(if changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn table(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "the schemas are the same".to_owned();
    }
    let row = |change: &Change| {
        let sign = match change.change {
            What::Created => "+",
            What::Dropped => "-",
            What::Changed { .. } => "~",
        };
        vec![sign.to_owned(), change.words.clone()]
    };
    let rows: Vec<Vec<String>> = changes.iter().map(row).collect();
    terminal::table(&["", "what differs"], &rows)
}

/// The script, and as comments in it what it does not do.
fn script(way: &Inverse) -> String {
    let mut text = String::new();
    for left in &way.left {
        text.push_str(&format!("-- not done: {}: {}\n", left.what, left.why).replace('\r', " "));
    }
    text.push_str(&way.script());
    text
}
