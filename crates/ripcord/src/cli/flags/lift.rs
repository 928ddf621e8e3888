//! `ripcord flags lift`.

use crate::cli::context::{Context, release_id};
use crate::cli::flags::change::{Reason, change};
use crate::failure::Failure;
use crate::flags::Act;

/// End what `flags off --release` or a rollback turned off: the flags are as they say again
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release whose flags are off
    #[arg(long, value_name = "RELEASE")]
    release: String,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    change(Act::Lift { release: release_id(&args.release)? }, args.reason, context)
}
