//! `ripcord flags serve`: a flags document over the open flag protocol, with or without a
//! controller.

use crate::cli::context::Context;
use crate::config::Config;
use crate::failure::{Code, Failure};
use crate::terminal;
use crate::world::Layout;
use ripcord_flags::BrokenRules;
use ripcord_ofrep::{Limits, OfrepError, Options};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Serve a flags document to clients of `OpenFeature` (OFREP 0.3.0), until it is stopped
///
/// A change of the file is served within milliseconds and told to open pages. A document that
/// cannot be used changes nothing: the last good one is served on, over a restart, too. It needs
/// no controller. GET /healthz says whether it is well.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The document, in the format of flagd [default: the one in force in the environment]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where clients ask; without --keys, loopback addresses only
    #[arg(long, default_value = "127.0.0.1:8016", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The same for a port of this machine alone: `--listen 127.0.0.1:PORT`
    #[arg(long, conflicts_with = "listen", value_name = "PORT")]
    port: Option<u16>,
    /// Ask clients for one of the keys in this file, made by `ripcord flags new-key`
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Let pages of this origin read answers; can be repeated [default: all origins]
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Serve a document although rules in it cannot be compiled; flags with such rules answer with
    /// an error then, and the others as usual
    #[arg(long)]
    lenient: bool,
    /// The most requests per second of one client; 429 beyond it, except after a change
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let file = match args.file {
        Some(file) => file,
        None => in_force(context)?,
    };
    let options = Options {
        file: std::path::absolute(&file).unwrap_or(file),
        listen: args.port.map_or(args.listen, |port| (Ipv4Addr::LOCALHOST, port).into()),
        keys: args.keys,
        origins: args.origins,
        broken_rules: if args.lenient { BrokenRules::Serve } else { BrokenRules::Refuse },
        say: terminal::say,
        limits: Limits { rate_max: args.rate, ..Limits::default() },
    };
    let shown = options.file.display().to_string();
    let ready = move |address| terminal::say(&format!("{shown} is served on http://{address}"));
    ripcord_ofrep::run(options, ready).map_err(|error| {
        let code = match &error {
            OfrepError::Listen { .. } => Code::PortInUse,
            OfrepError::NoKeys(_) => Code::FlagsNeedKeys,
            OfrepError::Keys { .. } => Code::FlagsKeys,
            OfrepError::System(_) => Code::FlagsNotServed,
        };
        let failure = Failure::new(code, error.to_string());
        match code {
            Code::FlagsNeedKeys => failure
                .hint("make a key with `ripcord flags new-key NAME`, then add `--keys flags.keys`"),
            _ => failure,
        }
    })
}

/// The document in force in the environment, which `ripcord serve` puts there.
fn in_force(context: &Context) -> Result<PathBuf, Failure> {
    let settings = Config::load(&context.config)?.environment(context.environment_named())?;
    Ok(Layout::new(context.state()).environment(&settings.name).flags())
}
