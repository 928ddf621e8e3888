//! The controller's side of the control socket. Blocking, with a bound on every wait.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::path::ShortPath;
use crate::control::wire::{Applied, Call, MAX_ANSWER_BYTES, Observed, Renewed, Reply};
use crate::counts::Counted;
use crate::error::ProxyError;
use crate::period::Periods;
use crate::state::State;

/// How long an answer may take beyond what was asked to take time.
const PATIENCE: Duration = Duration::from_secs(15);

/// Speaks to a running proxy. Each call opens a connection of its own.
#[derive(Clone, Debug)]
pub struct Control {
    path: PathBuf,
}

impl Control {
    /// Will speak over this socket.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned() }
    }

    /// Puts a state in force and waits until the releases that lost their share are drained, at
    /// the deadline cutting off who is still inside. Asking again for the same state is safe.
    ///
    /// # Errors
    /// [`ProxyError::Refused`] if nothing was changed, except for `Superseded`;
    /// [`ProxyError::Unreachable`] if it is unknown whether anything was.
    pub fn apply(&self, state: State, drain_deadline_ms: u64) -> Result<Applied, ProxyError> {
        let time = Duration::from_millis(drain_deadline_ms) + PATIENCE;
        let state = Box::new(state);
        match self.call(&Call::Apply { state, drain_deadline_ms }, time)? {
            Reply::Applied(applied) => Ok(applied),
            other => Err(self.unexpected(other)),
        }
    }

    /// What the proxy does now.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn observe(&self) -> Result<Observed, ProxyError> {
        match self.call(&Call::Observe, PATIENCE)? {
            Reply::Observed(observed) => Ok(*observed),
            other => Err(self.unexpected(other)),
        }
    }

    /// What has been counted since the proxy started.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn counts(&self) -> Result<Counted, ProxyError> {
        match self.call(&Call::Counts, PATIENCE)? {
            Reply::Counted(counted) => Ok(counted),
            other => Err(self.unexpected(other)),
        }
    }

    /// What has been counted of requests that a chance assigned, by the state whose chance it was.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn periods(&self) -> Result<Periods, ProxyError> {
        match self.call(&Call::Periods, PATIENCE)? {
            Reply::Periods(periods) => Ok(periods),
            other => Err(self.unexpected(other)),
        }
    }

    /// Says that somebody watches over this generation, so that its lease begins anew. A fence
    /// newer than the state's may speak; older ones are refused from then on.
    ///
    /// # Errors
    /// [`ProxyError::Refused`] if another one is in force or the fence is an old one;
    /// [`ProxyError::Unreachable`] if it is unknown whether the lease was renewed.
    pub fn renew(&self, fence: u64, generation: u64) -> Result<Renewed, ProxyError> {
        match self.call(&Call::Renew { fence, generation }, PATIENCE)? {
            Reply::Renewed(renewed) => Ok(renewed),
            other => Err(self.unexpected(other)),
        }
    }

    fn call(&self, call: &Call, time: Duration) -> Result<Reply, ProxyError> {
        let unreachable = |source| ProxyError::Unreachable { path: self.path.clone(), source };
        let answer = self.exchange(call, time).map_err(unreachable)?;
        serde_json::from_str(&answer).map_err(|error| self.protocol(&error.to_string()))
    }

    fn exchange(&self, call: &Call, time: Duration) -> io::Result<String> {
        let path = ShortPath::new(&self.path)?;
        let mut stream = UnixStream::connect(path.as_path())?;
        stream.set_read_timeout(Some(time))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_vec(call)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = String::new();
        BufReader::new((&stream).take(MAX_ANSWER_BYTES)).read_line(&mut answer)?;
        if !answer.ends_with('\n') {
            return Err(io::Error::other("the connection ended within the answer"));
        }
        // It has said all it will say; a failure to part politely changes nothing.
        let _ = stream.shutdown(Shutdown::Both);
        Ok(answer)
    }

    fn unexpected(&self, reply: Reply) -> ProxyError {
        match reply {
            Reply::Refused(refusal) => refusal.into(),
            _ => self.protocol("it answers another question"),
        }
    }

    fn protocol(&self, why: &str) -> ProxyError {
        ProxyError::Protocol { path: self.path.clone(), why: why.to_owned() }
    }
}
