//! Where in a text something stands, for people: line, column, and the line with a caret.

use std::fmt;
use std::ops::Range;

/// The most characters of a line that are shown.
const SHOWN_MAX: usize = 100;

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes it stands at.
    pub span: Range<usize>,
    /// The line, or the part of it around the place.
    excerpt: String,
    /// How many characters of the excerpt stand before the place, and how many are marked.
    marked: (usize, usize),
}

impl Place {
    /// The place of some bytes of a text.
    pub(crate) fn of(text: &str, span: &Range<usize>) -> Place {
        let start = floor(text, span.start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = text[line_start..start].chars().count() + 1;
        let skipped = (column - 1).saturating_sub(SHOWN_MAX / 2);
        let excerpt: String =
            text[line_start..line_end].trim_end().chars().skip(skipped).take(SHOWN_MAX).collect();
        // Tabs and control characters would put the caret elsewhere.
        let excerpt = excerpt.replace(char::is_control, " ");
        let end = floor(text, span.end.clamp(start, line_end));
        let width = text[start..end].chars().count().clamp(1, SHOWN_MAX / 2);
        let marked = (column - 1 - skipped, width);
        Place { line, column, span: start..span.end.max(start), excerpt, marked }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let (before, width) = (" ".repeat(self.marked.0), "^".repeat(self.marked.1));
        write!(f, "{number} | {}\n{margin} | {before}{width}", self.excerpt)
    }
}

/// The nearest start of a character at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, span: Range<usize>, expected: &str) {
        let place = Place::of(text, &span);
        assert_eq!(format!("{}:{}\n{place}", place.line, place.column), expected, "{text:?}");
    }

    #[test]
    fn places_are_shown_with_a_caret() {
        check("abc\ndef", 5..7, "2:2\n2 | def\n  |  ^^");
        check("aü\"x\"", 3..6, "1:3\n1 | aü\"x\"\n  |   ^^^");
        check("", 0..0, "1:1\n1 | \n  | ^");
        check("a\n", 9..12, "2:1\n2 | \n  | ^");
        check("\tx", 1..2, "1:2\n1 |  x\n  |  ^");
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("{}x{}", "a".repeat(1000), "b".repeat(1000));
        let shown = Place::of(&text, &(1000..1001)).to_string();
        assert!(shown.lines().all(|line| line.len() < 120), "{shown}");
        assert!(shown.contains("ax"), "{shown}");
        assert_eq!(
            shown.find('x').map(|at| at + shown.find('\n').expect("two lines") + 1),
            shown.find('^')
        );
    }
}
