//! Rules that no compiler checks: who may import whom, how long files are, that every module says
//! what it is for, that no test file is forgotten, that nothing names a machine's paths.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which crates of the workspace each crate may import. What is not here is absent on purpose.
const IMPORTS: [(&str, &[&str]); 13] = [
    ("crates/core", &[]),
    ("crates/flags", &[]),
    ("crates/engine", &["ripcord-core"]),
    ("crates/ledger", &["ripcord-core", "ripcord-engine"]),
    ("crates/databases", &["ripcord-core", "ripcord-engine"]),
    ("crates/platforms", &["ripcord-core", "ripcord-engine"]),
    ("crates/integrations", &["ripcord-core", "ripcord-engine"]),
    ("crates/ofrep", &["ripcord-core", "ripcord-flags"]),
    ("crates/proxy", &[]),
    ("crates/sim", &["ripcord-core", "ripcord-engine"]),
    ("examples/shop", &[]),
    ("xtask", &["ripcord-core"]),
    (
        "crates/ripcord",
        &[
            "ripcord-core",
            "ripcord-databases",
            "ripcord-engine",
            "ripcord-flags",
            "ripcord-integrations",
            "ripcord-ledger",
            "ripcord-ofrep",
            "ripcord-platforms",
            "ripcord-proxy",
            "ripcord-shop",
        ],
    ),
];

/// What core and flags must not depend on, whatever it is good for.
const BANNED_IN_CORE: [&str; 6] = ["tokio", "rusqlite", "hyper", "rustix", "ureq", "tempfile"];

/// The longest file. Each one above it needs a line in [`LONG_FILES`].
const FILE_LINES_MAX: usize = 600;

/// Files that may be longer, each being one idea.
const LONG_FILES: [&str; 0] = [];

/// Everything that is wrong, one line each.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for (folder, allowed) in IMPORTS {
        imports(root, folder, allowed, &mut broken)?;
    }
    let files = rust_files(root)?;
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
        source(&name, &text, &mut broken);
    }
    forgotten_tests(root, &files, &mut broken)?;
    Ok(broken)
}

fn imports(root: &Path, folder: &str, allowed: &[&str], broken: &mut Vec<String>) -> Result<()> {
    let path = root.join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut section = "";
    for line in text.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if section != "[dependencies]" || name.is_empty() {
            continue;
        }
        if name.starts_with("ripcord-") && !allowed.contains(&name) {
            broken.push(format!("{folder}/Cargo.toml: must not import {name}"));
        }
        if folder == "crates/core" && BANNED_IN_CORE.contains(&name) {
            broken.push(format!("{folder}/Cargo.toml: core must not know {name}"));
        }
    }
    Ok(())
}

fn source(name: &str, text: &str, broken: &mut Vec<String>) {
    if name.starts_with("xtask/src/tidy.rs") {
        return;
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX && !LONG_FILES.contains(&name) {
        broken.push(format!("{name}: {lines} lines, the most is {FILE_LINES_MAX}"));
    }
    if !text.trim_start().starts_with("//!") {
        broken.push(format!("{name}: does not begin with //! and what it is for"));
    }
    for (index, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", index + 1);
        if line.contains("#[allow(") || line.contains("#![allow(") {
            broken.push(format!("{place}: #[expect] with a reason instead of #[allow]"));
        }
        if line.contains("#[ignore") {
            broken.push(format!("{place}: an ignored test tests nothing"));
        }
        if line.contains("\"/home/") || line.contains("\"/root/") {
            broken.push(format!("{place}: a path of one machine"));
        }
    }
}

/// Every file under a crate's `tests/it` must be named as a module by a sibling or parent.
fn forgotten_tests(root: &Path, files: &[PathBuf], broken: &mut Vec<String>) -> Result<()> {
    let mut contents: BTreeMap<&Path, String> = BTreeMap::new();
    let tests = || files.iter().filter(|file| file.to_string_lossy().contains("/tests/it/"));
    for file in tests() {
        contents.insert(file, fs::read_to_string(file)?);
    }
    for file in tests() {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let module = if stem == "mod" {
            file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into()
        } else {
            stem
        };
        let named = |text: &String| text.contains(&format!("mod {module};"));
        if module != "main" && !contents.values().any(named) {
            let name = file.strip_prefix(root).unwrap_or(file).display();
            broken.push(format!("{name}: no `mod {module};` names it, so its tests never run"));
        }
    }
    Ok(())
}

fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("examples"), root.join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong() {
        let mut broken = Vec::new();
        source("a.rs", "fn main() {}\n#[allow(dead_code)]\nstruct A;\n", &mut broken);
        assert_eq!(broken.len(), 2, "{broken:?}");
        broken.clear();
        source("b.rs", &format!("//! Long.\n{}", "// line\n".repeat(700)), &mut broken);
        assert_eq!(broken, ["b.rs: 701 lines, the most is 600"]);
    }

    #[test]
    fn this_checkout_is_tidy() {
        assert_eq!(check(&crate::system::root()).unwrap(), Vec::<String>::new());
    }
}
