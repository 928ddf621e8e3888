//! What `ripcord init` makes of a project: a draft of `ripcord.toml`, and how sure it is of each
//! part. It reads files within bounds, runs nothing, asks no network, and writes nothing.

mod container;
mod data;
mod folder;
mod kind;
mod procfile;
mod source;
mod variables;
mod write;

#[cfg(test)]
mod tests;

use crate::failure::{Code, Failure};
use folder::Folder;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Where users find the service when nothing says otherwise.
const PORT: u16 = 8080;

/// A draft of a configuration, as text, with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Draft {
    /// The configuration file.
    pub(crate) text: String,
    /// What it rests on, in the order of the file.
    pub(crate) notes: Vec<Note>,
}

/// What one part of the draft rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Note {
    /// How sure it is.
    pub(crate) how: How,
    /// Which part.
    pub(crate) about: String,
    /// What was found, or why it was guessed, in one line.
    pub(crate) what: String,
}

/// How sure a part of the draft is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// The project says so.
    Found,
    /// It is usual; somebody should look.
    Guessed,
    /// It could not be taken over; somebody has to do it.
    Missing,
}

/// A value with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told<T> {
    value: T,
    how: How,
    what: String,
}

/// How the service is built and started.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Build {
    /// What is released.
    path: Told<String>,
    /// How an instance is started.
    command: Told<Vec<String>>,
}

/// Everything that the draft is written from.
#[derive(Debug)]
struct Findings {
    service: Told<String>,
    build: Build,
    roles: BTreeMap<String, Told<Vec<String>>>,
    variables: Vec<variables::Found>,
    health: Told<String>,
    database: Option<Told<data::Database>>,
    flags: Option<Told<String>>,
    port: Told<u16>,
    /// What somebody has to do, beside what stands at the parts themselves.
    missing: Vec<Note>,
}

impl<T> Told<T> {
    fn found(value: T, what: impl Into<String>) -> Told<T> {
        Told { value, how: How::Found, what: what.into() }
    }

    fn guessed(value: T, what: impl Into<String>) -> Told<T> {
        Told { value, how: How::Guessed, what: what.into() }
    }
}

/// How many of a thing there are, for people.
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

impl Note {
    fn missing(about: &str, what: impl Into<String>) -> Note {
        Note { how: How::Missing, about: about.to_owned(), what: what.into() }
    }
}

/// Looks at a project and drafts its configuration.
pub(crate) fn draft(directory: &Path) -> Result<Draft, Failure> {
    let folder = Folder::open(directory)?;
    let findings = look(&folder);
    let draft = write::write(&findings);
    let check = crate::config::Config::parse(
        "ripcord.toml".into(),
        draft.text.clone(),
        directory.to_owned(),
    );
    match check {
        Ok(_) => Ok(draft),
        Err(failure) => Err(Failure::new(
            Code::Bug,
            format!("the drafted configuration is not valid: {}", failure.error),
        )
        .at(failure.report.unwrap_or_default())),
    }
}

fn look(folder: &Folder) -> Findings {
    let mut missing = Vec::new();
    let procfile = procfile::read(folder, &mut missing);
    let container = container::read(folder, &mut missing);
    let stated = procfile.web.or(container.command);
    let kind = kind::recognise(folder, stated.as_ref());
    let traces = source::search(folder);
    let variables = variables::read(folder);
    let data = data::look(folder, &variables, &kind.service.value, &mut missing);
    let build = kind.build;
    let told_port = build.command.value.iter().any(|word| word.contains("$PORT"));
    if !traces.reads_port && !told_port {
        missing.push(Note::missing(
            "PORT",
            "no source file names PORT; each instance must listen on 127.0.0.1 at the port in this \
             variable",
        ));
    }
    Findings {
        service: kind.service,
        build,
        roles: procfile.roles,
        health: container.health.or(traces.health).unwrap_or_else(|| {
            let what =
                "no path of this kind was found; it must answer 200 when an instance can serve";
            Told::guessed("/up".to_owned(), what)
        }),
        variables: variables::with_places(variables, &data),
        database: data.database,
        flags: data.flags,
        port: variables::port(folder)
            .or(container.port)
            .unwrap_or_else(|| Told::guessed(PORT, "a usual port of this machine alone")),
        missing,
    }
}
