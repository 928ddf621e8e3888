//! `ripcord flags lint`.

use crate::cli::context::Context;
use crate::config::caret;
use crate::failure::{Code, Failure};
use crate::terminal;
use jiff::Timestamp;
use ripcord_flags::{Document, Finding, Known, Severity, lint};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Check a document for what some users would not get as it says, and for what is probably not
/// meant; without a file, the one that is served
///
/// Verbs that change flags check what they change in the same way: errors refuse, warnings are
/// shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The document
    file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let invalid = |what: &dyn std::fmt::Display, path: &PathBuf| {
        Failure::new(Code::FlagsInvalid, format!("{}: {what}", path.display()))
    };
    let (path, text) = match &args.file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| invalid(&error, path))?;
            (path.clone(), text)
        }
        None => ("flags.json".into(), context.client()?.flags(&context.environment()?)?.in_force),
    };
    crate::store::flag_set(&path, text.as_bytes())?;
    let document = Document::parse(text.as_bytes()).map_err(|error| invalid(&error, &path))?;
    let now = Some(Timestamp::now().as_second());
    let found = lint(&document, &Known { unix_seconds: now, ..Known::default() });
    let of = |severity: Severity| found.iter().filter(|one| one.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let flags = document.keys().count();
    if context.json {
        let problems: Vec<Value> = found.iter().map(in_json).collect();
        terminal::print(&json!({ "flags": flags, "problems": problems }).to_string());
    } else {
        for one in &found {
            let place = caret(&path.display().to_string(), &text, one.problem.place.span.clone());
            terminal::print(&format!("{}: {}\n{place}", one.severity.as_str(), one.problem.what));
            if !one.problem.hint.is_empty() {
                terminal::print(&format!("hint: {}", one.problem.hint));
            }
        }
        terminal::say(&format!("{flags} flags, {errors} errors, {warnings} warnings"));
    }
    if errors > 0 {
        return Err(Failure::new(
            Code::FlagsInvalid,
            format!("{errors} errors in {}", path.display()),
        ));
    }
    Ok(())
}

fn in_json(finding: &Finding) -> Value {
    json!({
        "severity": finding.severity.as_str(),
        "flag": finding.flag,
        "what": finding.problem.what,
        "hint": finding.problem.hint,
        "line": finding.problem.place.line,
        "column": finding.problem.place.column,
    })
}
