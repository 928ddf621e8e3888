//! `ripcord flags`: feature flags, served and changed. Each verb is one request to the controller.

mod bucketing;
mod change;
mod diff;
mod eval;
mod export;
mod get;
mod history;
mod import;
mod lift;
mod lint;
mod list;
mod new_key;
mod off;
mod offline;
mod on;
mod revert;
mod rollout;
mod serve;
mod services;
mod set;
mod stale;
mod target;

use crate::cli::context::Context;
use crate::failure::Failure;
use clap::Subcommand;

/// Serve feature flags to clients of `OpenFeature`, and change them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::Args),
    Get(get::Args),
    On(on::Args),
    Off(off::Args),
    Lift(lift::Args),
    Set(set::Args),
    Target(target::Args),
    Rollout(rollout::Args),
    Bucketing(bucketing::Args),
    History(history::Args),
    Diff(diff::Args),
    Revert(revert::Args),
    Eval(eval::Args),
    Lint(lint::Args),
    Import(import::Args),
    Export(export::Args),
    Stale(stale::Args),
    Services(services::Args),
    Serve(serve::Args),
    NewKey(new_key::Args),
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    match args.verb {
        Verb::List(args) => list::run(&args, context),
        Verb::Get(args) => get::run(&args, context),
        Verb::On(args) => on::run(args, context),
        Verb::Off(args) => off::run(args, context),
        Verb::Lift(args) => lift::run(args, context),
        Verb::Set(args) => set::run(args, context),
        Verb::Target(args) => target::run(args, context),
        Verb::Rollout(args) => rollout::run(args, context),
        Verb::Bucketing(args) => bucketing::run(args, context),
        Verb::History(args) => history::run(&args, context),
        Verb::Diff(args) => diff::run(&args, context),
        Verb::Revert(args) => revert::run(args, context),
        Verb::Eval(args) => eval::run(&args, context),
        Verb::Lint(args) => lint::run(&args, context),
        Verb::Import(args) => import::run(args, context),
        Verb::Export(args) => export::run(&args, context),
        Verb::Stale(args) => stale::run(&args, context),
        Verb::Services(args) => services::run(&args, context),
        Verb::Serve(args) => serve::run(args, context),
        Verb::NewKey(args) => new_key::run(&args, context),
    }
}
