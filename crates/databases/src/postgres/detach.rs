//! Leaving a database without a trace, so that the folder's own tool goes on alone.

use crate::postgres::attempt::attempt;
use crate::postgres::own::{self, Applied, Kept, KeptItem};
use crate::postgres::session::Session;
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use serde::Serialize;

/// What is lost by leaving.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Belongings {
    /// Pieces that are kept.
    pub pieces: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their size on disk.
    pub bytes: u64,
    /// Tables and columns that are hidden, in words.
    pub hidden: Vec<String>,
    /// Statements that wait to be run.
    pub waiting: Vec<String>,
    /// Versions that are half way.
    pub unfinished: Vec<String>,
}

impl Belongings {
    /// Whether nothing would be lost.
    pub fn is_nothing(&self) -> bool {
        self.rows == 0
            && self.hidden.is_empty()
            && self.waiting.is_empty()
            && self.unfinished.is_empty()
    }
}

const ABOUT: &str = "Ripcord's own schema";

/// What is there that somebody may still want.
///
/// # Errors
///
/// The database cannot be asked.
pub fn belongings(session: &mut Session) -> Result<Belongings, PostgresError> {
    let mut found = Belongings::default();
    for kept in Kept::all(session.guard())?.iter().filter(|kept| kept.purged_at.is_none()) {
        found.pieces += 1;
        found.rows += kept.rows;
        found.bytes += kept.bytes;
        match &kept.item {
            KeptItem::Hidden { column, .. } if kept.restored_at.is_none() => {
                let column = column.as_ref();
                let column = column.map_or_else(String::new, |(name, _)| format!(".{name}"));
                found.hidden.push(format!("{}{column}", kept.relation));
            }
            KeptItem::Deferred { text, .. } if kept.restored_at.is_none() => {
                let text: String = text.chars().take(80).collect();
                found.waiting.push(text);
            }
            _ => {}
        }
    }
    found.unfinished = Applied::unfinished(session.guard())?;
    Ok(found)
}

/// Removes everything of Ripcord's, with what is kept and what is hidden, in one transaction.
///
/// # Errors
///
/// Something hangs on it, the user may not, or the database cannot be asked.
pub fn detach(session: &mut Session) -> Result<(), PostgresError> {
    let hidden: Vec<String> = Kept::all(session.guard())?.iter().filter_map(removal).collect();
    attempt(session, &Terms::default(), "detach", &mut |_| {}, |session, _| {
        for statement in &hidden {
            session.work().run(ABOUT, statement)?;
        }
        own::remove(session.work())
    })
}

/// The statement that destroys what is hidden elsewhere than in Ripcord's own schema.
pub(crate) fn removal(kept: &Kept) -> Option<String> {
    if kept.purged_at.is_some() || kept.restored_at.is_some() {
        return None;
    }
    match &kept.item {
        KeptItem::Hidden { place, column: Some((_, now)), .. } => {
            Some(format!("ALTER TABLE {place} DROP COLUMN IF EXISTS {now}"))
        }
        KeptItem::Hidden { place, column: None, .. } => {
            Some(format!("DROP TABLE IF EXISTS {place}"))
        }
        _ => None,
    }
}
