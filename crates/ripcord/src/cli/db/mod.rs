//! `ripcord db …`: verbs on databases and migrations that need no controller and no `ripcord.toml`.

mod attach;
mod conditions;
mod crash;
mod detach;
mod diff;
mod down;
mod finish;
mod folder;
mod kept;
mod place;
mod plan;
mod review;
mod score;
mod snapshot;
mod status;
mod tell;
mod trouble;
mod up;

use crate::cli::context::Context;
use crate::failure::Failure;
use clap::Subcommand;
use std::process::ExitCode;

/// Look at databases and migrate them; needs no controller and no configuration
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Review(review::Args),
    Snapshot(snapshot::Args),
    Diff(diff::Args),
    Status(status::Args),
    Plan(plan::Args),
    Up(up::Args),
    Down(down::Args),
    Finish(finish::Args),
    Attach(attach::Args),
    Kept(kept::Args),
    Detach(detach::Args),
    Score(score::Args),
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Review(args) => review::run(&args, context),
        Verb::Snapshot(args) => snapshot::run(&args, context),
        Verb::Diff(args) => diff::run(&args, context),
        Verb::Status(args) => status::run(&args, context),
        Verb::Plan(args) => plan::run(&args, context),
        Verb::Up(args) => up::run(&args, context),
        Verb::Down(args) => down::run(&args, context),
        Verb::Finish(args) => finish::run(&args, context),
        Verb::Attach(args) => attach::run(&args, context),
        Verb::Kept(args) => kept::run(&args, context),
        Verb::Detach(args) => detach::run(&args, context),
        Verb::Score(args) => score::run(&args, context),
    }
}
