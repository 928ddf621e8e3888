//! `ripcord flags set`.

use crate::cli::context::Context;
use crate::cli::flags::change::{Reason, change};
use crate::failure::Failure;
use crate::flags::Act;

/// Set the variant of a flag where no rule decides; its rules stay
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key of the flag
    flag: String,
    /// The variant
    variant: String,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let act = Act::Set { flag: args.flag, variant: args.variant };
    change(act, args.reason, context)
}
