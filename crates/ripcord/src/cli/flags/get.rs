//! `ripcord flags get`.

use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::flags::{parts, unknown};
use crate::terminal;
use ripcord_core::flag::{Part, words};
use serde_json::{Value, json};

/// Show a flag as it is served: its state, who turned it off, and its definition
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key of the flag
    flag: String,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let view = context.client()?.flags(&context.environment()?)?;
    let served = parts(&view.in_force)?;
    let part = Part::Flag(args.flag.clone());
    let Some(text) = served.get(&part) else { return Err(unknown(&args.flag, &served)) };
    let definition: Value = serde_json::from_str(text)
        .map_err(|error| Failure::new(Code::FlagsInvalid, error.to_string()))?;
    let off = view.state.turned_off(&args.flag);
    if context.json {
        let value = json!({
            "flag": args.flag,
            "revision": view.state.revision,
            "definition": definition,
            "off_with": off.map(|(release, _)| release),
            "off_by": off.map(|(_, layer)| &layer.by),
            "off_because": off.map(|(_, layer)| &layer.reason),
        });
        terminal::print(&value.to_string());
        return Ok(());
    }
    terminal::say(&format!("{}: {}", args.flag, words::state_of(Some(text))));
    if let Some((release, layer)) = off {
        terminal::say(&format!("off with {release} by {}: {}", layer.by, layer.reason));
        terminal::say(&format!("`ripcord flags lift --release {release}` ends that"));
    }
    let pretty = serde_json::to_string_pretty(&definition)
        .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
    terminal::print(&pretty);
    Ok(())
}
