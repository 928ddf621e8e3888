//! Numbering and recording releases. What is in a release was frozen into the store before.

use crate::controller::Controller;
use crate::failure::{Code, Failure};
use jiff::Timestamp;
use ripcord_core::model::Release;
use ripcord_core::run::{Draft, Event, Subject};
use ripcord_engine::Ledger;
use std::sync::PoisonError;

impl Controller {
    /// Gives a frozen release its number and writes it down. One with the same content as an
    /// earlier one is that earlier one; `false` says so.
    pub(crate) fn create_release(&self, frozen: Release) -> Result<(Release, bool), Failure> {
        let _turn = self.numbering.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.registry.same_content(&frozen) {
            return Ok((known, false));
        }
        let by = frozen.created_by.clone();
        let id = self.registry.next_id();
        let release = Release { id: id.clone(), created_at: Timestamp::now(), ..frozen };
        self.store.materialise(&release, &self.layout.release(&id))?;
        let event = Event::ReleaseCreated { release: Box::new(release.clone()) };
        let draft = Draft { subject: Subject::Release(id), by, event };
        self.ledger
            .append(draft)
            .map_err(|error| Failure::new(Code::LedgerUnusable, error.to_string()))?;
        self.registry.add(release.clone());
        Ok((release, true))
    }
}
