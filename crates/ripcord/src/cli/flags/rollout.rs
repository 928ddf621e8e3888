//! `ripcord flags rollout`.

use crate::cli::context::Context;
use crate::cli::flags::change::{Reason, change};
use crate::failure::Failure;
use crate::flags::{Act, hundredths};

/// Give a share of the users a variant; raising the share only adds users
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key of the flag
    flag: String,
    /// The share, such as 25% or 0.5%
    share: String,
    /// The variant [default: the one that turns the flag on]
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let share = hundredths(&args.share)?;
    let act = Act::Rollout { flag: args.flag, variant: args.variant, share };
    change(act, args.reason, context)
}
