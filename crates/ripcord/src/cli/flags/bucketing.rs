//! `ripcord flags bucketing`.

use crate::cli::context::Context;
use crate::cli::flags::change::{Reason, change};
use crate::failure::Failure;
use crate::flags::{Act, hundredths};

/// Change how users are divided into shares, which gives some of them another variant
///
/// Says first which share of users that is, and does it only when that share is accepted with
/// `--accept`. Nothing else changes the generation of bucketing along the way.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The generation: v2 (flagd until 2026) or v3
    generation: String,
    /// The share of users of any flag who may get another variant at most, such as 18%
    #[arg(long, value_name = "SHARE")]
    accept: Option<String>,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let accept = args.accept.as_deref().map(hundredths).transpose()?;
    change(Act::Bucketing { bucketing: args.generation, accept }, args.reason, context)
}
