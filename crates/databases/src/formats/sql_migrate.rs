//! sql-migrate: `-- +migrate Up` and `-- +migrate Down` in one file, in the order of file names.

use crate::formats::folder::Folder;
use crate::formats::sections::{self, Mark, Sections, after};
use crate::formats::{Read, Transaction};

pub(super) fn read(folder: &mut Folder) -> Read {
    let how = Sections {
        mark,
        without: Transaction::Separate,
        wanted: "-- +migrate Up",
        numbered: false,
        verbatim: false,
    };
    let mut migrations = sections::read(folder, &how);
    // It compares the numbers with which names begin, if both have one, and names otherwise.
    let key = |version: &str| {
        let digits = version.bytes().take_while(u8::is_ascii_digit).count();
        version[..digits].parse::<u64>().unwrap_or(u64::MAX)
    };
    migrations.sort_by(|a, b| (key(&a.version), &a.version).cmp(&(key(&b.version), &b.version)));
    Read { history: Some("gorp_migrations".to_owned()), migrations }
}

pub(super) fn mark(line: &str) -> Mark {
    let Some(words) = after(line, "+migrate") else { return Mark::Text };
    let transaction = !words.iter().any(|word| word.eq_ignore_ascii_case("notransaction"));
    match words.first() {
        Some(word) if word.eq_ignore_ascii_case("up") => Mark::Up { transaction },
        Some(word) if word.eq_ignore_ascii_case("down") => Mark::Down { transaction },
        _ => Mark::Text,
    }
}
