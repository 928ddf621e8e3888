//! `ripcord rollback`.

use crate::api::WishKind;
use crate::cli::context::{Context, release_id};
use crate::cli::deploy::{Patience, carry_out};
use crate::failure::Failure;
use std::time::Duration;

/// Return to an earlier verified release: traffic, code, configuration, schema, data and flags
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The release to return to [default: the last verified one before the present one]
    #[arg(long, value_name = "RELEASE")]
    to: Option<String>,
    /// Overwrite flags that somebody changed since; by default theirs stay as they are
    #[arg(long)]
    force_flags: bool,
    /// Return at once instead of following the plan
    #[arg(long)]
    detach: bool,
    /// How long to wait for the end of another operation, in seconds
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    wait: u64,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let to = args.to.as_deref().map(release_id).transpose()?;
    let patience = Patience {
        detach: args.detach,
        lock: Duration::from_secs(args.wait),
        person: Duration::ZERO,
    };
    carry_out(&WishKind::Rollback { to, force_flags: args.force_flags }, patience, context)
}
