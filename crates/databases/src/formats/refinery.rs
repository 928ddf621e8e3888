//! refinery: `V1__name.sql`, and `U1__name.sql` for the same without strict order. It only goes
//! forward: a U is not the undo of a V, as it is for Flyway.

use crate::formats::checksum;
use crate::formats::folder::Folder;
use crate::formats::order::{bad_name, claim, note_missing};
use crate::formats::{Migration, MigrationKind, Read, Script, Transaction};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) fn read(folder: &mut Folder) -> Read {
    let mut claimed: BTreeMap<u64, (PathBuf, String)> = BTreeMap::new();
    for path in folder.sql_files() {
        match parse(&path) {
            Some((version, name)) => claim(folder, &mut claimed, version, path, name),
            None => bad_name(folder, &path, "V1__name.sql or U1__name.sql"),
        }
    }
    let mut migrations = Vec::with_capacity(claimed.len());
    for (version, (path, name)) in claimed {
        let Some(text) = folder.script(&path) else { continue };
        let checksum =
            i32::try_from(version).ok().map(|version| checksum::refinery(&name, version, &text));
        let up = Script { path, text, transaction: Transaction::Whole };
        let (kind, version) = (MigrationKind::Versioned, version.to_string());
        migrations.push(Migration { version, name, kind, up, down: None, checksum });
    }
    note_missing(folder, &migrations);
    Read { history: Some("refinery_schema_history".to_owned()), migrations }
}

fn parse(path: &Path) -> Option<(u64, String)> {
    let stem = path.file_stem()?.to_str()?;
    let rest = stem.strip_prefix(['V', 'U'])?;
    let (version, name) = rest.split_once("__")?;
    let word = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (word && !name.is_empty()).then_some((version.parse().ok()?, name.to_owned()))
}
