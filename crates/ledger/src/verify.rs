//! Verifying: every entry, the chain, the file, and what is known about it outside.

use crate::database::foreign_schema;
use crate::error::{damaged, meaning};
use ripcord_core::model::{Digest, EnvironmentName, Fence};
use ripcord_core::run::{Entry, Event};
use ripcord_engine::LedgerError;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// A place in the ledger, to be kept outside of it. A hash chain alone does not show that its end
/// was cut off or that all of it was written anew; an anchor does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The sequence of an entry; 0 for an empty ledger.
    pub sequence: u64,
    /// Its digest; that of nothing for an empty ledger.
    pub digest: Digest,
}

impl Anchor {
    /// The head of an empty ledger.
    pub(crate) fn of_nothing() -> Anchor {
        Anchor { sequence: 0, digest: Digest::of_bytes(b"") }
    }
}

/// A ledger that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many entries it has.
    pub entries: u64,
    /// Its last entry.
    pub head: Anchor,
}

/// A row as it is stored.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) sequence: u64,
    pub(crate) environment: Option<String>,
    pub(crate) body: String,
    pub(crate) digest: String,
}

/// The columns of a [`Row`], in its order.
pub(crate) const COLUMNS: &str = "sequence, environment, body, digest";

/// Verifies all that the connection sees at one moment.
pub(crate) fn verify(
    connection: &mut Connection,
    anchors: &[Anchor],
) -> Result<Verified, LedgerError> {
    let moment = connection.transaction().map_err(|error| meaning(&error, 0))?;
    let schema = foreign_schema(&moment).map_err(|error| meaning(&error, 0))?;
    let (verified, anchored) = chain(&moment, anchors)?;
    if let Some(why) = schema {
        return Err(damaged(0, why));
    }
    let head = &verified.head;
    for anchor in anchors {
        if anchor.sequence > head.sequence {
            let why = format!(
                "it is missing: the ledger ends at entry {}, but entry {} is known outside",
                head.sequence, anchor.sequence
            );
            return Err(damaged(head.sequence + 1, why));
        }
        if !anchored.contains(anchor) {
            let why = format!("it was written anew: outside it is known as {}", anchor.digest);
            return Err(damaged(anchor.sequence, why));
        }
    }
    let check: String = moment
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| meaning(&error, 0))?;
    if check == "ok" { Ok(verified) } else { Err(damaged(0, check)) }
}

/// Follows the chain from its beginning, and picks out the entries that have anchors.
fn chain(
    connection: &Connection,
    anchors: &[Anchor],
) -> Result<(Verified, Vec<Anchor>), LedgerError> {
    let query = format!("SELECT {COLUMNS} FROM entry ORDER BY sequence");
    let mut statement = connection.prepare(&query).map_err(|error| meaning(&error, 0))?;
    let mut rows = statement.query([]).map_err(|error| meaning(&error, 0))?;
    let mut head = Anchor::of_nothing();
    let mut anchored = vec![head.clone()];
    let mut fence = Fence(0);
    loop {
        let next = head.sequence + 1;
        let row = match rows.next() {
            Ok(Some(row)) => Row::read(row).map_err(|error| meaning(&error, next))?,
            Ok(None) => break,
            Err(error) => return Err(meaning(&error, next)),
        };
        if row.sequence != next {
            return Err(damaged(next, format!("entry {} stands in its place", row.sequence)));
        }
        let entry = row.entry()?;
        if entry.previous != head.digest {
            return Err(damaged(next, "it does not continue the entry before it"));
        }
        let new_controller = matches!(entry.event, Event::ControllerStarted { .. });
        if entry.fence < fence || (entry.fence > fence && !new_controller) {
            return Err(damaged(next, format!("its fence is {} after {fence}", entry.fence)));
        }
        fence = entry.fence;
        head = Anchor { sequence: next, digest: Digest(row.digest) };
        if anchors.iter().any(|anchor| anchor.sequence == next) {
            anchored.push(head.clone());
        }
    }
    Ok((Verified { entries: head.sequence, head }, anchored))
}

impl Row {
    /// Takes a row of [`COLUMNS`].
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
        Ok(Row {
            sequence: row.get(0)?,
            environment: row.get(1)?,
            body: row.get(2)?,
            digest: row.get(3)?,
        })
    }

    /// The row of an entry.
    pub(crate) fn of(entry: &Entry) -> serde_json::Result<Row> {
        Ok(Row {
            sequence: entry.sequence,
            environment: entry.subject.environment().map(|name| name.0.clone()),
            body: serde_json::to_string(entry)?,
            digest: entry.digest().0,
        })
    }

    /// The entry of the row, after everything that one row can tell was checked.
    pub(crate) fn entry(&self) -> Result<Entry, LedgerError> {
        let bad = |why: String| damaged(self.sequence, why);
        if Digest::of_bytes(self.body.as_bytes()).as_str() != self.digest {
            return Err(bad("its text does not have the digest it was written with".to_owned()));
        }
        let entry: Entry = serde_json::from_str(&self.body)
            .map_err(|error| bad(format!("its text cannot be read: {error}")))?;
        if entry.digest().as_str() != self.digest {
            return Err(bad("its text is not in the form that ripcord writes".to_owned()));
        }
        if entry.sequence != self.sequence {
            return Err(bad(format!("its text says that it is entry {}", entry.sequence)));
        }
        if entry.subject.environment().map(EnvironmentName::as_str) != self.environment.as_deref() {
            return Err(bad("its environment is not the one of its text".to_owned()));
        }
        Ok(entry)
    }
}
