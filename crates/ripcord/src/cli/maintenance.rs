//! `ripcord maintenance on|off`.

use crate::api::MaintenanceRequest;
use crate::cli::context::Context;
use crate::failure::Failure;
use crate::terminal;
use clap::ValueEnum;

/// Open or close a downtime window: requests get a page, and it is proved whether data changed
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Open or close
    what: Switch,
    /// Why, for the ledger
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Switch {
    /// Open the window
    On,
    /// Close it
    Off,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let request = MaintenanceRequest {
        on: matches!(args.what, Switch::On),
        by: context.by.clone(),
        reason: args.reason.clone(),
    };
    let environment = context.environment()?;
    let done: serde_json::Value = context.client()?.maintenance(&environment, &request)?;
    if context.json {
        terminal::print(&done.to_string());
        return Ok(());
    }
    let written = done.pointer("/closed/written").and_then(|written| written.as_array());
    match (done.as_str(), written) {
        (Some("opened"), _) => terminal::say("the downtime window is open; requests get a page"),
        (_, Some(tables)) if tables.is_empty() => {
            terminal::say("the downtime window is closed; every table is as it was");
        }
        (_, Some(tables)) => {
            let names: Vec<&str> = tables.iter().filter_map(|table| table.as_str()).collect();
            terminal::say(&format!("the downtime window is closed; written: {}", names.join(", ")));
        }
        _ => terminal::say("nothing was changed: it already was so"),
    }
    Ok(())
}
