//! Which commit a release was made from. A project without git is a project all the same.

use crate::failure::{Code, Failure};
use ripcord_core::model::{Release, Source};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The longest that one call of git may take.
const WAIT: Duration = Duration::from_secs(10);

/// The most that is read of its answer.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// The commit of a directory, and whether tracked files in it differ from that commit.
pub(super) fn source(directory: &Path) -> Source {
    let commit = git(directory, &["rev-parse", "--verify", "HEAD"])
        .map(|text| text.trim().to_owned())
        .filter(|text| text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let status = ["status", "--porcelain", "--untracked-files=no", "--", "."];
    let dirty = commit.is_some() && git(directory, &status).is_none_or(|text| !text.is_empty());
    Source { commit, dirty }
}

/// Tags the present commit with the release's name, with the service in front.
pub(crate) fn git_tag(directory: &Path, release: &Release) -> Result<(), Failure> {
    let name = format!("{}-{}", release.service, release.id);
    let message = format!("release {} of {}", release.id, release.service);
    if git(directory, &["tag", "--annotate", "--message", &message, &name]).is_some() {
        return Ok(());
    }
    Err(Failure::new(Code::TagFailed, format!("git did not make the tag {name}"))
        .hint(format!("look with `git tag --list {name}`; the release itself is frozen")))
}

/// What git says, or none if it fails, is not there, or takes too long.
fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let began = Instant::now();
    let answer = read(&mut child);
    let succeeded = answer.is_some() && ended(&mut child, began);
    if !succeeded {
        // It may have ended already; both calls are harmless then.
        drop(child.kill());
    }
    drop(child.wait());
    answer.filter(|_| succeeded)
}

/// Reads the beginning of the answer. The rest goes unread, and git ends on the closed pipe.
fn read(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.take(ANSWER_BYTES_MAX).read_to_string(&mut text);
        // Nobody listens any more when it took too long.
        drop(sender.send(read.map(|_| text)));
    });
    receiver.recv_timeout(WAIT).ok()?.ok()
}

fn ended(child: &mut Child, began: Instant) -> bool {
    while began.elapsed() < WAIT {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(2)),
            Err(_) => return false,
        }
    }
    false
}
