//! `cargo xtask test`: everything that must hold, and one line that says whether it does.

use crate::{clients, system, tidy};
use anyhow::{Result, bail};
use std::io::Write;

/// Whether missing programs may be installed through the system's package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Install {
    /// They may.
    Allowed,
    /// They may not: a missing one is an error.
    Refused,
}

/// Programs that the tests use, and the Debian packages that bring them.
const NEEDS: [(&str, &str); 10] = [
    ("git", "git"),
    ("cc", "gcc"),
    ("curl", "curl"),
    ("python3", "python3"),
    ("prometheus", "prometheus"),
    ("pg_ctl", "postgresql"),
    ("pgbouncer", "pgbouncer"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("ensurepip", "python3-venv"),
];

#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Runs everything. False when anything failed.
pub(crate) fn run(install: Install) -> Result<bool> {
    provide(install)?;
    clients::install(install)?;
    let mut tally = Tally::default();
    tally.step(system::run("cargo", &["fmt", "--all", "--check"]).is_ok());
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    tally.step(system::run("cargo", &clippy).is_ok());
    let broken = tidy::check(&system::root())?;
    for line in &broken {
        system::say(&format!("tidy: {line}"));
    }
    tally.step(broken.is_empty());
    // The binaries are built first, since the tests of the whole start them.
    tally.step(system::run("cargo", &["build", "--workspace", "--bins"]).is_ok());
    tally.tests(&["test", "--workspace", "--no-fail-fast"])?;
    // The model checker explores the proxy's gate; its feature replaces the atomics of that module.
    tally.tests(&["test", "-p", "ripcord-proxy", "--features", "loom", "--lib", "gate"])?;
    let line =
        format!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(tally.failed == 0)
}

fn provide(install: Install) -> Result<()> {
    let there = |program: &str| {
        system::has(program)
            || std::path::Path::new("/usr/sbin").join(program).is_file()
            || beside_its_version(program)
            || is_module(program)
    };
    let missing: Vec<&str> =
        NEEDS.iter().filter(|(program, _)| !there(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if install == Install::Refused {
        bail!("missing, and --no-install forbids to install: {}", missing.join(" "));
    }
    let sudo = if system::has("sudo") { "sudo " } else { "" };
    let script =
        format!("{sudo}apt-get update -qq && {sudo}apt-get install -y -qq {}", missing.join(" "));
    system::run("sh", &["-c", &script])
}

/// Debian keeps a server's programs in a folder of its version, which is not on the path.
fn beside_its_version(program: &str) -> bool {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return false };
    versions.flatten().any(|version| version.path().join("bin").join(program).is_file())
}

/// Debian keeps the module that makes environments of Python in a package of its own.
fn is_module(name: &str) -> bool {
    name == "ensurepip" && system::succeeds("python3", &["-c", "import ensurepip"])
}

impl Tally {
    fn step(&mut self, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }

    fn tests(&mut self, arguments: &[&str]) -> Result<()> {
        let (success, lines) = system::run_and_read("cargo", arguments)?;
        let before = self.failed;
        for line in lines.iter().filter(|line| line.starts_with("test result:")) {
            self.passed += number_before(line, " passed");
            self.failed += number_before(line, " failed");
            self.skipped += number_before(line, " ignored");
        }
        // A test binary that does not compile or dies has no result line.
        if !success && self.failed == before {
            self.failed += 1;
        }
        Ok(())
    }
}

fn number_before(line: &str, word: &str) -> u64 {
    let before = line.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::number_before;

    #[test]
    fn result_lines() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered";
        assert_eq!(number_before(line, " passed"), 12);
        assert_eq!(number_before(line, " failed"), 3);
        assert_eq!(number_before(line, " ignored"), 1);
        assert_eq!(number_before("nonsense", " passed"), 0);
    }
}
