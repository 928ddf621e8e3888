//! `ripcord flags target`.

use crate::cli::context::Context;
use crate::cli::flags::change::{Reason, change};
use crate::failure::Failure;
use crate::flags::Act;

/// Give some users a variant, before all other rules; --remove takes that rule away
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key of the flag
    flag: String,
    /// Whose attribute is one of these values
    #[arg(required = true, value_name = "VALUE")]
    values: Vec<String>,
    /// Which attribute is compared
    #[arg(long, default_value = "targetingKey", value_name = "NAME")]
    attribute: String,
    /// The variant that they get
    #[arg(long, required_unless_present = "remove", value_name = "VARIANT")]
    variant: Option<String>,
    /// Take the rule for exactly these values away
    #[arg(long, conflicts_with = "variant")]
    remove: bool,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let Args { flag, values, attribute, variant, .. } = args;
    change(Act::Target { flag, attribute, values, variant }, args.reason, context)
}
