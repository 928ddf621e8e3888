//! A controller in a process of its own, to be frozen and killed.

use crate::support::{fact, open};
use ripcord_engine::Ledger as _;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Names the state directory to the child.
const DIRECTORY: &str = "RIPCORD_TEST_STATE_DIRECTORY";

/// A running controller that appends without end; killed when dropped.
pub(crate) struct Controller {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Controller {
    /// Starts one and returns once it holds the ledger.
    pub(crate) fn start(directory: &Path) -> Controller {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::is_a_controller_when_asked", "--nocapture"])
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut controller = Controller { child, output };
        controller.next_acknowledged();
        controller
    }

    /// Waits for its next acknowledged append.
    pub(crate) fn next_acknowledged(&mut self) -> u64 {
        self.acknowledged().expect("the controller appends until it is killed")
    }

    /// The next acknowledged append; none when there will be no more.
    pub(crate) fn acknowledged(&mut self) -> Option<u64> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some((_, number)) = line.trim().rsplit_once("acknowledged ") {
                return Some(number.parse().unwrap());
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The number of the signal that ended it.
    pub(crate) fn ended_by(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        self.child.wait().unwrap().signal()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The body of the child process; without its variable it is nobody's child and has nothing to do.
#[test]
fn is_a_controller_when_asked() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let ledger = open(Path::new(&directory));
    for number in 0..100_000 {
        let entry = ledger.append(fact("child", &number.to_string())).unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "acknowledged {}", entry.sequence).unwrap();
        out.flush().unwrap();
    }
}
