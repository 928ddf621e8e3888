//! The review as Markdown, short enough for a comment on a pull request.

use crate::cli::db::review::{counted, place};
use ripcord_databases::review::{Finding, Level, Review};

/// The most findings that are written out; a comment has a limit.
const FINDINGS_MAX: usize = 100;

/// The review as Markdown.
pub(super) fn markdown(reviews: &[Review]) -> String {
    let mut text = format!("### Migrations\n\n{}\n", counted(reviews));
    let found: Vec<(&Review, &Finding)> = reviews
        .iter()
        .flat_map(|review| review.loud().map(move |finding| (review, finding)))
        .collect();
    if !found.is_empty() {
        text.push_str("\n| | where | what |\n| --- | --- | --- |\n");
    }
    for (review, finding) in found.iter().take(FINDINGS_MAX) {
        let sign = match finding.level {
            Level::Error => "🛑",
            Level::Warning => "⚠️",
            Level::Note => "ℹ️",
        };
        let place = code(&format!("{}:{}", place(review, finding).display(), finding.line));
        let statement = if finding.statement.is_empty() {
            String::new()
        } else {
            format!("{}<br>", code(&finding.statement))
        };
        let instead = finding.instead.as_ref();
        let instead = instead.map(|text| format!("<br>Instead: {}", escaped(text)));
        let line = format!(
            "| {sign} | {place} | {statement}**{}**: {}{} |\n",
            finding.rule,
            escaped(&finding.message),
            instead.unwrap_or_default()
        );
        text.push_str(&line);
    }
    if found.len() > FINDINGS_MAX {
        let line = format!("\nAnd {} more.\n", found.len() - FINDINGS_MAX);
        text.push_str(&line);
    }
    text.trim_end().to_owned()
}

/// Code in a cell of a table. Nothing in it can end the code or the cell.
fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '`' => '\'',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    format!("`{}`", plain.replace('|', "\\|"))
}

/// Text in a cell of a table, without mark-up, mentions or links of its own.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '#' => shown.extend(['\\', character]),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '&' => shown.push_str("&amp;"),
            '@' => shown.push_str("&#64;"),
            c if c.is_control() => shown.push(' '),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_cell() {
        assert_eq!(code("a`|b\n"), "`a'\\|b `");
        assert_eq!(escaped("<b> @x a|b\n"), "&lt;b&gt; &#64;x a\\|b ");
    }
}
