//! What a run does and what came of it, for people and for machines.

use crate::cli::context::Context;
use crate::terminal;
use anstyle::AnsiColor;
use ripcord_core::schema::Counted;
use ripcord_databases::postgres::{Outcome, Progress};
use serde_json::json;

/// What a run is about.
pub(super) struct Subject<'a> {
    /// `ran` or `taken_back`.
    pub(super) event: &'static str,
    pub(super) version: &'a str,
    pub(super) name: &'a str,
}

/// Tells of what is going on, to the person who watches.
pub(super) fn progress(progress: &Progress) {
    match progress {
        Progress::Waiting { attempt, why } => {
            terminal::say(&format!("  … others are in the way (attempt {attempt}): {why}"));
        }
        Progress::Statement { line, text } => terminal::say(&format!("  · line {line}: {text}")),
        Progress::Kept(one) => terminal::say(&format!("  · kept {one}")),
        Progress::Hidden(one) => terminal::say(&format!("  · hidden {one}")),
        Progress::Gone(one) => terminal::say(&format!("  · gone for good: {one}")),
        Progress::Repaired(what) => terminal::say(&format!("  · put right: {what}")),
    }
}

/// Tells what came of a run: a line of JSON, or some for people.
pub(super) fn outcome(subject: &Subject<'_>, outcome: &Outcome, context: &Context) {
    if context.json {
        let conflicts: Vec<serde_json::Value> = outcome
            .conflicts
            .iter()
            .map(|one| json!({ "what": one.what, "why": one.why, "count": one.count }))
            .collect();
        let line = json!({
            "event": subject.event,
            "migration": subject.version,
            "name": subject.name,
            "kept": outcome.kept,
            "hidden": outcome.hidden,
            "gone": outcome.gone,
            "repaired": outcome.repaired,
            "conflicts": conflicts,
            "notes": outcome.notes,
            "took_ms": outcome.took_ms,
        });
        terminal::print(&line.to_string());
        return;
    }
    let (green, yellow) = (terminal::colour(AnsiColor::Green), terminal::colour(AnsiColor::Yellow));
    let (sign, style) =
        if subject.event == "taken_back" { ("↶", yellow) } else { ("✓", green) };
    let Subject { version, name, .. } = subject;
    let title = if version == name { (*name).to_owned() } else { format!("{version} {name}") };
    terminal::print(&format!("{style}{sign}{style:#} {title} ({} ms)", outcome.took_ms));
    for (word, list) in
        [("kept", &outcome.kept), ("hidden", &outcome.hidden), ("gone for good:", &outcome.gone)]
    {
        for one in list {
            terminal::print(&format!("    {word} {}", counted(one)));
        }
    }
    for what in &outcome.repaired {
        terminal::print(&format!("    put right: {what}"));
    }
    for one in &outcome.conflicts {
        terminal::print(&format!(
            "    {yellow}conflict{yellow:#} {}: {} ({})",
            one.what, one.why, one.count
        ));
    }
    for note in &outcome.notes {
        terminal::print(&format!("    {note}"));
    }
}

/// A count as people read it.
pub(super) fn counted(one: &Counted) -> String {
    one.to_string()
}

/// The last line: how much was done.
pub(super) fn end(word: &str, count: usize, context: &Context) {
    if context.json {
        terminal::print(&json!({ "event": "done", "count": count }).to_string());
    } else if count == 0 {
        terminal::print("nothing to do");
    } else {
        let plural = if count == 1 { "" } else { "s" };
        terminal::print(&format!("{count} migration{plural} {word}"));
    }
}
