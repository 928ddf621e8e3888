//! goose: `-- +goose Up` and `-- +goose Down` in one file.

use crate::formats::folder::Folder;
use crate::formats::order::bad_name;
use crate::formats::sections::{self, Mark, Sections, after};
use crate::formats::{Read, Transaction};

pub(super) fn read(folder: &mut Folder) -> Read {
    let how = Sections {
        mark,
        without: Transaction::Separate,
        wanted: "-- +goose Up",
        numbered: true,
        verbatim: false,
    };
    let migrations = sections::read(folder, &how);
    let programs: Vec<_> = folder.files().iter().filter(|path| is_program(path)).cloned().collect();
    for path in programs {
        bad_name(folder, &path, "NNN_name.sql to be reviewed; a program cannot be");
    }
    Read { history: Some("goose_db_version".to_owned()), migrations }
}

/// A migration written in Go.
fn is_program(path: &std::path::Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let numbered = name.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    let is_go = path.extension().is_some_and(|extension| extension == "go");
    numbered && is_go && !name.ends_with("_test.go")
}

pub(super) fn mark(line: &str) -> Mark {
    let Some(words) = after(line, "+goose") else { return Mark::Text };
    let words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["up"] => Mark::Up { transaction: true },
        ["down"] => Mark::Down { transaction: true },
        ["no", "transaction"] => Mark::NoTransaction,
        _ => Mark::Text,
    }
}
