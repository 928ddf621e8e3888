//! `cargo xtask new-rule NAME`: begins a rule of `ripcord db review`, with its page. The rule
//! is silent and its page lacks examples, so the tests fail until somebody has written both.

use crate::system;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::Path;

/// Begins a rule of this name.
pub(crate) fn run(name: &str) -> Result<()> {
    begin(&system::root(), name)?;
    system::say(&format!("write crates/databases/src/review/rules/{}.rs", module(name)));
    system::say(&format!("write docs/rules/{name}.md, whose examples are run as tests"));
    Ok(())
}

fn begin(root: &Path, name: &str) -> Result<()> {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    ensure!(letters && name.starts_with(|c: char| c != '-'), "`{name}` is not like `drop-column`");
    let rules = root.join("crates/databases/src/review/rules");
    let code = rules.join(format!("{}.rs", module(name)));
    if code.exists() {
        bail!("{} exists", code.display());
    }
    let list = rules.join("mod.rs");
    insert(&list, "// new-rule: modules", &format!("mod {};\n", module(name)))?;
    insert(&list, "    // new-rule: list", &format!("    {}::RULE,\n", module(name)))?;
    fs::write(&code, CODE.replace("NAME", name)).context("the rule")?;
    fs::write(root.join(format!("docs/rules/{name}.md")), PAGE.replace("NAME", name))
        .context("the page")?;
    let pages = root.join("docs/rules/README.md");
    let mut text = fs::read_to_string(&pages).context("the list of pages")?;
    let line = format!("| [{name}]({name}.md) | warning | what it is about |\n");
    text.push_str(&line);
    fs::write(&pages, text).context("the list of pages")
}

fn module(name: &str) -> String {
    name.replace('-', "_")
}

/// Puts a line before a mark.
fn insert(path: &Path, mark: &str, line: &str) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let Some(at) = text.find(mark) else { bail!("{} lacks `{mark}`", path.display()) };
    let (before, after) = text.split_at(at);
    fs::write(path, format!("{before}{line}{after}")).with_context(|| path.display().to_string())
}

const CODE: &str = r#"//! `NAME`: what it is about.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "NAME",
    level: Level::Warning,
    topic: Topic::Blocks,
    title: "what it is about",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::Comment = at.statement else { return None };
    None
}
"#;

const PAGE: &str = "# NAME: what it is about

Level: warning.

Why it matters.

## Instead

What to write.

## It speaks

## It is silent
";

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout of only those files that a new rule changes.
    fn checkout() -> std::path::PathBuf {
        let root = std::env::temp_dir().join(format!("ripcord-new-rule-{}", std::process::id()));
        for file in ["crates/databases/src/review/rules/mod.rs", "docs/rules/README.md"] {
            let copy = root.join(file);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(system::root().join(file), copy).unwrap();
        }
        root
    }

    #[test]
    fn begins_a_rule() {
        let root = checkout();
        begin(&root, "some-thing").unwrap();
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        let list = read("crates/databases/src/review/rules/mod.rs");
        assert!(list.contains("\nmod some_thing;\n") && list.contains("    some_thing::RULE,\n"));
        assert!(read("crates/databases/src/review/rules/some_thing.rs").contains("\"some-thing\""));
        assert!(read("docs/rules/some-thing.md").starts_with("# some-thing: "));
        assert!(begin(&root, "some-thing").is_err(), "a rule is never overwritten");
        assert!(begin(&root, "../x").is_err());
        fs::remove_dir_all(root).unwrap();
    }
}
