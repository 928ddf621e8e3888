//! Tables for people, and at the end what must hold: one line each, PASS or FAIL.

use std::io::Write;

/// A table that is printed when it is complete.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns. The first one is aligned to the left, all others to the right.
    pub(crate) fn new(title: &str, columns: &[&str]) -> Table {
        let head = columns.iter().map(|&column| column.to_owned()).collect();
        Table { title: title.to_owned(), rows: vec![head] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as text.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = format!("\n{}\n", self.title);
        for row in &self.rows {
            let mut line = String::new();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let room = " ".repeat(width - cell.chars().count());
                let cell =
                    if index == 0 { format!("{cell}{room}") } else { format!("  {room}{cell}") };
                line.push_str(&cell);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// What the simulations have found: tables as they come, and at the end what must hold.
#[derive(Debug)]
pub(crate) struct Report {
    show: fn(&str),
    bars: Vec<(bool, String)>,
}

impl Report {
    /// A report that shows its tables this way.
    pub(crate) fn new(show: fn(&str)) -> Report {
        Report { show, bars: Vec::new() }
    }

    /// Shows a table.
    pub(crate) fn table(&self, table: &Table) {
        (self.show)(&table.text());
    }

    /// Something that must not be above its limit.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, limit: f64) {
        let words = format!("{what}: {} (at most {})", number(value), number(limit));
        // Not a number is no pass.
        self.hold(&words, value <= limit);
    }

    /// Something that must be so.
    pub(crate) fn hold(&mut self, what: &str, holds: bool) {
        self.bars.push((holds, what.to_owned()));
    }

    /// Whether all hold. There must be at least one.
    pub(crate) fn all_hold(&self) -> bool {
        !self.bars.is_empty() && self.bars.iter().all(|(holds, _)| *holds)
    }

    /// What does not hold.
    #[cfg(test)]
    pub(crate) fn failing(&self) -> impl Iterator<Item = &str> {
        self.bars.iter().filter(|(holds, _)| !holds).map(|(_, words)| words.as_str())
    }

    /// A line for each thing that must hold, those that fail last, where they are seen.
    pub(crate) fn bars(&self) -> String {
        let mut text = String::from("\n");
        for wanted in [true, false] {
            for (_, words) in self.bars.iter().filter(|(holds, _)| *holds == wanted) {
                text.push_str(if wanted { "PASS  " } else { "FAIL  " });
                text.push_str(words);
                text.push('\n');
            }
        }
        text
    }
}

/// Prints text on standard output.
pub(crate) fn print(text: &str) {
    // A reader that has gone away is no reason to lose the exit code.
    drop(write!(std::io::stdout().lock(), "{text}"));
}

/// A number for people: 33,239 or 1.34 or 0.0047.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "never".to_owned();
    }
    if value != 0.0 && value.abs() < 0.1 {
        return format!("{value:.4}");
    }
    if value.abs() < 100.0 {
        let text = format!("{value:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent.
pub(crate) fn percent(share: f64) -> String {
    let hundredths = share * 100.0;
    if share > 0.0 && hundredths < 1.0 {
        return format!("{hundredths:.3}").trim_end_matches('0').to_owned() + " %";
    }
    format!("{} %", number((hundredths * 1e3).round() / 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let check = |value: f64, expected: &str| assert_eq!(number(value), expected);
        check(33_239.4, "33,239");
        check(1_000_000.0, "1,000,000");
        check(1.5, "1.5");
        check(60.0, "60");
        check(0.004_66, "0.0047");
        check(f64::INFINITY, "never");
        check(0.0, "0");
        assert_eq!(percent(0.00466), "0.466 %");
        assert_eq!(percent(0.001), "0.1 %");
        assert_eq!(percent(1.0), "100 %");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let mut table = Table::new("T", &["a", "long"]);
        table.row(vec!["xyz".into(), "1".into()]);
        assert_eq!(table.text(), "\nT\na    long\nxyz     1\n");
    }

    #[test]
    fn one_failure_fails_all() {
        let mut report = Report::new(|_| ());
        assert!(!report.all_hold(), "nothing measured is no pass");
        report.at_most("mean", 3_289.0, 3_300.0);
        assert!(report.all_hold());
        report.at_most("mean", f64::NAN, 3_300.0);
        assert!(!report.all_hold());
        assert!(report.bars().ends_with("FAIL  mean: never (at most 3,300)\n"));
    }
}
