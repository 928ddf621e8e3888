//! `ripcord flags export`.

use crate::cli::context::Context;
use crate::failure::Failure;
use crate::terminal;

/// Print the flags as a document in flagd's format
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Those of a revision, without what is off by layers [default: what is served]
    #[arg(long, value_name = "REVISION")]
    revision: Option<u64>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let (client, environment) = (context.client()?, context.environment()?);
    let text = match args.revision {
        Some(number) => client.flag_document(&environment, number)?,
        None => client.flags(&environment)?.in_force,
    };
    terminal::print(text.trim_end());
    Ok(())
}
