//! `ripcord init`.

use crate::check::{self, Level};
use crate::cli::context::Context;
use crate::failure::{Code, Failure};
use crate::init::{self, Draft, How};
use crate::terminal;
use crate::world::replace_file;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

/// Write a first ripcord.toml by looking at the project; says what it found and what it guessed
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print it on standard output instead of writing it
    #[arg(long)]
    print: bool,
    /// Replace the file that is there
    #[arg(long, conflicts_with = "print")]
    force: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let path = &context.config;
    if !args.print && !args.force && path.symlink_metadata().is_ok() {
        return Err(there_already(path));
    }
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let draft = init::draft(directory)?;
    if args.print {
        if !context.json {
            tell(&draft);
            terminal::print(draft.text.trim_end());
            return Ok(());
        }
        return print_json(&draft, None);
    }
    write(path, &draft, args.force)?;
    if context.json {
        return print_json(&draft, Some(path));
    }
    tell(&draft);
    terminal::say(&format!("wrote {}", path.display()));
    still_missing(path)
}

fn there_already(path: &Path) -> Failure {
    Failure::new(Code::CannotWrite, format!("{} is there already", path.display()))
        .hint("look at a new draft with `ripcord init --print`, or replace it with --force")
}

fn write(path: &Path, draft: &Draft, force: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => there_already(path),
        _ => Failure::new(Code::CannotWrite, format!("{}: {error}", path.display()))
            .hint("look at the draft with `ripcord init --print`"),
    };
    if force {
        let path = &std::path::absolute(path).map_err(failed)?;
        return replace_file(path, draft.text.as_bytes()).map_err(failed);
    }
    // Of two that write at the same time, one is refused.
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(draft.text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

fn print_json(draft: &Draft, written: Option<&Path>) -> Result<(), Failure> {
    let found = json!({ "written": written, "text": draft.text, "notes": draft.notes });
    let text = serde_json::to_string_pretty(&found)
        .map_err(|error| Failure::new(Code::Bug, error.to_string()))?;
    terminal::print(&text);
    Ok(())
}

/// Says what the draft rests on.
fn tell(draft: &Draft) {
    for note in &draft.notes {
        let word = match note.how {
            How::Found => "found",
            How::Guessed => "guessed",
            How::Missing => "to do",
        };
        terminal::say(&format!("{word:7}  {}: {}", note.about, note.what));
    }
}

/// Says what `ripcord check` would find wrong now. That something is not built yet is no failure
/// of this command.
fn still_missing(path: &Path) -> Result<(), Failure> {
    let findings = check::check(path)?;
    let wrong = findings.iter().filter(|finding| finding.level == Level::Error);
    for finding in wrong.clone() {
        terminal::say(&format!("wrong    {}: {}", finding.subject, finding.message));
    }
    terminal::say(match wrong.count() {
        0 => "next: read it, then `ripcord serve` and `ripcord release create`",
        _ => "next: read it, put right what is wrong, and look again with `ripcord check`",
    });
    Ok(())
}
