//! golang-migrate: each file is sent to the server as one message.

use crate::formats::folder::Folder;
use crate::formats::pairs::{self, Pairs};
use crate::formats::{Read, Transaction};

pub(super) fn read(folder: &mut Folder) -> Read {
    let how = Pairs {
        single: false,
        transaction: |_| Transaction::OneMessage,
        checksum: |_| None,
        name: str::to_owned,
    };
    Read { history: Some("schema_migrations".to_owned()), migrations: pairs::read(folder, &how) }
}
