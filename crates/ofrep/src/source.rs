//! The file with the flags: looked at every few milliseconds, read when it changed, and put in
//! force when it is good. A bad one changes nothing but what is said.

use crate::keys::Keys;
use crate::options::Options;
use crate::saved;
use crate::served::Served;
use crate::shared::Shared;
use ripcord_core::model::Digest;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most bytes of a document.
const BYTES_MAX: u64 = 16 << 20;

/// A file may be written twice within one tick of the file system's clock without a trace in its
/// times. So a file that looks the same is read once more when that tick is surely over.
const SETTLED: Duration = Duration::from_millis(50);

/// The watcher of one file, and of the keys beside it.
pub(crate) struct Source {
    options: Options,
    shared: Arc<Shared>,
    flags: Look,
    keys: Look,
}

impl Source {
    /// Looks for the first time. When this returns, the server answers.
    pub(crate) fn open(options: Options, shared: Arc<Shared>) -> Source {
        let mut source = Source { options, shared, flags: Look::default(), keys: Look::default() };
        source.look();
        if source.shared.served.load().is_none() {
            source.serve_the_copy();
        }
        source
    }

    /// Looks until the server stops.
    pub(crate) fn watch(mut self) {
        while !*self.shared.stopping.borrow() {
            std::thread::sleep(self.options.limits.look_every);
            self.look();
        }
    }

    fn look(&mut self) {
        if let Some(read) = self.flags.changed(&self.options.file) {
            self.take(read);
        }
        if let Some(path) = &self.options.keys
            && self.keys.changed(path).is_some()
        {
            let read = Keys::read(path);
            match (read, &self.shared.keys) {
                (Ok(keys), Some(in_force)) => in_force.store(Arc::new(keys)),
                (Err(error), _) => (self.options.say)(&format!("the old keys hold on: {error}")),
                (Ok(_), None) => {}
            }
        }
    }

    /// Puts what was read in force, or says why not.
    fn take(&self, read: Result<Vec<u8>, String>) {
        let shared = &self.shared;
        let before = shared.served.load_full();
        let text = read
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
        let digest = text.as_ref().ok().map(|text| Digest::of_bytes(text.as_bytes()));
        if let (Some(before), Some(digest)) = (&before, &digest)
            && before.digest == *digest
            && !before.from_copy
        {
            // Back at what is in force, perhaps after something bad.
            shared.refused.store(None);
            return;
        }
        let built = text.and_then(|text| {
            let number = before.as_ref().map_or(1, |before| before.number + 1);
            let digest = digest.ok_or("it is not text")?;
            let tallies = &shared.tallies;
            let broken_rules = self.options.broken_rules;
            let built = Served::build(&text, digest, broken_rules, tallies, number);
            built.map_err(|error| error.to_string()).map(|served| (text, served))
        });
        match built {
            Ok((text, served)) => {
                let (count, digest) = (served.flags(), served.digest.short().to_owned());
                shared.put_in_force(Arc::new(served));
                (self.options.say)(&format!("serving {count} flags, document {digest}"));
                self.save(&text);
            }
            Err(why) => {
                let file = self.options.file.display();
                let goes_on = match &before {
                    Some(before) => format!("document {} is served on", before.digest.short()),
                    None => "there is nothing to serve".to_owned(),
                };
                if shared.refuse(format!("{file}: {why}")) {
                    (self.options.say)(&format!("{file} is refused: {why}; {goes_on}"));
                }
            }
        }
    }

    /// Serving comes first: a full disk must not keep a flag on.
    fn save(&self, text: &str) {
        if let Err(error) = saved::save(&self.options.file, text) {
            (self.options.say)(&format!(
                "no copy of this document was kept ({error}); after a restart only the file itself \
                 can be served"
            ));
        }
    }

    fn serve_the_copy(&self) {
        let file = &self.options.file;
        let refused = self.shared.refused.load_full();
        let built = saved::load(file).and_then(|copy| {
            let copy = copy.ok_or("there is no copy of an earlier document")?;
            let digest = Digest::of_bytes(copy.as_bytes());
            let tallies = &self.shared.tallies;
            let built = Served::build(&copy, digest, self.options.broken_rules, tallies, 1);
            Ok(built.map_err(|error| error.to_string())?.into_copy())
        });
        match built {
            Ok(served) => {
                let digest = served.digest.short().to_owned();
                self.shared.put_in_force(Arc::new(served));
                // Serving a copy is not being well, and has to be seen.
                self.shared.refused.store(refused);
                (self.options.say)(&format!(
                    "the copy of the last good document is served: {digest}"
                ));
            }
            Err(why) => {
                (self.options.say)(&format!("every question is answered with an error: {why}"));
            }
        }
    }
}

/// What a file looked like, to see that it changed.
#[derive(Default)]
struct Look {
    seen: Option<Result<Trace, io::ErrorKind>>,
    read_at: Option<Instant>,
    settled: bool,
}

/// What tells one content of a file from the next without reading it.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    device: u64,
    node: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    /// The content, if it may be another than last time.
    fn changed(&mut self, path: &Path) -> Option<Result<Vec<u8>, String>> {
        let found = fs::metadata(path).map(|found| Trace::of(&found)).map_err(|e| e.kind());
        let same = self.seen.as_ref() == Some(&found);
        let due = self.read_at.is_none_or(|at| at.elapsed() > SETTLED);
        if same && (self.settled || !due) {
            return None;
        }
        self.settled = same;
        self.seen = Some(found);
        self.read_at = Some(Instant::now());
        Some(read(path))
    }
}

impl Trace {
    fn of(found: &Metadata) -> Trace {
        Trace {
            device: found.dev(),
            node: found.ino(),
            bytes: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let found = fs::metadata(path).map_err(|error| error.to_string())?;
    if found.len() > BYTES_MAX {
        return Err(format!("it has {} bytes, more than can be meant", found.len()));
    }
    fs::read(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_seen_and_then_it_is_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut look = Look::default();
        assert!(look.changed(&path).is_some_and(|read| read.is_err()));
        fs::write(&path, "1").unwrap();
        assert_eq!(look.changed(&path), Some(Ok(b"1".to_vec())));
        // Overwritten in place, same length, perhaps within the same tick.
        fs::write(&path, "2").unwrap();
        let began = Instant::now();
        let mut last = None;
        while began.elapsed() < 4 * SETTLED {
            last = look.changed(&path).or(last);
        }
        assert_eq!(last, Some(Ok(b"2".to_vec())));
        assert_eq!(look.changed(&path), None);
        fs::remove_file(&path).unwrap();
        assert!(look.changed(&path).is_some_and(|read| read.is_err()));
    }
}
