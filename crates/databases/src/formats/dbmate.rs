//! dbmate: `-- migrate:up` and `-- migrate:down` in one file, perhaps several times.

use crate::formats::folder::Folder;
use crate::formats::sections::{self, Mark, Sections, after};
use crate::formats::{Read, Transaction};

pub(super) fn read(folder: &mut Folder) -> Read {
    let how = Sections {
        mark,
        without: Transaction::OneMessage,
        wanted: "-- migrate:up",
        numbered: true,
        verbatim: true,
    };
    let migrations = sections::read(folder, &how);
    Read { history: Some("schema_migrations".to_owned()), migrations }
}

pub(super) fn mark(line: &str) -> Mark {
    let Some(words) = after(line, "migrate:") else { return Mark::Text };
    let transaction = !words.contains(&"transaction:false");
    match words.first() {
        Some(&"up") => Mark::Up { transaction },
        Some(&"down") => Mark::Down { transaction },
        _ => Mark::Text,
    }
}
