//! A command that prints a number. No shell reads it, and nothing that it starts outlives the
//! answer, unless it leaves the process group on purpose.

use crate::error::SourceError;
use crate::web::QUERY;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The most that is read of what it prints.
const OUTPUT_BYTES_MAX: usize = 1_000_000;

/// The most that is kept of what it complains about.
const COMPLAINT_BYTES_MAX: usize = 2_000;

/// How often is looked whether it has ended.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// A command.
#[derive(Debug)]
pub(crate) struct Script {
    argv: Vec<String>,
    timeout_ms: u64,
}

impl Script {
    /// A command, or what is wrong with the settings.
    pub(crate) fn new(argv: Vec<String>, timeout_ms: u64) -> Result<Script, String> {
        match argv.first() {
            None => Err("`argv` is empty".into()),
            Some(program) if program.is_empty() || program.contains(QUERY) => {
                Err("the first of `argv` must be a program".into())
            }
            Some(_) => Ok(Script { argv, timeout_ms }),
        }
    }

    /// The program, for errors. Its arguments may hold secrets.
    pub(crate) fn place(&self) -> &str {
        &self.argv[0]
    }

    /// The number that it prints; none when it prints nothing.
    pub(crate) fn read(&self, query: &str) -> Result<Option<f64>, SourceError> {
        let mut command = Command::new(&self.argv[0]);
        command
            .args(self.argv[1..].iter().map(|argument| argument.replace(QUERY, query)))
            .env("RIPCORD_QUERY", query)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command
            .spawn()
            .map_err(|error| self.failed(format!("it cannot be started: {error}"), &[]))?;
        let mut pipes = [
            Pipe::of(child.stdout.take().map(OwnedFd::from)),
            Pipe::of(child.stderr.take().map(OwnedFd::from)),
        ];
        let mut group = Group { child, ended: None };
        let status = self.watch(&mut group, &mut pipes)?;
        let [output, complaint] = pipes;
        if !status.success() {
            return Err(self.failed(status.to_string(), &complaint.bytes));
        }
        number(&output.bytes).map_err(|why| self.nonsense(why))
    }

    /// Reads what it says until it has ended.
    fn watch(&self, group: &mut Group, pipes: &mut [Pipe; 2]) -> Result<ExitStatus, SourceError> {
        let began = Instant::now();
        let broken = |error: io::Error| self.failed(format!("it cannot be watched: {error}"), &[]);
        while began.elapsed() < Duration::from_millis(self.timeout_ms) {
            // Whether it is over is looked at before reading, so that its last words are there.
            // What it left behind dies with it, or it might go on writing.
            let status = if group.over().map_err(broken)? {
                Some(group.end().map_err(broken)?)
            } else {
                None
            };
            let quiet = pump(pipes).map_err(broken)?;
            if pipes[0].bytes.len() > OUTPUT_BYTES_MAX {
                return Err(self.nonsense(format!("it prints more than {OUTPUT_BYTES_MAX} bytes")));
            }
            let surplus = pipes[1].bytes.len().saturating_sub(COMPLAINT_BYTES_MAX);
            pipes[1].bytes.drain(..surplus);
            if let Some(status) = status.filter(|_| quiet) {
                return Ok(status);
            }
        }
        Err(SourceError::Slow { at: self.place().to_owned(), timeout_ms: self.timeout_ms })
    }

    fn failed(&self, how: String, complaint: &[u8]) -> SourceError {
        let said = String::from_utf8_lossy(complaint).trim().to_owned();
        SourceError::Failed { at: self.place().to_owned(), how, said }
    }

    fn nonsense(&self, why: String) -> SourceError {
        SourceError::Nonsense { at: self.place().to_owned(), why }
    }
}

/// A child and all that it started, which end with this value.
struct Group {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Group {
    /// Whether the child has ended. It is not waited for yet, so that its number stays taken and
    /// a signal to its group meets nobody else.
    fn over(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match self.pid().filter(|_| self.ended.is_none()) {
            Some(pid) => Ok(waitid(WaitId::Pid(pid), options)?.is_some()),
            None => Ok(true),
        }
    }

    /// Kills what is left, and says how the child ended.
    fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        if let Some(pid) = self.pid() {
            // All may have ended by themselves, which is what is wanted.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let status = self.child.wait()?;
        self.ended = Some(status);
        Ok(status)
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// One output of a child, and what was read of it.
struct Pipe {
    file: Option<File>,
    bytes: Vec<u8>,
}

impl Pipe {
    fn of(end: Option<OwnedFd>) -> Pipe {
        Pipe { file: end.map(File::from), bytes: Vec::new() }
    }
}

/// Waits a moment for output and takes some of it. True when there was none.
fn pump(pipes: &mut [Pipe; 2]) -> io::Result<bool> {
    let mut ready = [false; 2];
    let mut which = Vec::new();
    let mut wanted = Vec::new();
    for (index, pipe) in pipes.iter().enumerate() {
        if let Some(file) = &pipe.file {
            which.push(index);
            wanted.push(PollFd::new(file, PollFlags::IN));
        }
    }
    match poll(&mut wanted, Some(&LOOK)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    for (index, polled) in which.into_iter().zip(&wanted) {
        ready[index] = !polled.revents().is_empty();
    }
    for (pipe, _) in pipes.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
        let mut chunk = [0; 8_192];
        match pipe.file.as_mut().map_or(Ok(0), |file| file.read(&mut chunk))? {
            0 => pipe.file = None,
            length => pipe.bytes.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(ready == [false; 2])
}

/// The field `value` of an object, or the first word that is a number.
fn number(output: &[u8]) -> Result<Option<f64>, String> {
    let text = String::from_utf8_lossy(output);
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let number = if text.starts_with('{') {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match value.get("value") {
            Some(Value::Null) => return Ok(None),
            Some(value) => value.as_f64(),
            None => return Err("its JSON has no field \"value\"".into()),
        }
    } else {
        text.split_whitespace().find_map(|word| word.parse::<f64>().ok())
    };
    let shown = || text.chars().take(200).collect::<String>();
    match number {
        Some(number) if number.is_finite() => Ok(Some(number)),
        Some(number) => Err(format!("{number} in {:?}", shown())),
        None => Err(format!("it prints {:?}", shown())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_number() {
        let check = |output: &str, expected: Option<f64>| {
            assert_eq!(number(output.as_bytes()), Ok(expected), "{output:?}");
        };
        check("12\n", Some(12.0));
        check("errors: 3 of 1000", Some(3.0));
        check("-1.5e3", Some(-1500.0));
        check("{\"value\": 0.25, \"unit\": \"s\"}\n", Some(0.25));
        check("{\"value\": null}", None);
        check("", None);
        check(" \n", None);
    }

    #[test]
    fn what_is_no_number_is_said() {
        let check = |output: &[u8], part: &str| {
            let error = number(output).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check(b"no data", "no data");
        check(b"NaN", "NaN");
        check(b"inf", "inf");
        check(b"{\"count\": 3}", "\"value\"");
        check(b"{\"value\": \"3\"}", "prints");
        check(b"{\"value\"", "EOF");
        check(b"\xff\xfe", "prints");
    }

    #[test]
    fn commands_that_cannot_be_are_refused() {
        for argv in [vec![], vec![String::new()], vec!["{query}".to_owned()]] {
            assert!(Script::new(argv, 1_000).is_err());
        }
    }
}
