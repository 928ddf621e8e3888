//! Which files changed since a commit, by asking git.

use crate::failure::{Code, Failure};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .args(["--", "."])
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| fails(&error.to_string()))?;
    if !output.status.success() {
        return Err(fails(&String::from_utf8_lossy(&output.stderr)));
    }
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned())).collect())
}
