//! README and guide, held to their word: the tour is run to the letter, the example of a
//! configuration is checked, and what they name exists.

use crate::site::{RIPCORD, port};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const README: &str = include_str!("../../../../README.md");
const GUIDE: &str = include_str!("../../../../docs/guide.md");

/// Where the tour's service listens; the test puts a free port in its place.
const ADDRESS: &str = "127.0.0.1:8080";

/// The longest that the whole tour may take. It waits for about ten seconds by itself.
const TOUR_MAX: Duration = Duration::from_mins(2);

/// What the shell prints between the blocks.
const MARK: &str = "@@ block";

/// Every `sh` block in order, in one shell, as somebody would paste them.
#[test]
fn the_tour_is_as_the_readme_tells_it() {
    let home = Home::new();
    let blocks = blocks(tour());
    let steps = blocks.iter().filter(|block| block.language == "sh").count();
    assert!(steps >= 7, "the tour was not found in the README: {steps} blocks");
    let address = port().to_string();
    let commands = blocks.iter().filter(|block| block.language == "sh");
    let script: Vec<String> =
        commands.map(|block| format!("{}\necho '{MARK}'\n", block.text)).collect();
    let said = home.run(&script.concat().replace(ADDRESS, &address)).replace(&address, ADDRESS);
    let mut answers = said.split(MARK);
    let mut answer = "";
    for block in &blocks {
        match block.language {
            "sh" => answer = answers.next().unwrap_or_else(|| panic!("it ended early:\n{said}")),
            "text" => shows(block.text, answer),
            other => panic!("a block of `{other}` in the tour: nobody runs it"),
        }
    }
    // Only what the tour announces goes wrong.
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    for trouble in ["command not found", "No such file", "Traceback", "unbound variable"] {
        assert!(!said.contains(trouble), "{trouble}: {said}");
    }
    let left = home.processes();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// The example of a configuration passes the check of the real binary, with its files in place.
#[test]
fn the_example_of_a_configuration_is_valid() {
    let home = Home::new();
    let example = blocks(GUIDE).into_iter().find(|block| block.language == "toml").unwrap();
    assert!(example.text.lines().count() <= 30, "too long to be read at a glance");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop/releases/v1-good");
    let project = home.directory.path().join("project");
    for folder in ["bin", "migrations"] {
        fs::create_dir_all(project.join(folder)).unwrap();
    }
    fs::copy(RIPCORD, project.join("bin/shop")).unwrap();
    for name in ["shop.json", "flags.json"] {
        fs::copy(source.join(name), project.join(name)).unwrap();
    }
    for file in fs::read_dir(source.join("migrations")).unwrap().flatten() {
        fs::copy(file.path(), project.join("migrations").join(file.file_name())).unwrap();
    }
    fs::write(project.join("ripcord.toml"), example.text).unwrap();
    let said = home.run("cd project && ripcord check; echo \"exit code $?\"");
    assert!(said.contains("exit code 0"), "{said}");
}

/// The JSON that the README shows has the fields that the demo prints, in their order.
#[test]
fn the_demo_prints_the_fields_that_the_readme_shows() {
    let shown = blocks(README).into_iter().find(|block| block.language == "json").unwrap();
    let shown: serde_json::Value = serde_json::from_str(shown.text).unwrap();
    let shown: Vec<&String> = shown.as_object().unwrap().keys().collect();
    let fields = |source: &'static str, start: &str| -> Vec<&'static str> {
        let (_, fields) = source.split_once(start).unwrap();
        let (fields, _) = fields.split_once("\n}").unwrap();
        let lines = fields.lines();
        let names =
            lines.filter_map(|line| line.trim().strip_prefix("pub(crate) ")?.split_once(':'));
        names.map(|(name, _)| name).collect()
    };
    let outcome = include_str!("../../src/demo/outcome.rs");
    let canary = include_str!("../../src/demo/canary.rs");
    let mut printed = fields(outcome, "pub(crate) struct Outcome {");
    // What came of the canary stands beside the rest.
    printed.retain(|name| *name != "canary");
    printed.extend(fields(canary, "pub(crate) struct CanaryOutcome {"));
    printed.sort_unstable();
    assert_eq!(shown, printed);
}

#[test]
fn what_is_linked_to_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (page, folder) in [(README, root.clone()), (GUIDE, root.join("docs"))] {
        let after = page.split("](").skip(1);
        let links: Vec<&str> = after.filter_map(|rest| Some(rest.split_once(')')?.0)).collect();
        assert!(links.len() > 3, "{links:?}");
        for link in links {
            let file = link.split('#').next().unwrap_or(link);
            assert!(folder.join(file).exists(), "{link}");
        }
    }
}

