//! Which files changed since a commit, by asking git.

use crate::failure::{Code, Failure};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that one call of git may take.
const WAIT: Duration = Duration::from_mins(1);

/// The files below a folder that differ from where `revision` and the present commit parted, and
/// those that git does not know. Relative to the folder.
pub(super) fn changed(root: &Path, revision: &str) -> Result<BTreeSet<PathBuf>, Failure> {
    if revision.starts_with('-') || revision.is_empty() {
        let error = format!("«{revision}» is no commit or branch");
        return Err(Failure::new(Code::Usage, error));
    }
    let differ =
        ["diff", "--merge-base", "--name-only", "--relative", "-z", "--diff-filter=d", revision];
    let unknown = ["ls-files", "--others", "--exclude-standard", "-z"];
    let mut files = git(root, &differ)?;
    files.extend(git(root, &unknown)?);
    Ok(files)
}

fn git(root: &Path, arguments: &[&str]) -> Result<BTreeSet<PathBuf>, Failure> {
    let fails = |why: &str| {
        let why = why.trim().lines().next().unwrap_or("it said nothing").to_owned();
        Failure::new(Code::Usage, format!("git cannot say what changed: {why}"))
            .hint("name a commit or branch of the repository in which the migrations are")
    };
    let (status, answer, complaint) =
        ask(root, arguments).map_err(|error| fails(&error.to_string()))?;
    if !status.success() {
        return Err(fails(&String::from_utf8_lossy(&complaint)));
    }
    let names = answer.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned())).collect())
}

/// Runs git with its answers going to files, so that a long one cannot fill a pipe.
fn ask(root: &Path, arguments: &[&str]) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (answer, complaint) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut child = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .args(["--", "."])
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(answer.try_clone()?)
        .stderr(complaint.try_clone()?)
        .spawn()?;
    let status = ended(&mut child)?;
    Ok((status, read(answer)?, read(complaint)?))
}

fn ended(child: &mut Child) -> io::Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if began.elapsed() > WAIT {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other("it took longer than a minute"));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn read(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
