//! A proxy in a process of its own, to be killed.

use std::path::Path;
use std::process::{Child as Process, Command, Stdio};
use std::time::Duration;

use ripcord_proxy::{Control, Limits, Observed, Options};
use tokio::time::sleep;

/// Names the directory to the child.
const DIRECTORY: &str = "RIPCORD_TEST_PROXY_DIRECTORY";

/// A running proxy; killed when dropped.
pub(crate) struct Child {
    process: Process,
    pub(crate) control: Control,
}

fn options(directory: &Path) -> Options {
    Options {
        state_dir: directory.join("state"),
        listen: crate::world::local(),
        preview: None,
        control: directory.join("control"),
        limits: Limits::default(),
    }
}

impl Child {
    /// Starts one over a directory and waits until it answers.
    pub(crate) async fn start(directory: &Path) -> Self {
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::is_a_proxy_when_asked", "--nocapture"])
            .env(DIRECTORY, directory)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(directory.join("log")).unwrap())
            .spawn()
            .unwrap();
        let child = Self { process, control: Control::new(options(directory).control) };
        for _ in 0..1_000 {
            if child.try_observe().await.is_some() {
                return child;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("the proxy did not start");
    }

    pub(crate) async fn observe(&self) -> Observed {
        self.try_observe().await.unwrap()
    }

    async fn try_observe(&self) -> Option<Observed> {
        self.ask(|control| control.observe().ok()).await
    }

    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(Control) -> T + Send + 'static,
    ) -> T {
        let control = self.control.clone();
        tokio::task::spawn_blocking(move || question(control)).await.unwrap()
    }

    /// Like kill -9.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The body of the child process; without its variable it is nobody's child and has nothing to do.
#[test]
fn is_a_proxy_when_asked() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    ripcord_proxy::run(options(Path::new(&directory))).unwrap();
}
