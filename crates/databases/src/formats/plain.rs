//! `NNN_name.up.sql` and `NNN_name.down.sql`, run by Ripcord or by a tool that left no mark. Each
//! script is taken to run in one transaction, as all tools of this layout do by default.

use crate::formats::folder::Folder;
use crate::formats::pairs::{self, Pairs};
use crate::formats::{Read, Transaction};

pub(super) fn read(folder: &mut Folder) -> Read {
    let how = Pairs {
        single: true,
        transaction: |_| Transaction::Whole,
        checksum: |_| None,
        name: str::to_owned,
    };
    Read { history: None, migrations: pairs::read(folder, &how) }
}
