//! Showing a place in a text: the line, and a caret under what is meant.

use std::ops::Range;

/// The most characters of a line that are shown.
const WIDTH_MAX: usize = 160;

/// Renders the line in which `span` (bytes) begins, with carets below.
pub(crate) fn caret(name: &str, text: &str, span: Range<usize>) -> String {
    let start = floor(text, span.start);
    let end = floor(text, span.end).max(start);
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let number = text[..start].matches('\n').count() + 1;
    let column = text[line_start..start].chars().count();
    let length = text[start..end.min(line_end)].chars().count().max(1);
    // A line may be megabytes long; then a window around the place is shown.
    let skip = if column >= WIDTH_MAX { column - WIDTH_MAX / 2 } else { 0 };
    let line: Vec<char> =
        text[line_start..line_end].chars().skip(skip).take(WIDTH_MAX).map(visible).collect();
    // Tabs stay tabs below the line, so that the caret stands right whatever their width.
    let padding: String = line
        .iter()
        .take(column - skip)
        .map(|character| if *character == '\t' { '\t' } else { ' ' })
        .collect();
    let carets = "^".repeat(length.min(WIDTH_MAX - (column - skip)));
    let line: String = line.into_iter().collect();
    let gutter = " ".repeat(number.to_string().len());
    format!(
        "{gutter} --> {name}:{number}:{}\n{gutter}  |\n {number} | {line}\n{gutter}  | {padding}{carets}",
        column + 1,
        line = line.trim_end(),
    )
}

/// The nearest boundary of a character at or before this byte.
fn floor(text: &str, byte: usize) -> usize {
    let byte = byte.min(text.len());
    (0..=byte).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// One character for each, so that columns stay right.
fn visible(character: char) -> char {
    if character.is_control() && character != '\t' { '·' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// `«` and `»` around what is meant.
    fn check(marked: &str, expected: &Expect) {
        let start = marked.find('«').unwrap();
        let end = marked.find('»').unwrap() - '«'.len_utf8();
        let text = marked.replace(['«', '»'], "");
        // The first line keeps the others' indentation, of which each has some, in the snapshot.
        expected.assert_eq(&format!("at\n{}\n", caret("a.toml", &text, start..end)));
    }

    #[test]
    fn the_line_and_a_caret() {
        check(
            "a = 1\nb = «\"two\"»\nc = 3\n",
            &expect![[r#"
                at
                  --> a.toml:2:5
                   |
                 2 | b = "two"
                   |     ^^^^^
            "#]],
        );
    }

    #[test]
    fn several_digits_tabs_and_letters_of_several_bytes() {
        let before = "\n".repeat(99);
        check(
            &format!("{before}\tü = «x»\n"),
            &expect![[r"
                at
                    --> a.toml:100:6
                     |
                 100 | 	ü = x
                     | 	    ^
            "]],
        );
    }

    #[test]
    fn ends_with_the_line_and_at_the_end_of_the_text() {
        check(
            "a = «[\n1,\n]»",
            &expect![[r"
                at
                  --> a.toml:1:5
                   |
                 1 | a = [
                   |     ^
            "]],
        );
        check(
            "a = 1\n«»",
            &expect![[r"
                at
                  --> a.toml:2:1
                   |
                 2 | 
                   | ^
            "]],
        );
    }

    #[test]
    fn long_lines_are_cut_and_control_characters_shown() {
        let shown =
            caret("a", &format!("{}!{}", "x".repeat(5_000), "y".repeat(5_000)), 5_000..5_001);
        assert!(shown.len() < 500, "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[3].find('^').unwrap();
        assert_eq!(lines[2].as_bytes()[at], b'!');
        assert!(caret("a", "\u{1b}[2J", 0..1).contains("·[2J"));
    }

    #[test]
    fn spans_outside_the_text_and_inside_a_letter_do_no_harm() {
        for (start, end) in [(0, 99), (99, 100), (1, 2), (3, 1)] {
            assert!(caret("a", "üü", start..end).contains('^'));
        }
    }
}
