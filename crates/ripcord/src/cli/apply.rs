//! `ripcord apply`: carries out exactly the plan that was written and, perhaps, approved.

use crate::cli::context::Context;
use crate::cli::deploy::{Patience, start};
use crate::failure::{Code, Failure};
use ripcord_core::plan::Plan;
use std::path::PathBuf;
use std::time::Duration;

/// The largest plan file.
const BYTES_MAX: u64 = 64 << 20;

/// Carry out a plan written by `ripcord plan --out`; refused when anything has happened since
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan file
    plan: PathBuf,
    /// Return at once instead of following the plan
    #[arg(long)]
    detach: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let wrong = |why: String| {
        Failure::new(Code::PlanUnreadable, format!("{}: {why}", args.plan.display()))
            .hint("write one with `ripcord plan deploy --out FILE`")
    };
    let size = std::fs::metadata(&args.plan).map_err(|error| wrong(error.to_string()))?.len();
    if size > BYTES_MAX {
        return Err(wrong(format!("{size} bytes are too many for a plan")));
    }
    let text = std::fs::read(&args.plan).map_err(|error| wrong(error.to_string()))?;
    let plan: Plan = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let patience =
        Patience { detach: args.detach, lock: Duration::ZERO, person: Duration::from_hours(1) };
    start(&plan, patience, context)
}
