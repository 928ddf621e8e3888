//! The draft as text: the configuration with a comment on each part that says what it rests on.

use super::data::Place;
use super::{Draft, Findings, How, Note, Told};
use crate::config::Variable;

/// Writes the draft.
pub(super) fn write(findings: &Findings) -> Draft {
    let mut page = Page::default();
    page.line(
        "# Drafted by `ripcord init`. \"found\": the project says so; \"guessed\": please look.",
    );
    for note in &findings.missing {
        page.line(&format!("# to do: {}: {}", note.about, note.what));
    }
    page.told("service", &findings.service);
    page.key("service", &findings.service.value);
    page.line("");
    page.line("[artifact]");
    page.told("artifact.path", &findings.build.path);
    page.key("path", &findings.build.path.value);
    page.told("artifact.command", &findings.build.command);
    page.line(&format!("command = {}", list(&findings.build.command.value)));
    for (name, command) in &findings.roles {
        page.line("");
        page.line(&format!("[roles.{name}]"));
        page.told(&format!("roles.{name}"), command);
        page.line(&format!("command = {}", list(&command.value)));
    }
    variables(&mut page, findings);
    page.line("");
    page.line("[health]");
    page.told("health.path", &findings.health);
    page.key("path", &findings.health.value);
    if let Some(database) = &findings.database {
        page.line("");
        page.line("[database]");
        page.told("database", database);
        match &database.value.place {
            Place::File(path) => {
                page.key("engine", "sqlite");
                page.key("path", path);
            }
            Place::Server(variable) => {
                page.key("engine", "postgres");
                page.line(&format!("url = {{ secret = \"env:{variable}\" }}"));
            }
        }
        page.key("migrations", &database.value.migrations);
    }
    if let Some(flags) = &findings.flags {
        page.line("");
        page.line("[flags]");
        page.told("flags.file", flags);
        page.key("file", &flags.value);
    }
    environment(&mut page, findings);
    page.notes.extend(findings.missing.iter().cloned());
    Draft { text: page.text, notes: page.notes }
}

fn variables(page: &mut Page, findings: &Findings) {
    if findings.variables.is_empty() {
        return;
    }
    page.line("");
    page.line("[config.environment]");
    for variable in &findings.variables {
        page.told(&variable.name, &variable.value);
        match &variable.value.value {
            Variable::Plain(text) => page.key(&variable.name, text),
            Variable::Secret(reference) => {
                page.line(&format!("{} = {{ secret = {} }}", variable.name, text(reference)));
            }
        }
    }
}

fn environment(page: &mut Page, findings: &Findings) {
    let port = findings.port.value;
    page.line("");
    page.line("[environments.production]");
    page.told("environments.production.listen", &findings.port);
    page.key("listen", &format!("127.0.0.1:{port}"));
    page.key("preview", &format!("127.0.0.1:{}", port + 1));
    page.line("# strategy = \"canary\" gives a new release a growing share of the requests and judges it.");
}

/// A page that is being written.
#[derive(Debug, Default)]
struct Page {
    text: String,
    notes: Vec<Note>,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn key(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {}", text(value)));
    }

    /// Says above a key what it rests on.
    fn told<T>(&mut self, about: &str, told: &Told<T>) {
        let what = one_line(&told.what);
        let word = match told.how {
            How::Found => "found",
            How::Guessed => "guessed",
            How::Missing => "to do",
        };
        self.line(&format!("# {word}: {what}"));
        self.notes.push(Note { how: told.how, about: about.to_owned(), what });
    }
}

/// What others wrote may have line ends, which would end a comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text as TOML writes it.
fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| text(word)).collect();
    format!("[{}]", words.join(", "))
}
