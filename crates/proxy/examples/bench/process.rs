//! The proxy as a process of its own, so that its CPU time is its own.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use ripcord_proxy::{Control, Limits, Observed, Options};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::Result;

/// The first argument of the process that is to be the proxy.
pub(crate) const WORD: &str = "be-the-proxy";

/// A running proxy; killed when dropped.
pub(crate) struct Proxy {
    process: Child,
    pub(crate) control: Control,
    pub(crate) observed: Observed,
    _directory: TempDir,
}

fn options(directory: &Path) -> Options {
    Options {
        state_dir: directory.join("state"),
        listen: ([127, 0, 0, 1], 0).into(),
        preview: None,
        control: directory.join("control"),
        limits: Limits::default(),
    }
}

/// The body of the proxy's process.
pub(crate) fn run(directory: &Path) -> Result<()> {
    Ok(ripcord_proxy::run(options(directory))?)
}

impl Proxy {
    pub(crate) async fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let program = std::env::current_exe()?;
        let process = Command::new(program).arg(WORD).arg(directory.path()).spawn()?;
        let control = Control::new(options(directory.path()).control);
        for _ in 0..500 {
            let asked = control.clone();
            let observed = tokio::task::spawn_blocking(move || asked.observe()).await?;
            if let Ok(observed) = observed {
                return Ok(Self { process, control, observed, _directory: directory });
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err("the proxy did not start".into())
    }

    /// CPU time used so far, in ticks of the system.
    pub(crate) fn cpu_ticks(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name before it may hold anything, but it ends with the last parenthesis.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<_> = after_name.split_whitespace().collect();
        let field = |place: usize| fields.get(place).ok_or("no such field in stat");
        Ok(field(11)?.parse::<u64>()? + field(12)?.parse::<u64>()?)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
