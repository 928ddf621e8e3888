//! Places where tests break things on purpose. In what is shipped there is nothing to break, and
//! all of this compiles to nothing.

use crate::sqlite::connection::Session;
use crate::sqlite::ensure::Request;
use crate::sqlite::scratch::WHOLE_BYTES_MAX;
use crate::sqlite::trouble::Result;

/// What to break.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Goes wrong around the commit.
    #[cfg(test)]
    pub(crate) at_commit: Option<AtCommit>,
    /// Commits the marker in a transaction of its own, before the change: the mistake that the
    /// whole design is there to avoid.
    #[cfg(test)]
    pub(crate) marker_apart: bool,
    /// The most pages that the database may have.
    #[cfg(test)]
    pub(crate) pages_max: Option<u32>,
    /// Takes every database for one too large to copy whole.
    #[cfg(test)]
    pub(crate) all_are_large: bool,
}

/// What goes wrong around the commit.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtCommit {
    /// The process ends before it.
    Crash,
    /// It is done, but the answer is lost.
    LoseAnswer,
}

#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "tests fail where this does not")]
impl Faults {
    pub(crate) fn whole_bytes_max(self) -> i64 {
        WHOLE_BYTES_MAX
    }

    pub(crate) fn limit_pages(self, _: &Session) -> Result<()> {
        Ok(())
    }

    pub(crate) fn mark_apart(self, _: &Session, _: &Request<'_>) -> Result<()> {
        Ok(())
    }

    pub(crate) fn before_commit(self) -> Result<()> {
        Ok(())
    }

    pub(crate) fn after_commit(self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Faults {
    pub(crate) fn whole_bytes_max(&self) -> i64 {
        if self.all_are_large { 0 } else { WHOLE_BYTES_MAX }
    }

    pub(crate) fn limit_pages(&self, session: &Session) -> Result<()> {
        if let Some(pages) = self.pages_max {
            let sql = format!("PRAGMA max_page_count = {pages}");
            session.connection.query_row(&sql, [], |_| Ok(()))?;
        }
        Ok(())
    }

    pub(crate) fn mark_apart(&self, session: &Session, request: &Request<'_>) -> Result<()> {
        if self.marker_apart {
            let connection = &session.connection;
            crate::sqlite::records::mark(
                connection,
                &request.change.id,
                request.wanted,
                request.fence,
            )?;
            connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    pub(crate) fn before_commit(&self) -> Result<()> {
        if self.at_commit == Some(AtCommit::Crash) {
            return Err(ripcord_engine::Failure::unknown("crashed on purpose").into());
        }
        Ok(())
    }

    pub(crate) fn after_commit(&self) -> Result<()> {
        if self.at_commit == Some(AtCommit::LoseAnswer) {
            return Err(ripcord_engine::Failure::unknown("lost on purpose").into());
        }
        Ok(())
    }
}
