//! Lines of any number of bytes in all, in constant memory. Lines are numbered from 1.

use crate::failure::{Code, Failure};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The longest line. A usual one has a thousandth of this.
const BYTES_MAX: usize = 64 << 10;

/// How much is read at once.
const BUFFER: usize = 256 << 10;

/// A source of lines.
pub(super) struct Lines {
    reader: BufReader<Box<dyn Read>>,
    /// What it is called.
    pub(super) name: String,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    /// The lines of a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Lines, Failure> {
        if path.as_os_str() == "-" {
            return Ok(Lines::of("standard input".to_owned(), Box::new(std::io::stdin())));
        }
        let name = path.display().to_string();
        let file = std::fs::File::open(path).map_err(|error| {
            Failure::new(Code::RecordUnreadable, format!("{name}: {error}"))
                .hint("name a file with one request a line, or - for standard input")
        })?;
        Ok(Lines::of(name, Box::new(file)))
    }

    pub(super) fn of(name: String, reader: Box<dyn Read>) -> Lines {
        let reader = BufReader::with_capacity(BUFFER, reader);
        Lines { reader, name, line: Vec::new(), number: 0 }
    }

    /// The next line that is not empty, with its number; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &[u8])>, Failure> {
        loop {
            self.line.clear();
            let most = BYTES_MAX as u64 + 1;
            let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.line);
            self.number += 1;
            match read {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) => return Err(self.wrong(self.number, &error.to_string())),
            }
            if self.line.len() > BYTES_MAX {
                let failure = self.wrong(self.number, "the line has more than 64 KiB");
                return Err(failure.hint("write one JSON object for each line"));
            }
            if !self.text().trim_ascii().is_empty() {
                // Borrowed anew, since the loop may go on.
                return Ok(Some((self.number, self.text())));
            }
        }
    }

    /// The line without the byte order mark that an editor may have put before the first one.
    fn text(&self) -> &[u8] {
        self.line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.line)
    }

    /// Something is wrong with a line.
    pub(super) fn wrong(&self, number: u64, what: &str) -> Failure {
        let name = &self.name;
        Failure::new(Code::RecordUnreadable, format!("{name}, line {number}: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_bounded() {
        let text = "\u{feff}a\r\n\n  \nb";
        let mut lines = Lines::of("x".to_owned(), Box::new(text.as_bytes()));
        assert_eq!(lines.next().unwrap(), Some((1, &b"a\r\n"[..])));
        assert_eq!(lines.next().unwrap(), Some((4, &b"b"[..])));
        assert_eq!(lines.next().unwrap(), None);
        let endless = std::io::repeat(b'x').take(1 << 30);
        let mut lines = Lines::of("x".to_owned(), Box::new(endless));
        let failure = lines.next().unwrap_err();
        assert_eq!(failure.error, "x, line 1: the line has more than 64 KiB");
    }
}
