//! `ripcord flags list`.

use crate::cli::context::Context;
use crate::controller::FlagsView;
use crate::failure::{Code, Failure};
use crate::flags::parts;
use crate::terminal;
use anstyle::AnsiColor;
use ripcord_core::flag::{Part, Parts, words};
use serde_json::json;
use std::collections::BTreeSet;

/// List the flags and what each is, in every environment or in one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only flags whose key contains this
    #[arg(long, value_name = "TEXT")]
    matching: Option<String>,
}

/// The flags of one environment.
struct Column {
    view: FlagsView,
    served: Parts,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let names = match context.environment_named() {
        Some(name) => vec![name.to_owned()],
        None => client.environments()?,
    };
    let mut columns = Vec::new();
    for name in names {
        let view = client.flags(&name)?;
        let served = if view.in_force.is_empty() { Parts::new() } else { parts(&view.in_force)? };
        columns.push(Column { view, served });
    }
    let wanted = args.matching.as_deref().unwrap_or_default();
    let keys: BTreeSet<&str> = columns
        .iter()
        .flat_map(|column| column.served.keys().filter_map(Part::flag))
        .filter(|key| key.contains(wanted))
        .collect();
    if context.json {
        let shown: Vec<_> = columns.iter().map(|column| column.json(&keys)).collect();
        let text = serde_json::to_string(&shown)
            .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
        terminal::print(&text);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            let mut row = vec![(*key).to_owned()];
            row.extend(columns.iter().map(|column| column.words(key)));
            row
        })
        .collect();
    let mut head = vec!["flag"];
    head.extend(columns.iter().map(|column| column.view.environment.as_str()));
    terminal::print(&coloured(&terminal::table(&head, &rows)));
    for column in &columns {
        let state = &column.view.state;
        terminal::say(&format!("{}: revision {}", column.view.environment, state.revision));
        for (release, layer) in &state.layers {
            let flags: Vec<&str> = layer.flags.iter().map(String::as_str).collect();
            terminal::say(&format!(
                "  off with {release} by {}: {} ({})",
                layer.by,
                flags.join(", "),
                layer.reason
            ));
        }
    }
    Ok(())
}

impl Column {
    fn words(&self, key: &str) -> String {
        let Some(text) = self.served.get(&Part::Flag(key.to_owned())) else {
            return "-".to_owned();
        };
        let state = words::state_of(Some(text));
        match self.view.state.turned_off(key) {
            Some((release, _)) => format!("{state} (off with {release})"),
            None => state,
        }
    }

    fn json(&self, keys: &BTreeSet<&str>) -> serde_json::Value {
        let flags = keys.iter().filter_map(|key| {
            let text = self.served.get(&Part::Flag((*key).to_owned()))?;
            let off = self.view.state.turned_off(key).map(|(release, _)| release);
            let state = words::state_of(Some(text));
            Some(((*key).to_owned(), json!({ "state": state, "off_with": off })))
        });
        json!({
            "environment": self.view.environment,
            "revision": self.view.state.revision,
            "flags": flags.collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// What is on stands out from what is off, where the terminal shows it; the words say it anyway.
fn coloured(table: &str) -> String {
    let (green, red) = (terminal::colour(AnsiColor::Green), terminal::colour(AnsiColor::Red));
    let word = |line: &str| {
        let line = line.replace("  on", &format!("  {green}on{green:#}"));
        line.replace("  off", &format!("  {red}off{red:#}"))
    };
    let mut lines = table.lines();
    let head = lines.next().unwrap_or_default().to_owned();
    std::iter::once(head).chain(lines.map(word)).collect::<Vec<_>>().join("\n")
}
