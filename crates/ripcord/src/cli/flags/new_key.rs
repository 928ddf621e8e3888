//! `ripcord flags new-key`: a key for a client of the flags server.

use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_ofrep::{NewKey, OfrepError};
use std::path::PathBuf;

/// Make a key for a client of the flags server, and show it once
///
/// The file keeps only its SHA-256. To take a key back, write `revoked` behind its line; a running
/// server notices.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the key is for: web, app, shop
    name: String,
    /// The file with the keys
    #[arg(long, default_value = "flags.keys", value_name = "FILE")]
    keys: PathBuf,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let key = NewKey::append(&args.keys, &args.name).map_err(|error| {
        let code = match &error {
            OfrepError::Keys { .. } => Code::FlagsKeys,
            _ => Code::CannotWrite,
        };
        Failure::new(code, error.to_string())
    })?;
    if context.json {
        let shown = serde_json::json!({ "name": args.name, "key": key.secret });
        terminal::print(&shown.to_string());
        return Ok(());
    }
    terminal::say(&format!("{} is in {}; the key is shown once:", args.name, args.keys.display()));
    terminal::print(&key.secret);
    Ok(())
}
