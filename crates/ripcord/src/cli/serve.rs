//! `ripcord serve`: the controller.

use crate::api::{self, Contact};
use crate::cli::context::Context;
use crate::controller::{Controller, Opening};
use crate::failure::{Code, Failure};
use crate::terminal;
use crate::world::{Layout, replace_file};
use ripcord_core::model::Digest;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Run the controller: it owns the ledger, starts the proxy and carries out plans
///
/// Stopping it stops nothing else: instances and proxy go on, and the next start adopts them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where commands reach the controller; loopback addresses only
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Take the state directory from a controller that holds it, ending that one
    #[arg(long)]
    takeover: bool,
    /// Stop the instances and the proxy as well when the controller is stopped
    #[arg(long)]
    stop_everything: bool,
    /// End when the process that started it ends
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::new(
            Code::NotLoopback,
            format!("{} is not a loopback address", args.listen),
        )
        .hint("the interface has no encryption; put it behind ssh or a proxy that has"));
    }
    if args.end_with_parent {
        let term = Some(rustix::process::Signal::TERM);
        rustix::process::set_parent_process_death_signal(term)
            .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Bug, error.to_string()))?
        .block_on(serve(args, context))
}

/// Signals are heard from before anything is started, so that none finds us half open.
async fn serve(args: &Args, context: &Context) -> Result<(), Failure> {
    let signals = Signals::hear()?;
    let opening = opening(args, context)?;
    let controller = blocking(move || Controller::open(&opening)).await??;
    let threads = controller.start();
    let answered = answer(args.listen, &controller, context, signals).await;
    controller.stop();
    let stop_everything = args.stop_everything;
    let stopped = Arc::clone(&controller);
    let panicked = blocking(move || {
        let panicked = threads.into_iter().any(|thread| thread.join().is_err());
        if stop_everything {
            stopped.stop_everything();
        }
        panicked
    })
    .await?;
    // Whoever looks for a controller now shall not find one that is gone.
    drop(std::fs::remove_file(Layout::new(context.state()).contact()));
    match controller.fatal() {
        Some(why) => Err(Failure::new(Code::LedgerUnusable, why)
            .hint("nothing was guessed; look at the cause, then start `ripcord serve` again")),
        None if panicked => Err(Failure::new(Code::Bug, "the thread of an environment panicked")),
        None => answered,
    }
}

fn opening(args: &Args, context: &Context) -> Result<Opening, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Code::Bug, format!("this program: {error}")))?;
    Ok(Opening {
        config: std::path::absolute(&context.config).unwrap_or(context.config.clone()),
        state: context.state(),
        takeover: args.takeover,
        program: program.into_os_string(),
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Failure::new(Code::Bug, panic.to_string()))
}

async fn answer(
    listen: SocketAddr,
    controller: &Arc<Controller>,
    context: &Context,
    mut signals: Signals,
) -> Result<(), Failure> {
    let in_use =
        |error: std::io::Error| Failure::new(Code::PortInUse, format!("{listen}: {error}"));
    let listener = TcpListener::bind(listen).await.map_err(in_use)?;
    let address = listener.local_addr().map_err(in_use)?;
    let token = token()?;
    let contact = Contact {
        address,
        token: token.clone(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    publish(&context.state(), &contact)?;
    for environment in controller.environments.values() {
        let settings = environment.settings();
        terminal::say(&format!("{}: serving on http://{}", environment.name, settings.listen));
    }
    let state = context.state();
    terminal::say(&format!("controller on http://{address}, state in {}", state.display()));
    let stopped = {
        let controller = Arc::clone(controller);
        async move {
            tokio::select! {
                () = signals.any() => {}
                () = failed(&controller) => {}
            }
            controller.stop();
        }
    };
    api::serve(listener, Arc::clone(controller), &token, stopped)
        .await
        .map_err(|error| Failure::new(Code::Bug, error.to_string()))
}

/// The signals that ask to end.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn hear() -> Result<Signals, Failure> {
        let hear = |kind| {
            signal(kind).map_err(|error| Failure::new(Code::Bug, format!("signals: {error}")))
        };
        Ok(Signals { term: hear(SignalKind::terminate())?, int: hear(SignalKind::interrupt())? })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

async fn failed(controller: &Controller) {
    while controller.fatal().is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// 256 random bits, as text.
fn token() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Failure::new(Code::Bug, format!("no randomness: {error}")))?;
    let digest = Digest::of_bytes(&bytes);
    Ok(digest.as_str().trim_start_matches("sha256:").to_owned())
}

fn publish(state: &std::path::Path, contact: &Contact) -> Result<(), Failure> {
    let path = Layout::new(state).contact();
    let text = serde_json::to_vec(contact).unwrap_or_default();
    // The directory was closed to others when it was made, so the file is private at no moment
    // less than after this.
    replace_file(&path, &text)
        .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)))
        .map_err(|error| Failure::new(Code::CannotWrite, format!("{}: {error}", path.display())))
}
