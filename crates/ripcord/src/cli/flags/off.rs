//! `ripcord flags off`: the command for three in the morning. It works without a controller too.

use crate::cli::context::{Context, release_id};
use crate::cli::flags::change::{Reason, request, show};
use crate::cli::flags::offline::turn_off_alone;
use crate::failure::{Code, Failure};
use crate::flags::Act;

/// Turn a flag off for everybody, or all flags of a release until somebody lifts that
///
/// Needs no controller: where none runs, the change goes straight into the ledger and the file that
/// is served, and the next controller goes on from there.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key of the flag
    #[arg(required_unless_present = "release", conflicts_with = "release")]
    flag: Option<String>,
    /// Instead: the flags that this release names as its own, whatever their rules say
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// Take the state directory from a controller that hangs, and act without it
    #[arg(long)]
    takeover: bool,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let act = match (args.flag, &args.release) {
        (_, Some(release)) => Act::OffRelease { release: release_id(release)? },
        (flag, None) => Act::Off { flag: flag.unwrap_or_default() },
    };
    let request = request(act, args.reason, context);
    if args.takeover {
        return turn_off_alone(&request, true, context);
    }
    let environment = context.environment()?;
    let asked = context.client().and_then(|client| client.change_flags(&environment, &request));
    match asked {
        Ok(answer) => show(&answer, context),
        Err(failure) if failure.code == Code::NoController => {
            turn_off_alone(&request, false, context)
        }
        Err(failure) => Err(failure),
    }
}
