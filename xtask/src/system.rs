//! Running commands and talking to the person who runs them.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Says a line on standard error.
pub(crate) fn say(line: &str) {
    // A closed standard error is no reason to stop working.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// Whether a program can be started.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

/// Whether a command succeeds; what it says is not shown.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let silent = || Stdio::null();
    let status = Command::new(program).args(arguments).stdout(silent()).stderr(silent()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a command in the checkout; an error when it fails.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<()> {
    say(&format!("$ {program} {}", arguments.join(" ")));
    let status = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .status()
        .with_context(|| format!("{program} cannot be started"))?;
    if !status.success() {
        bail!("`{program} {}` failed ({status})", arguments.join(" "));
    }
    Ok(())
}

/// Runs a command, shows what it prints, and returns its success with all lines.
pub(crate) fn run_and_read(program: &str, arguments: &[&str]) -> Result<(bool, Vec<String>)> {
    say(&format!("$ {program} {}", arguments.join(" ")));
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    let output = child.stdout.take().context("no standard output")?;
    let mut lines = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        say(&line);
        lines.push(line);
    }
    Ok((child.wait()?.success(), lines))
}
