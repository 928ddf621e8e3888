//! Unmodified `OpenFeature` clients for the tests of the flags server: installed by their ordinary
//! installers, as they are pinned, into the folder of the build.

use crate::system;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;

/// What is pinned, relative to the checkout.
const PINNED: &str = "crates/ofrep/tests/clients";
const FILES: [&str; 3] = ["package.json", "package-lock.json", "requirements.txt"];

/// Installs them unless they are there as they are pinned now.
pub(crate) fn install(may: crate::test::Install) -> Result<()> {
    let folder = folder()?;
    let pinned = system::root().join(PINNED);
    let mut wanted = String::new();
    for name in FILES {
        wanted += &fs::read_to_string(pinned.join(name)).with_context(|| name.to_owned())?;
    }
    let complete = folder.join("complete");
    if fs::read_to_string(&complete).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if may == crate::test::Install::Refused {
        bail!("the clients are not in {}, and --no-install forbids it", folder.display());
    }
    drop(fs::remove_dir_all(&folder));
    let node = folder.join("node");
    fs::create_dir_all(&node)?;
    for name in &FILES[..2] {
        fs::copy(pinned.join(name), node.join(name))?;
    }
    let (node, python) = (node.display().to_string(), folder.join("python").display().to_string());
    let quiet = ["--ignore-scripts", "--no-fund", "--no-audit"];
    system::run("npm", &[&["ci", "--prefix", &node][..], &quiet].concat())?;
    system::run("python3", &["-m", "venv", &python])?;
    let requirements = pinned.join("requirements.txt").display().to_string();
    let pip = format!("{python}/bin/pip");
    system::run(&pip, &["install", "--quiet", "--require-hashes", "-r", &requirements])?;
    // Last, so that half an installation is none.
    fs::write(complete, wanted)?;
    Ok(())
}

/// Where tests look for them: in the folder of the build, beside this program's own.
fn folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("this program lies in no folder of a build")?;
    Ok(target.join("flags-clients"))
}
