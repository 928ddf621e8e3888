//! Talking to people and machines: data on standard output, talk on standard error, colour only
//! where a terminal shows it.

use crate::failure::{Code, Failure};
use anstyle::{AnsiColor, Style};
use ripcord_core::report::{Line, Mark};
use std::io::{IsTerminal as _, Write as _};

/// Prints data.
pub(crate) fn print(text: &str) {
    // A closed pipe ends the talk, not the work.
    drop(writeln!(anstream::stdout().lock(), "{text}"));
}

/// Shows data in the place of what was shown before, where that is a terminal.
pub(crate) fn redraw(text: &str) {
    let mut stdout = anstream::stdout().lock();
    if std::io::stdout().is_terminal() {
        // To the upper left, and away with everything from there on.
        drop(write!(stdout, "\u{1b}[H\u{1b}[2J"));
    }
    drop(writeln!(stdout, "{text}"));
    drop(stdout.flush());
}

/// How wide the terminal is; the usual width where there is none.
pub(crate) fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let columns = said.or_else(|| seen().map(|size| usize::from(size.ws_col)));
    columns.filter(|columns| *columns > 0).unwrap_or(WIDTH)
}

/// The usual width of a terminal.
const WIDTH: usize = 100;

/// Says something to the person who watches.
pub(crate) fn say(text: &str) {
    drop(writeln!(anstream::stderr().lock(), "{text}"));
}

/// Says what went wrong; as JSON on standard output for machines.
pub(crate) fn failure(failure: &Failure, json: bool) {
    // The demo has printed its own object already, which says what does not hold.
    if json && failure.code != Code::DemoFailed {
        print(&serde_json::to_string(&serde_json::json!({ "error": failure })).unwrap_or_default());
    }
    let red = colour(AnsiColor::Red);
    say(&format!("{red}{failure}{red:#}"));
}

/// Tells a line of a plan's journal.
pub(crate) fn story(line: &Line) {
    let (sign, style) = look(line.mark);
    let time = line.at.strftime("%H:%M:%S%.3f");
    say(&format!("{style}{time} {sign} {}{style:#}", line.text));
}

/// How a line of a story looks.
pub(crate) fn look(mark: Mark) -> (&'static str, Style) {
    match mark {
        Mark::Begin => ("▶", Style::new().bold()),
        Mark::Doing => ("…", Style::new().dimmed()),
        Mark::Done => ("✓", colour(AnsiColor::Green)),
        Mark::Seen => ("·", Style::new().dimmed()),
        Mark::Person => ("☞", colour(AnsiColor::Cyan)),
        Mark::Bad => ("✗", colour(AnsiColor::Red)),
        Mark::Back => ("↶", colour(AnsiColor::Yellow)),
        Mark::End => ("■", Style::new().bold()),
    }
}

/// Text of this colour.
pub(crate) fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(colour.into()))
}

/// A table with columns as wide as they need to be.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(head.get(column).map_or(0, |name| name.chars().count()))
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = line(head.to_vec());
    for row in rows {
        text.push('\n');
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["v1".into(), "live".into()], vec!["v12".into(), "held".into()]];
        assert_eq!(table(&["id", "is"], &rows), "id   is\nv1   live\nv12  held");
    }
}
