//! Procfiles: how a project says what of it runs. `web` answers requests, all others are roles.

use super::folder::Folder;
use super::{Note, Told};
use std::collections::BTreeMap;

/// The most roles that are taken over.
const ROLES_MAX: usize = 20;

/// What a Procfile says.
#[derive(Debug, Default)]
pub(super) struct Procfile {
    pub(super) web: Option<Told<Vec<String>>>,
    pub(super) roles: BTreeMap<String, Told<Vec<String>>>,
}

pub(super) fn read(folder: &Folder, missing: &mut Vec<Note>) -> Procfile {
    let mut procfile = Procfile::default();
    let text = folder.text("Procfile").unwrap_or_default();
    for (name, command) in text.lines().filter_map(entry) {
        if name == "release" {
            // By convention it runs once before a release, most often to migrate.
            let what = format!(
                "`{command}` of the Procfile is not run: the plan itself migrates, backs up and \
                 checks; use `checks` or [[infrastructure]] for what else it does"
            );
            missing.push(Note::missing("release", what));
            continue;
        }
        let argv = argv(command);
        if !can_be_written(&argv) {
            let what = format!(
                "`{name}` of the Procfile has braces or strange characters in it; put it into a script"
            );
            missing.push(Note::missing(name, what));
            continue;
        }
        let command = Told::found(argv, format!("`{name}` in Procfile"));
        if name == "web" {
            procfile.web = Some(command);
        } else if procfile.roles.len() < ROLES_MAX {
            procfile.roles.insert(name.to_owned(), command);
        }
    }
    procfile
}

/// Whether a command means in the configuration what it means here: braces around a word would be
/// taken for a placeholder.
pub(super) fn can_be_written(argv: &[String]) -> bool {
    let placeholder = |word: &String| {
        word.split('{').skip(1).any(|after| {
            let name = after.bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
            name > 0 && after[name..].starts_with('}')
        })
    };
    let strange = |word: &String| word.chars().any(char::is_control);
    let program = argv.first().is_some_and(|program| !program.trim().is_empty());
    program && !argv.iter().any(|word| placeholder(word) || strange(word))
}

/// Name and command of a line; none for a comment or anything else.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (name, command) = line.split_once(':')?;
    let (name, command) = (name.trim(), command.trim());
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let named = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain)
        && name.len() <= 40;
    (named && !command.is_empty()).then_some((name, command))
}

/// A line of a shell as program and arguments. What needs a shell gets one, which then makes way
/// for the program, so that signals reach it.
pub(super) fn argv(command: &str) -> Vec<String> {
    let words = || command.split_whitespace().map(str::to_owned).collect();
    // A variable before the program, as in `A=b serve`, is the shell's business too.
    let assigns = command.split_whitespace().next().is_some_and(|word| word.contains('='));
    if !assigns && !command.contains(|c: char| "$|&;<>()`*?~\"'\\#![]{}".contains(c)) {
        return words();
    }
    let simple = !assigns && !command.contains(|c: char| "|&;<>()`\n".contains(c));
    let script = without_braces(command);
    let script = if simple { format!("exec {script}") } else { script };
    vec!["sh".to_owned(), "-c".to_owned(), script]
}

/// `${port}` means the same as `$port` where no letter follows, and is no placeholder then.
fn without_braces(command: &str) -> String {
    let mut text = String::with_capacity(command.len());
    let mut rest = command;
    while let Some((before, after)) = rest.split_once("${") {
        text.push_str(before);
        let name = after.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let follows = after[name..].chars().nth(1);
        let ends = follows.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
        if name > 0 && after[name..].starts_with('}') && ends {
            text.push('$');
            text.push_str(&after[..name]);
            rest = &after[name + 1..];
        } else {
            text.push_str("${");
            rest = after;
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let check = |line: &str, expected: Option<(&str, &str)>| assert_eq!(entry(line), expected);
        check("web: bundle exec puma", Some(("web", "bundle exec puma")));
        check("mail-worker:  ./work --queue a:b ", Some(("mail-worker", "./work --queue a:b")));
        check("# web: no", None);
        check("web:", None);
        check("web", None);
        check(": x", None);
        check("we b: x", None);
    }

    #[test]
    fn words_and_shells() {
        let check =
            |command: &str, expected: &[&str]| assert_eq!(argv(command), expected, "{command}");
        check("bundle exec  sidekiq -c 5", &["bundle", "exec", "sidekiq", "-c", "5"]);
        check("./serve --port $PORT", &["sh", "-c", "exec ./serve --port $PORT"]);
        check("./serve --port ${PORT}", &["sh", "-c", "exec ./serve --port $PORT"]);
        check("./serve ${port}/x ${a:-b}", &["sh", "-c", "exec ./serve $port/x ${a:-b}"]);
        check("./migrate && ./serve", &["sh", "-c", "./migrate && ./serve"]);
        check("RAILS_ENV=production ./serve", &["sh", "-c", "RAILS_ENV=production ./serve"]);
        assert!(can_be_written(&argv("a {B} { b } ${c:-d}")));
        for bad in ["a {b}", "{release}", "a \u{1}", "sh -c '{x}'"] {
            assert!(!can_be_written(&argv(bad)), "{bad}");
        }
        check("node -e 'x'", &["sh", "-c", "exec node -e 'x'"]);
    }
}
