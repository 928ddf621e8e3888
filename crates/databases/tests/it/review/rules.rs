//! Every rule has a page, and what the page says is so: its examples are run.

use crate::review::reviewed;
use ripcord_databases::formats::Format;
use ripcord_databases::review::{RuleInfo, Topic, rules};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules")
}

fn page(rule: &RuleInfo) -> String {
    let path = pages().join(format!("{}.md", rule.name));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The scripts under a heading, each with the tool that it is for. Scripts in one block are
/// divided by a line of `-- next script`.
fn examples(page: &str, heading: &str) -> Vec<(Format, Vec<String>)> {
    let Some((_, rest)) = page.split_once(&format!("\n## {heading}\n")) else { return Vec::new() };
    let section = rest.split("\n## ").next().unwrap();
    let mut found = Vec::new();
    for block in section.split("```sql").skip(1) {
        let (tool, rest) = block.split_once('\n').unwrap();
        let code = rest.split("```").next().unwrap();
        let format =
            if tool.trim().is_empty() { Some(Format::Plain) } else { Format::named(tool.trim()) };
        let scripts = code.split("-- next script\n").map(str::to_owned).collect();
        found.push((format.unwrap(), scripts));
    }
    found
}

fn speaks(rule: &str, format: Format, scripts: &[String]) -> bool {
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    let review = reviewed(format, &scripts);
    for finding in review.findings.iter().filter(|finding| finding.rule == "unreadable") {
        assert_eq!(rule, "unreadable", "an example is no SQL: {scripts:?}: {}", finding.message);
    }
    review.findings.iter().any(|finding| finding.rule == rule)
}

#[test]
fn each_rule_has_a_page_and_each_page_a_rule() {
    let files =
        fs::read_dir(pages()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = files
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect();
    let expected: BTreeSet<String> = rules().iter().map(|rule| rule.name.to_owned()).collect();
    assert_eq!(found, expected);
    let list = fs::read_to_string(pages().join("README.md")).unwrap();
    for rule in rules() {
        let row = format!("| [{0}]({0}.md) | {1} | {2} |", rule.name, rule.level, rule.title);
        assert!(list.contains(&row), "README.md lacks\n{row}");
        let head = format!("# {}: {}\n\nLevel: {}.", rule.name, rule.title, rule.level);
        assert!(page(&rule).starts_with(&head), "{}.md must begin with\n{head}", rule.name);
    }
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<&str> = rules().iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), rules().len());
}

#[test]
fn rules_speak_where_their_pages_say_so() {
    for rule in rules().iter().filter(|rule| rule.topic != Topic::Files) {
        let page = page(rule);
        let (bad, good) = (examples(&page, "It speaks"), examples(&page, "It is silent"));
        assert!(!bad.is_empty() && !good.is_empty(), "{} lacks examples", rule.name);
        for (format, scripts) in bad {
            assert!(speaks(rule.name, format, &scripts), "{} is silent on {scripts:?}", rule.name);
        }
        for (format, scripts) in good {
            assert!(!speaks(rule.name, format, &scripts), "{} speaks on {scripts:?}", rule.name);
        }
    }
}
