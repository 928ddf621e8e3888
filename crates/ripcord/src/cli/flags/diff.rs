//! `ripcord flags diff`.

use crate::cli::context::Context;
use crate::failure::Failure;
use crate::flags::parts;
use crate::terminal;
use ripcord_core::flag::{Parts, words};
use serde_json::json;

/// Show in words how the flags of two revisions or two environments differ
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The earlier revision [default: the one before the later]
    from: Option<u64>,
    /// The later revision [default: the present one]
    to: Option<u64>,
    /// Instead: from the present flags here to the present ones of this environment
    #[arg(long, conflicts_with_all = ["from", "to"], value_name = "NAME")]
    with: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let (client, environment) = (context.client()?, context.environment()?);
    let now = client.flags(&environment)?;
    let revision = |number: u64| match number {
        0 => Ok(String::new()),
        _ => client.flag_document(&environment, number),
    };
    let (old, new) = if let Some(other) = &args.with {
        (now.in_force, client.flags(other)?.in_force)
    } else {
        let to = args.to.unwrap_or(now.state.revision);
        let from = args.from.unwrap_or(to.saturating_sub(1));
        (revision(from)?, revision(to)?)
    };
    let read = |text: &str| if text.is_empty() { Ok(Parts::new()) } else { parts(text) };
    let lines = words::differences(&read(&old)?, &read(&new)?);
    if context.json {
        terminal::print(&json!({ "differences": lines }).to_string());
    } else if lines.is_empty() {
        terminal::say("no difference");
    }
    if !context.json {
        for line in &lines {
            terminal::print(line);
        }
    }
    Ok(())
}
