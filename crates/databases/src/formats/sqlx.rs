//! sqlx: one file or two for each migration, in a transaction unless its first line says not.

use crate::formats::checksum;
use crate::formats::folder::Folder;
use crate::formats::pairs::{self, Pairs};
use crate::formats::{Read, Transaction};

pub(super) fn read(folder: &mut Folder) -> Read {
    let how = Pairs {
        single: true,
        transaction: |text| {
            // The script still goes to the server as one message.
            let without = text.starts_with("-- no-transaction");
            if without { Transaction::OneMessage } else { Transaction::Whole }
        },
        checksum: |text| Some(checksum::sqlx(text)),
        name: |name| name.replace('_', " "),
    };
    Read { history: Some("_sqlx_migrations".to_owned()), migrations: pairs::read(folder, &how) }
}
