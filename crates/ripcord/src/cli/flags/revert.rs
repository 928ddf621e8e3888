//! `ripcord flags revert`.

use crate::cli::context::Context;
use crate::cli::flags::change::{Reason, change};
use crate::failure::Failure;
use crate::flags::Act;

/// Change back what one revision changed, as a new revision; what somebody changed since stays
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The revision to undo
    #[arg(required_unless_present = "to", conflicts_with = "to")]
    revision: Option<u64>,
    /// Instead: return to the flags of this revision, whatever changed since
    #[arg(long, value_name = "REVISION")]
    to: Option<u64>,
    /// Overwrite what somebody changed since
    #[arg(long, conflicts_with = "to")]
    force: bool,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let act = Act::Revert {
        revision: args.revision.or(args.to).unwrap_or_default(),
        everything_since: args.to.is_some(),
        force: args.force,
    };
    change(act, args.reason, context)
}
