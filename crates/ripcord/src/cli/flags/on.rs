//! `ripcord flags on`.

use crate::cli::context::Context;
use crate::cli::flags::change::{Reason, change};
use crate::failure::Failure;
use crate::flags::Act;

/// Turn a flag on for everybody: its rules go, and `revert` brings them back
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key of the flag
    flag: String,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    change(Act::On { flag: args.flag }, args.reason, context)
}
