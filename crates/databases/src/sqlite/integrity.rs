//! What the database itself says about its soundness.

use crate::sqlite::catalogue::Catalogue;
use crate::sqlite::trouble::{Result, Trouble};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// The most findings that are told.
const TOLD_MAX: usize = 5;

/// A reference from rows of one table to rows of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) child: String,
    pub(crate) parent: String,
    /// Columns of the child and of the parent.
    pub(crate) columns: Vec<(String, String)>,
}

/// Fails with what is broken.
pub(crate) fn check(connection: &Connection) -> Result<()> {
    let mut findings = connection.prepare("PRAGMA main.integrity_check(100)")?;
    let findings =
        findings.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    if findings != ["ok"] {
        return Err(Trouble::refuse(format!(
            "the database is damaged: {}; restore it from a backup",
            told(&findings)
        )));
    }
    let orphans: Vec<String> = orphans(connection)?.into_iter().collect();
    if !orphans.is_empty() {
        return Err(Trouble::refuse(format!(
            "{} rows refer to rows that do not exist: {}",
            orphans.len(),
            told(&orphans)
        )));
    }
    Ok(())
}

/// The rows whose foreign keys lead nowhere.
pub(crate) fn orphans(connection: &Connection) -> Result<BTreeSet<String>> {
    let mut rows = connection.prepare("PRAGMA main.foreign_key_check")?;
    let rows = rows.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        let row = row.get::<_, Option<i64>>(1)?.map_or("?".to_owned(), |row| row.to_string());
        Ok(format!("row {row} of {table} refers to {parent}"))
    });
    match rows.and_then(Iterator::collect) {
        Ok(orphans) => Ok(orphans),
        // A foreign key that cannot be checked at all is as the author left it.
        Err(error) if error.to_string().contains("foreign key mismatch") => Ok(BTreeSet::new()),
        Err(error) => Err(error.into()),
    }
}

/// All references of a catalogue.
pub(crate) fn references(connection: &Connection, catalogue: &Catalogue) -> Result<Vec<Reference>> {
    let mut all = Vec::new();
    let mut query = connection.prepare_cached(
        "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq",
    )?;
    for table in &catalogue.tables {
        let mut found: BTreeMap<i64, Reference> = BTreeMap::new();
        let mut rows = query.query([&table.name])?;
        while let Some(row) = rows.next()? {
            let (parent, from): (String, String) = (row.get(1)?, row.get(2)?);
            let reference = found.entry(row.get(0)?).or_insert_with(|| Reference {
                child: table.name.clone(),
                parent: parent.clone(),
                columns: Vec::new(),
            });
            let primary = || {
                let key = catalogue.table(&parent)?.primary_key();
                Some(key.get(reference.columns.len())?.name.clone())
            };
            if let Some(to) = row.get::<_, Option<String>>(3)?.or_else(primary) {
                reference.columns.push((from, to));
            }
        }
        let sound = |reference: &Reference| {
            !reference.columns.is_empty() && catalogue.table(&reference.parent).is_some()
        };
        all.extend(found.into_values().filter(sound));
    }
    Ok(all)
}

/// The first few of many.
pub(crate) fn told(findings: &[String]) -> String {
    let mut told = findings.iter().take(TOLD_MAX).cloned().collect::<Vec<_>>().join("; ");
    if findings.len() > TOLD_MAX {
        told = format!("{told}; and {} more", findings.len() - TOLD_MAX);
    }
    told
}
