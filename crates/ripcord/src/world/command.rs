//! Running a user's command within bounds: no shell, a deadline, the last lines of its output.

use ripcord_engine::{Failure, Result, Ticket};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How many of the last lines of output an error shows.
const LINES_MAX: usize = 8;

/// The longest line that is kept.
const LINE_BYTES_MAX: u64 = 2_000;

/// Runs a command to its end. The command and what it started form a group of their own, which
/// is ended as a whole at the deadline.
pub(crate) fn run(
    argv: &[String],
    directory: &Path,
    environment: &[(&str, String)],
    ticket: &Ticket<'_>,
) -> Result<()> {
    let shown = argv.join(" ");
    let (program, arguments) =
        argv.split_first().ok_or_else(|| Failure::definite("the command is empty"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| Failure::Definite(format!("`{shown}` cannot be started: {error}")))?;
    let lines = collect(&mut child);
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                return Err(Failure::Definite(format!("`{shown}`: {status}{}", last(&lines))));
            }
            Ok(None) => {}
            Err(error) => return Err(Failure::Unknown(format!("`{shown}`: {error}"))),
        }
        let late = began.elapsed() > Duration::from_millis(ticket.deadline_ms);
        if late || (ticket.stop)() {
            end(&mut child);
            return Err(if late {
                let ms = ticket.deadline_ms;
                Failure::Deadline(format!("`{shown}` was ended after {ms} ms{}", last(&lines)))
            } else {
                Failure::Interrupted
            });
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended in this moment, which is what is wanted.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    drop(child.wait());
}

fn collect(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|output| Box::new(output) as Box<dyn Read + Send>),
        child.stderr.take().map(|output| Box::new(output) as Box<dyn Read + Send>),
    ];
    for output in outputs.into_iter().flatten() {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut kept = VecDeque::new();
            let mut reader = BufReader::new(output);
            loop {
                let mut line = Vec::new();
                match reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => kept.push_back(String::from_utf8_lossy(&line).trim_end().to_owned()),
                }
                if kept.len() > LINES_MAX {
                    kept.pop_front();
                }
            }
            for line in kept {
                drop(sender.send(line));
            }
        });
    }
    receiver
}

fn last(lines: &mpsc::Receiver<String>) -> String {
    let mut text = String::new();
    while let Ok(line) = lines.recv_timeout(Duration::from_millis(200)) {
        text.push_str("\n  | ");
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ripcord_core::model::Fence;

    fn check(script: &str, deadline_ms: u64, expected: Option<&str>) {
        let plan = "p".into();
        let ticket = Ticket { plan: &plan, step: 1, fence: Fence(1), deadline_ms, stop: &|| false };
        let argv = ["sh", "-c", script].map(str::to_owned);
        let result = run(&argv, Path::new("/"), &[("WORD", "hello".to_owned())], &ticket);
        match (result, expected) {
            (Ok(()), None) => {}
            (Err(failure), Some(part)) => {
                assert!(failure.to_string().contains(part), "{failure}");
            }
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn runs_to_the_end_or_to_the_deadline() {
        check("test $WORD = hello", 5_000, None);
        check("echo oh no; exit 3", 5_000, Some("oh no"));
        check("sleep 60", 100, Some("was ended after 100 ms"));
    }

    #[test]
    fn what_cannot_start_is_said() {
        let plan = "p".into();
        let ticket =
            Ticket { plan: &plan, step: 1, fence: Fence(1), deadline_ms: 1_000, stop: &|| false };
        let result = run(&["/no/such/program".to_owned()], Path::new("/"), &[], &ticket);
        assert!(matches!(result, Err(Failure::Definite(_))), "{result:?}");
    }
}
