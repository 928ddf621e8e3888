//! The review for people: a table of each migration's statements, and what should be looked at.

use crate::cli::db::review::{counted, place};
use crate::terminal;
use anstyle::{AnsiColor, Style};
use ripcord_core::schema::{Inverse, Mode, Phase};
use ripcord_databases::review::{
    Finding, Holds, Level, Review, ReviewedMigration, ReviewedStatement, Silence,
};
use std::path::Path;

/// The review as text.
pub(super) fn people(reviews: &[Review]) -> String {
    let mut text = String::new();
    for review in reviews {
        one(review, &mut text);
    }
    text.push_str(&counted(reviews));
    text
}

fn one(review: &Review, text: &mut String) {
    let bold = Style::new().bold();
    let history = review.history.as_ref().map(|table| format!(", remembered in {table}"));
    let folder = plain(&review.folder.display().to_string());
    let line = format!(
        "{bold}{folder}{bold:#}: {}{}\n\n",
        review.format,
        history.map(|history| plain(&history)).unwrap_or_default()
    );
    text.push_str(&line);
    for migration in &review.migrations {
        heading(migration, text);
        if !migration.up.statements.is_empty() {
            text.push_str(&statements(&migration.up.statements));
            text.push('\n');
        }
        let mine = |finding: &&Finding| {
            finding.file == migration.up.file
                || migration.down.as_ref().is_some_and(|down| finding.file == down.file)
        };
        for finding in review.findings.iter().filter(mine) {
            text.push_str(&finding_text(review, finding));
        }
        text.push('\n');
    }
    let of_none = |finding: &&Finding| {
        !review.migrations.iter().any(|migration| {
            finding.file == migration.up.file
                || migration.down.as_ref().is_some_and(|down| finding.file == down.file)
        })
    };
    let mut others = review.findings.iter().filter(of_none).peekable();
    if others.peek().is_some() {
        for finding in others {
            text.push_str(&finding_text(review, finding));
        }
        text.push('\n');
    }
}

fn heading(migration: &ReviewedMigration, text: &mut String) {
    let bold = Style::new().bold();
    let file = plain(&migration.up.file.display().to_string());
    let back = match &migration.down {
        Some(down) if down.file != migration.up.file => {
            format!(", back by {}", plain(&down.file.display().to_string()))
        }
        Some(_) => ", with a way back".to_owned(),
        None => String::new(),
    };
    let line = format!("{bold}{file}{bold:#} ({}{back})\n", phase(migration.phase));
    text.push_str(&line);
}

fn statements(statements: &[ReviewedStatement]) -> String {
    let row = |statement: &ReviewedStatement| {
        vec![
            format!("  {}", statement.line),
            plain(&statement.what),
            statement.blocks.as_ref().map_or_else(dash, |block| {
                let holds = match block.holds {
                    Holds::Moment => "moment",
                    Holds::Rows => "rows",
                    Holds::Scan => "scan",
                    Holds::Rewrite => "REWRITE",
                    Holds::Unknown => "?",
                };
                format!("{} {holds}", block.lock)
            }),
            if statement.breaks_old_code.is_some() { "BREAKS".to_owned() } else { dash() },
            if statement.destroys.is_empty() {
                dash()
            } else {
                plain(&statement.destroys.join(", "))
            },
            inverse(&statement.inverse).to_owned(),
            if statement.depends_on_data.is_some() { "yes".to_owned() } else { dash() },
            phase(statement.phase).to_owned(),
            becomes(statement),
        ]
    };
    let rows: Vec<Vec<String>> = statements.iter().map(row).collect();
    let head = [
        "  line",
        "what",
        "blocks",
        "old code",
        "destroys",
        "undo",
        "needs data",
        "phase",
        "becomes",
    ];
    terminal::table(&head, &rows)
}

fn finding_text(review: &Review, finding: &Finding) -> String {
    let (style, sign) = match (&finding.silenced, finding.level) {
        (Some(_), _) => (Style::new().dimmed(), "silenced"),
        (None, Level::Error) => (colour(AnsiColor::Red), "error"),
        (None, Level::Warning) => (colour(AnsiColor::Yellow), "warning"),
        (None, Level::Note) => (colour(AnsiColor::Cyan), "note"),
    };
    let place = plain(&shown(&place(review, finding)));
    let mut text = format!(
        "  {style}{sign}{style:#} {place}:{} {}: {}\n",
        finding.line,
        finding.rule,
        plain(&finding.message)
    );
    match &finding.silenced {
        Some(Silence::Annotation { reason }) => {
            let line = format!("      because: {}\n", plain(reason));
            text.push_str(&line);
        }
        Some(Silence::Baseline) => text.push_str("      because: it is in the baseline\n"),
        None => {
            if let Some(instead) = &finding.instead {
                let line = format!("      instead: {}\n", plain(instead));
                text.push_str(&line);
            }
        }
    }
    text
}

/// What becomes of the statement, and of what it destroys.
fn becomes(statement: &ReviewedStatement) -> String {
    let word = |mode: Mode| match mode {
        Mode::Drop => "drop",
        Mode::Hide => "hide",
        Mode::Defer => "defer",
        Mode::Destroy => "DESTROY",
    };
    let mode = statement.mode.map(word);
    let kept = statement.kept.as_ref().map(|kept| word(kept.mode));
    match (mode, kept) {
        (Some(mode), Some(kept)) if mode != kept => format!("{mode}, {kept}"),
        (Some(mode), _) => mode.to_owned(),
        (None, _) => dash(),
    }
}

fn inverse(inverse: &Inverse) -> &'static str {
    match inverse {
        Inverse::Catalogue => "definition",
        Inverse::Kept => "kept rows",
        Inverse::Opaque => "author",
        Inverse::None => "NONE",
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "expand",
        Phase::Data => "data",
        Phase::Contract => "contract",
    }
}

fn dash() -> String {
    "-".to_owned()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(colour.into()))
}

/// What strangers wrote, on one line and without what could command a terminal.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
