//! The flags server measured, each figure held to its bar. Run it by `cargo xtask bench flags`.
//!
//! Per core means: requests divided by the seconds of processor time that the server's process
//! used, in user and kernel mode, read from the system. The load comes from another process.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod changes;
mod documents;
mod evaluation;
mod load;
mod server;

use std::process::ExitCode;

/// One figure and its bar.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) figure: f64,
    pub(crate) unit: &'static str,
    pub(crate) bar: Bar,
}

/// What a figure has to be.
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
    None,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, figure: f64, unit: &'static str, bar: Bar) -> Row {
        Row { what: what.into(), figure, unit, bar }
    }

    fn holds(&self) -> bool {
        match self.bar {
            Bar::AtLeast(bar) => self.figure >= bar,
            Bar::AtMost(bar) => self.figure <= bar,
            Bar::None => true,
        }
    }

    fn print(&self) {
        let bar = match self.bar {
            Bar::AtLeast(bar) => format!("at least {bar}"),
            Bar::AtMost(bar) => format!("at most {bar}"),
            Bar::None => "-".to_owned(),
        };
        let verdict = if self.holds() { "" } else { "  MISSED" };
        println!("{:<58} {:>12.2} {:<14} {bar}{verdict}", self.what, self.figure, self.unit);
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, folder] = words.as_slice()
        && word == "serve"
    {
        server::serve(folder.as_ref());
        return ExitCode::SUCCESS;
    }
    let quick = words.iter().any(|word| word == "--quick");
    let mut missed = 0;
    let mut show = |rows: Vec<Row>| {
        for row in rows {
            row.print();
            missed += usize::from(!row.holds());
        }
    };
    show(evaluation::measure());
    show(load::measure(quick));
    show(changes::measure(quick));
    println!("flagd, the nearest peer, is not installable here, so no ratio against it is given");
    println!("{missed} bars missed");
    ExitCode::from(u8::from(missed > 0))
}
