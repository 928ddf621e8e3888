//! Logs of bounded size: one file that is written and the one before it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// How much of the end of a log is looked at for its last lines.
const TAIL_BYTES: u64 = 16 * 1024;

/// A line that is shown is cut to this many characters.
const LINE_MAX: usize = 400;

/// A log that is written.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl Log {
    /// Opens a log to write behind what it has.
    pub(crate) fn open(path: &Path, bytes_max: u64) -> io::Result<Log> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Log { path: path.to_owned(), file, bytes, bytes_max })
    }

    /// Copies everything until the other side closes. A log that cannot be written loses lines;
    /// the service must not wait for a disk.
    pub(crate) fn pump(mut self, mut from: impl io::Read) {
        let mut block = [0; 8192];
        loop {
            match from.read(&mut block) {
                Ok(0) => return,
                Ok(read) => drop(self.write(&block[..read])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(length) > self.bytes_max {
            fs::rename(&self.path, before(&self.path))?;
            self.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            self.bytes = 0;
        }
        self.file.write_all(bytes)?;
        self.bytes += length;
        Ok(())
    }
}

/// The last lines of a log, for people; none when there is no log.
pub(crate) fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let mut text = tail(&before(path)).unwrap_or_default();
    text.push_str(&tail(path).unwrap_or_default());
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    last.iter().map(|line| line.chars().take(LINE_MAX).collect()).collect()
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn before(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stays_bounded_and_keeps_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v1").join("1.log");
        let lines: Vec<String> = (0..10_000).map(|number| format!("line {number}\n")).collect();
        let text = lines.concat();
        Log::open(&path, 20_000).unwrap().pump(text.as_bytes());
        assert!(fs::metadata(&path).unwrap().len() <= 20_000);
        assert!(fs::metadata(before(&path)).unwrap().len() <= 20_000);
        assert_eq!(last_lines(&path, 2), ["line 9998", "line 9999"]);
        Log::open(&path, 20_000).unwrap().pump(&b"again\n"[..]);
        assert_eq!(last_lines(&path, 2), ["line 9999", "again"]);
        assert_eq!(last_lines(&directory.path().join("none.log"), 5), Vec::<String>::new());
    }
}
