//! Commands that Ripcord starts itself with: not for people.

use crate::failure::{Code, Failure};
use ripcord_proxy::{Limits, Options, ProxyError};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps one instance running; it outlives the controller.
#[derive(Debug, clap::Args)]
pub(crate) struct Instance {
    unit: PathBuf,
}

/// The data plane of one environment.
#[derive(Debug, clap::Args)]
pub(crate) struct Proxy {
    #[arg(long)]
    state_dir: PathBuf,
    #[arg(long)]
    control: PathBuf,
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    preview: Option<SocketAddr>,
    #[arg(long, default_value = "/up")]
    health_path: String,
}

/// The shop of the demo.
#[derive(Debug, clap::Args)]
pub(crate) struct Shop {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn instance(args: &Instance) -> ExitCode {
    let program = std::env::current_exe().map_or_else(|_| "ripcord".into(), OsString::from);
    let code = ripcord_platforms::run_shim(&args.unit, &[program, "exec".into()]);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

pub(crate) fn exec(args: &Instance) -> ExitCode {
    let code = ripcord_platforms::run_exec(&args.unit);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

pub(crate) fn shop(args: Shop) -> ExitCode {
    match ripcord_shop::main_with(args.arguments.into_iter()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crate::terminal::say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn proxy(args: Proxy) -> Result<(), Failure> {
    let limits = Limits { health_path: args.health_path, ..Limits::default() };
    let options = Options {
        state_dir: args.state_dir,
        listen: args.listen,
        preview: args.preview,
        control: args.control,
        limits,
    };
    ripcord_proxy::run(options).map_err(|error| {
        let code = match &error {
            ProxyError::Listen { .. } | ProxyError::InUse { .. } => Code::PortInUse,
            _ => Code::ProxyNotStarted,
        };
        Failure::new(code, error.to_string())
    })
}
