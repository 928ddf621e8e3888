//! The command line: one file per verb. Each turns its arguments into one call of the controller
//! and shows the answer; nothing is decided here.

mod apply;
mod bench;
mod chart;
mod check;
mod context;
mod db;
mod demo;
mod deploy;
mod flags;
mod follow;
mod hidden;
mod init;
mod judge;
mod ledger;
mod maintenance;
mod plan;
mod release;
mod request;
mod rollback;
mod rollout;
mod serve;
mod status;
mod words;

pub(crate) use context::Context;
pub(crate) use follow::{Ended, follow};

use crate::failure::{Code, Failure};
use crate::terminal;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Releases software and takes it back: traffic, code, configuration, schema, data and flags as
/// one planned, journaled operation.
///
/// Exit codes: 0 done; 1 a bug of Ripcord; 2 usage or configuration; 3 refused before acting;
/// 4 found bad and taken back; 5 needs an operator; 6 unreachable.
#[derive(Debug, Parser)]
#[command(name = "ripcord", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Options that every command takes.
#[derive(Debug, clap::Args)]
struct Global {
    /// The configuration file
    #[arg(long, global = true, default_value = "ripcord.toml", value_name = "FILE")]
    config: PathBuf,
    /// The state directory [default: .ripcord beside the configuration file]
    #[arg(long, global = true, env = "RIPCORD_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// The environment [default: the only one of the configuration]
    #[arg(long, short, global = true, env = "RIPCORD_ENVIRONMENT", value_name = "NAME")]
    environment: Option<String>,
    /// Print JSON on standard output, for machines
    #[arg(long, global = true)]
    json: bool,
    /// Who is asking, for the ledger [default: the user's name]
    #[arg(long, global = true, env = "RIPCORD_BY", value_name = "NAME")]
    by: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Args),
    Init(init::Args),
    Check(check::Args),
    Serve(serve::Args),
    Release(release::Args),
    Plan(plan::Args),
    Deploy(deploy::Args),
    Apply(apply::Args),
    Status(status::Args),
    Promote(request::Promote),
    Jump(request::Jump),
    Pause(request::Pause),
    Resume(request::Resume),
    Abort(request::Abort),
    Retry(request::Retry),
    Rollback(rollback::Args),
    Maintenance(maintenance::Args),
    Db(db::Args),
    Flags(flags::Args),
    Judge(judge::Args),
    Ledger(ledger::Args),
    #[command(hide = true)]
    Instance(hidden::Instance),
    #[command(hide = true)]
    Exec(hidden::Instance),
    #[command(hide = true)]
    Proxy(hidden::Proxy),
    #[command(hide = true)]
    Shop(hidden::Shop),
    #[command(hide = true)]
    BenchCutover(bench::CutoverArgs),
    #[command(hide = true)]
    BenchDetection(bench::DetectionArgs),
    #[command(hide = true)]
    BenchFlagsOff(bench::FlagsOffArgs),
}

/// Reads the command line, runs the verb, says what went wrong, and returns the exit code.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap prints each where it belongs.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let json = cli.global.json;
    let context = Context::new(
        cli.global.config,
        cli.global.state,
        cli.global.environment,
        json,
        cli.global.by,
    );
    match dispatch(cli.verb, &context) {
        Ok(code) => code,
        Err(failure) => {
            terminal::failure(&failure, json);
            // What a signal ended exits as shells expect it.
            let interrupted = failure.code == Code::Interrupted;
            ExitCode::from(if interrupted { 130 } else { failure.exit_code() })
        }
    }
}

fn dispatch(verb: Verb, context: &Context) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Instance(args) => return Ok(hidden::instance(&args)),
        Verb::Exec(args) => return Ok(hidden::exec(&args)),
        Verb::Shop(args) => return Ok(hidden::shop(args)),
        Verb::Judge(args) => return judge::run(&args, context),
        Verb::Db(args) => return db::run(args, context),
        Verb::Proxy(args) => hidden::proxy(args)?,
        Verb::Demo(args) => demo::run(&args, context)?,
        Verb::Init(args) => init::run(&args, context)?,
        Verb::Check(args) => check::run(&args, context)?,
        Verb::Serve(args) => serve::run(&args, context)?,
        Verb::Release(args) => release::run(args, context)?,
        Verb::Plan(args) => plan::run(&args, context)?,
        Verb::Deploy(args) => deploy::run(&args, context)?,
        Verb::Apply(args) => apply::run(&args, context)?,
        Verb::Status(args) => status::run(&args, context)?,
        Verb::Promote(args) => request::promote(&args, context)?,
        Verb::Jump(args) => request::jump(&args, context)?,
        Verb::Pause(args) => request::pause(&args, context)?,
        Verb::Resume(args) => request::resume(&args, context)?,
        Verb::Abort(args) => request::abort(&args, context)?,
        Verb::Retry(args) => request::retry(&args, context)?,
        Verb::Rollback(args) => rollback::run(&args, context)?,
        Verb::Maintenance(args) => maintenance::run(&args, context)?,
        Verb::Flags(args) => flags::run(args, context)?,
        Verb::Ledger(args) => ledger::run(&args, context)?,
        Verb::BenchCutover(args) => bench::cutover(&args)?,
        Verb::BenchDetection(args) => bench::detection(&args)?,
        Verb::BenchFlagsOff(args) => bench::flags_off(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
