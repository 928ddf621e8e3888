//! `ripcord demo`: the main job on real parts. A controller, a proxy and a shop are started, the
//! shop is released well and badly, as a canary and at once, under load; and what is bad is taken
//! back.

mod canary;
mod cluster;
mod flags_seen;
mod journey;
mod outcome;
mod server;
mod stage;
mod story;

pub(crate) use outcome::Outcome;
pub(crate) use server::Data;
pub(crate) use stage::{ENVIRONMENT, Fixture, Stage, cannot_write};

use crate::failure::{Code, Failure};
use crate::terminal;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// How the demo is run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where it works; a new temporary directory when not given.
    pub(crate) directory: Option<PathBuf>,
    /// Leave everything running at the end.
    pub(crate) keep: bool,
    /// Print one JSON object at the end.
    pub(crate) json: bool,
    /// Requests per second.
    pub(crate) rps: u32,
    /// Where its data is.
    pub(crate) data: Data,
}

/// How long the processes may take to end.
const END: Duration = Duration::from_secs(30);

/// Runs the demo to its end, or to Ctrl-C; in both cases no process is left behind.
pub(crate) fn run(options: &Options) -> Result<Outcome, Failure> {
    let stopped = interruption()?;
    let stage = Stage::set(options)?;
    let (sender, done) = mpsc::channel();
    let (played, options_of_it) = (stage.clone(), options.clone());
    std::thread::spawn(move || {
        let outcome = journey::play(&played, &options_of_it);
        drop(sender.send(outcome));
    });
    let outcome = loop {
        if stopped.try_recv().is_ok() {
            break Err(Failure::new(Code::Interrupted, "interrupted"));
        }
        match done.recv_timeout(Duration::from_millis(50)) {
            Ok(outcome) => break outcome,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                break Err(Failure::new(Code::Bug, "the demo broke off"));
            }
        }
    };
    if options.keep && outcome.is_ok() {
        stage.leave();
    } else {
        stage.strike(END)?;
    }
    outcome
}

/// Hears of Ctrl-C and of a request to end, from before anything is started.
fn interruption() -> Result<mpsc::Receiver<()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = mpsc::channel();
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let (Ok(mut int), Ok(mut term)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            let _ = ready.send(());
            loop {
                tokio::select! {
                    _ = int.recv() => {}
                    _ = term.recv() => {}
                }
                terminal::say("interrupted; ending what was started");
                let _ = sender.send(());
            }
        });
    });
    is_ready
        .recv_timeout(Duration::from_secs(5))
        .map_err(|error| Failure::new(Code::Bug, format!("no signal handler: {error}")))?;
    Ok(receiver)
}
