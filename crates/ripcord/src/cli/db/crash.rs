//! A plug that tests pull: the process kills itself with SIGKILL at the n-th place that a run
//! passes, as `RIPCORD_CRASH=place:7` asks. Without the variable nothing happens. What is tested
//! with it is the shipped binary itself.

/// Counts the places that are passed.
#[derive(Debug)]
pub(super) struct Plug {
    at: Option<u64>,
    passed: u64,
}

impl Plug {
    pub(super) fn from_environment() -> Plug {
        let text = std::env::var("RIPCORD_CRASH").unwrap_or_default();
        let at = text.strip_prefix("place:").and_then(|number| number.parse().ok());
        Plug { at, passed: 0 }
    }

    /// Passes a place.
    pub(super) fn pass(&mut self) {
        self.passed += 1;
        if self.at == Some(self.passed) {
            let own = rustix::process::getpid();
            let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
            // SIGKILL has no handler; this thread does not get further.
            loop {
                std::thread::park();
            }
        }
    }
}
