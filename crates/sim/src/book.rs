//! The simulated ledger: entries that are durable only once they are synced, a fence, and a disk
//! that can be full but for a reserve.

use crate::controller::Controller;
use crate::fault::Protection;
use crate::state::{Moment, State, StepKind};
use ripcord_core::model::{Digest, EnvironmentName, Fence, ReleaseId};
use ripcord_core::plan::{Intent, Plan};
use ripcord_core::run::{Draft, Entry, Event, Subject};
use ripcord_engine::{Ledger, LedgerError};
use std::sync::Arc;

/// How many entries fit into the reserve.
const RESERVE: u32 = 64;

/// The ledger's disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    pub(crate) entries: Vec<Entry>,
    pub(crate) last: Option<Digest>,
    /// How many entries would survive a power cut.
    pub(crate) durable: usize,
    /// The place and digest of every entry whose writing was acknowledged.
    pub(crate) acked: Vec<(u64, Digest)>,
    pub(crate) fence: u64,
    pub(crate) full: bool,
    pub(crate) reserve_used: u32,
    /// The plan that the entries at the end are about.
    plan: Option<Arc<Plan>>,
    /// Whether that plan goes back.
    turned_back: bool,
}

impl Book {
    /// The plan that the entries at the end are about, unless it goes back.
    pub(crate) fn forward(&self) -> Option<&Plan> {
        self.plan.as_deref().filter(|_| !self.turned_back)
    }

    /// The release that is being taken back at present.
    pub(crate) fn taken_back(&self) -> Option<&ReleaseId> {
        self.plan.as_ref().filter(|_| self.turned_back).map(|plan| &plan.to)
    }
}

impl State {
    /// The machine of the ledger loses power.
    pub(crate) fn lose_unsynced(&mut self) {
        self.book.entries.truncate(self.book.durable);
        self.book.last = self.book.entries.last().map(Entry::digest);
    }

    /// Writes an entry, or says why not.
    pub(crate) fn write(&mut self, draft: Draft, fence: u64) -> Result<Entry, LedgerError> {
        let newest = self.book.fence;
        if fence < newest {
            if self.protects(Protection::FenceChecked) {
                return Err(LedgerError::Fenced { seen: newest, ours: fence });
            }
            self.stale.push(format!("the ledger written by fence {fence} after {newest}"));
        }
        let starts = matches!(draft.event, Event::PlanStarted { .. });
        if self.book.full {
            if starts || self.book.reserve_used >= RESERVE {
                return Err(LedgerError::Full("only the reserve is left".to_owned()));
            }
            self.book.reserve_used += 1;
        }
        let entry = Entry {
            sequence: self.book.entries.len() as u64 + 1,
            subject: draft.subject,
            fence: Fence(fence),
            at: self.wall_clock(),
            by: draft.by,
            event: draft.event,
            previous: self.book.last.clone().unwrap_or_else(|| Digest::of_bytes(b"")),
        };
        if let Event::PlanStarted { plan } = &entry.event {
            let golden = self.golden_now();
            if plan.intent == Intent::Deploy {
                self.flags_before.insert(plan.to.clone(), golden.flags.clone());
            }
            self.golden.push((plan.id.clone(), golden));
            (self.book.plan, self.book.turned_back) = (Some(plan.clone()), false);
        }
        self.book.turned_back |= matches!(entry.event, Event::TurnedBack { .. });
        self.remember_moment(&entry);
        let digest = entry.digest();
        self.book.last = Some(digest.clone());
        self.book.entries.push(entry.clone());
        if self.syncs(&entry) {
            self.book.durable = self.book.entries.len();
            self.book.acked.push((entry.sequence, digest));
        } else if !self.protects(Protection::LedgerSynced) {
            self.book.acked.push((entry.sequence, digest));
        }
        Ok(entry)
    }

    fn syncs(&self, entry: &Entry) -> bool {
        let intent = matches!(entry.event, Event::Started | Event::UndoStarted);
        let lazily = !self.protects(Protection::LedgerSynced);
        if lazily {
            return entry.sequence.is_multiple_of(4);
        }
        !intent || self.protects(Protection::IntentFirst)
    }

    fn remember_moment(&mut self, entry: &Entry) {
        let Subject::Plan { step, .. } = &entry.subject else { return };
        let back = match entry.event {
            Event::Started => false,
            Event::UndoStarted => true,
            _ => return,
        };
        let step = self.book.plan.as_ref().and_then(|plan| plan.step(*step));
        let kind = step.map_or(StepKind::None, |step| StepKind::of(&step.effect));
        self.moment = Moment { kind, back };
    }
}

impl Ledger for Controller<'_> {
    fn append(&self, draft: Draft) -> Result<Entry, LedgerError> {
        let crashed = |_| LedgerError::Unusable("the controller is dead".to_owned());
        self.point("append").map_err(crashed)?;
        let entry = self.with(|state| {
            let entry = state.write(draft, self.fence);
            state.advance(1);
            entry
        })?;
        Ok(entry)
    }

    fn entries(
        &self,
        environment: &EnvironmentName,
        after: u64,
    ) -> Result<Vec<Entry>, LedgerError> {
        if self.is_dead() {
            return Err(LedgerError::Unusable("the controller is dead".to_owned()));
        }
        Ok(self.with(|state| {
            let first = usize::try_from(after).unwrap_or(usize::MAX);
            let entries = state.book.entries.get(first..).unwrap_or_default().iter();
            let ours = |entry: &&Entry| entry.subject.environment() == Some(environment);
            entries.filter(ours).cloned().collect()
        }))
    }

    fn fence(&self) -> Fence {
        Fence(self.fence)
    }
}