/// Every exit code that an error can have stands in the README's table, and the other way round.
#[test]
fn the_exit_codes_are_those_of_the_errors() {
    let errors = include_str!("../../../../docs/errors/README.md");
    let codes = |table: &'static str, cell: usize| -> BTreeSet<u8> {
        let rows = table.lines().filter(|line| line.starts_with("| "));
        rows.filter_map(|row| row.split('|').nth(cell)?.trim().parse().ok()).collect()
    };
    let mut possible = codes(errors, 2);
    // Success and Ctrl-C are no errors with a page.
    possible.extend([0, 130]);
    assert_eq!(codes(README, 1), possible);
}

#[test]
fn lines_are_compared_with_gaps() {
    let check = |pattern: &str, line: &str, expected: bool| {
        assert_eq!(matches(pattern, line), expected, "{pattern:?} on {line:?}");
    };
    check("v1 frozen", "v1 frozen", true);
    check("v1 frozen", "v11 frozen", false);
    check("v1 frozen", "v1 frozen again", false);
    check("... v1 ...", "12:00 v1 done", true);
    check("... v1", "12:00 v1 done", false);
    check("plan ...: deploy", "plan 12ab: deploy", true);
    check("plan ...: deploy", "plan 12ab: rollback", false);
    check("a...a", "a", false);
}

/// A fenced block of the README.
struct Block {
    language: &'static str,
    text: &'static str,
}

/// The part of the README from the heading of the tour to the next of its level.
fn tour() -> &'static str {
    let (_, tour) = README.split_once("\n## A tour").unwrap();
    tour.split("\n## ").next().unwrap_or_default()
}

fn blocks(text: &'static str) -> Vec<Block> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced
        .map(|block| {
            let (language, text) = block.split_once('\n').unwrap();
            Block { language, text }
        })
        .collect()
}

/// Every line of what the README shows is a line of the answer, in this order.
#[track_caller]
fn shows(shown: &str, answer: &str) {
    let mut lines = answer.lines();
    for wanted in shown.lines() {
        let found = lines.any(|line| matches(wanted.trim_end(), line.trim_end()));
        assert!(found, "the README shows\n  {wanted}\nwhich is not, or not there, in\n{answer}");
    }
}

/// Whether a line is as shown, `...` standing for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// A home directory of its own with an empty directory to work in, and `ripcord` on the path.
struct Home {
    directory: TempDir,
    programs: PathBuf,
}

impl Home {
    fn new() -> Home {
        let directory = tempfile::Builder::new().prefix("ripcord-tour-").tempdir().unwrap();
        let programs = directory.path().join("programs");
        fs::create_dir(&programs).unwrap();
        symlink(RIPCORD, programs.join("ripcord")).unwrap();
        Home { directory, programs }
    }

    /// Runs a script to its end and returns all that it printed. What it starts in the background
    /// may hold its output open, so that goes to a file.
    fn run(&self, script: &str) -> String {
        let transcript = self.directory.path().join("transcript");
        let output = File::create(&transcript).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell: Child = Command::new("bash")
            .args(["-c", script])
            .current_dir(self.directory.path())
            .env("HOME", self.directory.path())
            .env("PATH", format!("{}:{path}", self.programs.display()))
            .env_remove("RIPCORD_STATE")
            .env_remove("RIPCORD_ENVIRONMENT")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let began = Instant::now();
        while shell.try_wait().unwrap().is_none() {
            if began.elapsed() > TOUR_MAX {
                drop(shell.kill());
                drop(shell.wait());
                panic!("it hangs after:\n{}", fs::read_to_string(&transcript).unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        fs::read_to_string(&transcript).unwrap()
    }

    /// What runs in this directory or names it on its command line.
    fn processes(&self) -> Vec<(String, String)> {
        let home = self.directory.path().display().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let pid = entry.file_name().to_string_lossy().into_owned();
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let works_in = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            // Of the dead, the command line is empty and the directory unreadable.
            let is_process = pid.parse::<i32>().is_ok() && pid != std::process::id().to_string();
            if is_process && (line.contains(&home) || works_in.starts_with(&home)) {
                found.push((pid, line));
            }
        }
        found
    }
}

impl Drop for Home {
    /// Ends only what was started here, also when an assertion failed half-way.
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            drop(Command::new("kill").args(["-KILL", &pid]).status());
        }
    }
}
