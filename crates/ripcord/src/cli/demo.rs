//! `ripcord demo`.

use crate::cli::context::Context;
use crate::demo::{self, Data, Options};
use crate::failure::{Code, Failure};
use crate::terminal;
use std::path::PathBuf;

/// See a bad release with a destructive migration being taken back, on real parts, in a minute
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave everything running at the end, to explore
    #[arg(long)]
    keep: bool,
    /// Work in this directory and leave it [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Requests per second
    #[arg(long, default_value_t = 100, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=2_000))]
    rps: u32,
    /// Play it on `PostgreSQL`, on a private cluster of the programs that this system has
    #[arg(long, conflicts_with = "database")]
    postgres: bool,
    /// Play it on `PostgreSQL`, in a new database beside the one that this address names
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let options = Options {
        directory: args.directory.clone(),
        keep: args.keep,
        json: context.json,
        rps: args.rps,
        data: match &args.database {
            Some(url) => Data::At(url.clone()),
            None if args.postgres => Data::Private,
            None => Data::Sqlite,
        },
    };
    if options.keep && options.data == Data::Private {
        return Err(Failure::new(Code::Usage, "a private cluster ends with the demo")
            .hint("use --database with a server that runs by itself"));
    }
    let outcome = demo::run(&options)?;
    if options.json {
        let text = serde_json::to_string(&outcome)
            .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
        terminal::print(&text);
    }
    if outcome.holds() {
        return Ok(());
    }
    Err(Failure::new(Code::DemoFailed, "something that the demo promises does not hold")
        .hint("the lines above, or --json, say what"))
}
