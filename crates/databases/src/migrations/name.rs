//! The name of a migration's file: number, name, and which half of the pair it is.

use crate::error::MigrationError;
use std::path::Path;

/// A parsed file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) version: u64,
    pub(super) name: String,
    pub(super) half: Half,
}

/// Which script of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Up,
    Down,
}

impl FileName {
    pub(super) fn parse(path: &Path) -> Result<FileName, MigrationError> {
        let wrong = |why| MigrationError::Name { path: path.to_owned(), why };
        let file = path.file_name().and_then(|name| name.to_str());
        let file = file.ok_or_else(|| wrong("has a name that is not UTF-8"))?;
        if file.chars().any(char::is_control) {
            return Err(wrong("has a control character in its name"));
        }
        let stem = &file[..file.len() - ".sql".len()];
        let (stem, half) = if let Some(stem) = stem.strip_suffix(".up") {
            (stem, Half::Up)
        } else if let Some(stem) = stem.strip_suffix(".down") {
            (stem, Half::Down)
        } else {
            return Err(wrong("is not the name of a migration"));
        };
        let (digits, name) =
            stem.split_once('_').ok_or_else(|| wrong("is not the name of a migration"))?;
        if digits.is_empty() || name.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong("is not the name of a migration"));
        }
        let version = digits.parse().map_err(|_| wrong("has a number too large"))?;
        Ok(FileName { version, name: name.to_owned(), half })
    }
}
