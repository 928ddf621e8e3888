//! `ripcord flags`: feature flags, served and changed.

mod new_key;
mod serve;

use crate::cli::context::Context;
use crate::failure::Failure;
use clap::Subcommand;

/// Serve feature flags to clients of OpenFeature, and change them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(serve::Args),
    NewKey(new_key::Args),
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    match args.verb {
        Verb::Serve(args) => serve::run(args, context),
        Verb::NewKey(args) => new_key::run(&args, context),
    }
}
