//! Clearing away what no environment needs any more: the directories and files of releases that
//! are no target of a rollback. It runs between plans only, and gives way to whoever wants
//! something. What it is not sure about stays.

use crate::config::Config;
use crate::controller::Controller;
use crate::failure::{Code, Failure};
use crate::terminal;
use jiff::Timestamp;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{Digest, EnvironmentName, ReleaseId};
use ripcord_core::run::{Draft, Entry, Event, History, Subject, Verified};
use ripcord_engine::Ledger;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::TryLockError;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

/// So many of the newest releases stay, whoever needs them.
const NEWEST: usize = 5;

impl Controller {
    /// Clears away once after each plan, as soon as nobody else has a turn. What fails is tried
    /// again after the next plan.
    pub(crate) fn clear_away(&self) {
        if !self.clearing_due.load(Ordering::SeqCst) {
            return;
        }
        // While all of these are held no plan can begin, and no release gets its number.
        let turns = self.environments.values().map(|environment| &environment.starting);
        let mut held = Vec::new();
        for turn in turns.chain([&self.numbering]) {
            match turn.try_lock() {
                Ok(turn) => held.push(turn),
                Err(TryLockError::Poisoned(turn)) => held.push(turn.into_inner()),
                Err(TryLockError::WouldBlock) => return,
            }
        }
        // Before anything is looked at: a plan that ends meanwhile asks anew.
        self.clearing_due.store(false, Ordering::SeqCst);
        if let Err(failure) = self.clear_away_or_fail() {
            terminal::say(&format!("nothing is cleared away: {failure}"));
        }
    }

    fn clear_away_or_fail(&self) -> Result<(), Failure> {
        let news = || self.environments.values().map(|one| one.news()).sum::<u64>();
        let before = news();
        let Some(mut keep) = self.needed()? else { return Ok(()) };
        let running = self.running()?;
        let stopping = running.difference(&keep).next().is_some();
        keep.extend(running);
        let releases = self.registry.all();
        let unneeded: Vec<ReleaseId> = releases
            .iter()
            .map(|release| release.id.clone())
            .filter(|id| !keep.contains(id))
            .filter(|id| !self.store.was_cleared(id) || self.layout.release(id).exists())
            .collect();
        if !unneeded.is_empty() {
            // Written down first: a release that lacks a file must never look damaged.
            let event = Event::Pruned { releases: unneeded.clone() };
            let by = "ripcord".to_owned();
            self.ledger.append(Draft { subject: Subject::Controller, by, event })?;
            self.store.note_cleared(&unneeded);
        }
        let halt = || news() != before;
        for id in &unneeded {
            if halt() {
                break;
            }
            self.store.discard(&self.layout.release(id))?;
        }
        self.store.prune(&releases, &keep, &self.flag_documents()?, SystemTime::now(), &halt)?;
        // Whoever wants something comes first; what still runs is cleared away once it is stopped.
        if stopping || halt() {
            self.clearing_due.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    /// The documents of all revisions of flags, anywhere.
    fn flag_documents(&self) -> Result<BTreeSet<Digest>, Failure> {
        let mut named = BTreeSet::new();
        for entry in self.ledger.all_entries(0)? {
            if let Event::FlagsRevised { revision } = entry.event {
                named.extend(revision.document);
                named.extend(revision.in_force);
            }
        }
        Ok(named)
    }

    /// The releases that stay; none while a plan is not over.
    fn needed(&self) -> Result<Option<BTreeSet<ReleaseId>>, Failure> {
        // Read anew: somebody may have asked for a longer window since the last plan.
        let windows: BTreeMap<EnvironmentName, Millis> = Config::load(&self.config_path)?
            .environments()?
            .into_iter()
            .map(|settings| (settings.name, settings.policy.rollback_window_ms))
            .collect();
        let mut histories = self.elsewhere.clone();
        for (name, environment) in &self.environments {
            histories.insert(name.clone(), environment.past(&self.ledger)?.history);
        }
        let now = Timestamp::now();
        let mut keep = BTreeSet::new();
        for (name, history) in &histories {
            if history.running.is_some() {
                return Ok(None);
            }
            // Of an environment that the configuration does not name, no window is known to close.
            let window = windows.get(name).copied().unwrap_or(Millis::MAX);
            keep.extend(targets(history, window, now));
        }
        keep.extend(self.registry.all().into_iter().rev().take(NEWEST).map(|release| release.id));
        Ok(Some(keep))
    }

    /// The releases that have instances, or whose configuration is in force.
    fn running(&self) -> Result<BTreeSet<ReleaseId>, Failure> {
        let cannot =
            |error: ripcord_engine::Failure| Failure::new(Code::CannotObserve, error.to_string());
        let mut running = BTreeSet::new();
        for environment in self.environments.values() {
            let world = environment.world();
            running.extend(world.platform.observe().map_err(cannot)?.into_keys());
            running.extend(world.config.observe().map_err(cannot)?);
        }
        Ok(running)
    }
}

/// The releases that an environment serves or may return to.
fn targets(history: &History, window_ms: Millis, now: Timestamp) -> BTreeSet<ReleaseId> {
    let is_open = |verified: &&Verified| {
        verified
            .replaced_at
            .is_none_or(|at| now.duration_since(at).as_millis() < i128::from(window_ms))
    };
    let open = history.verified.iter().filter(is_open);
    let previous = history.last_verified_before_live();
    let mut targets: BTreeSet<ReleaseId> =
        open.chain(previous).map(|verified| verified.release.clone()).collect();
    targets.extend(history.live().cloned());
    targets.extend(history.warm.as_ref().map(|(release, _)| release.clone()));
    targets
}

/// The pasts of the environments that the ledger knows and the configuration does not name.
pub(crate) fn elsewhere<'a>(
    entries: &[Entry],
    configured: impl IntoIterator<Item = &'a EnvironmentName>,
) -> BTreeMap<EnvironmentName, History> {
    let configured: BTreeSet<&EnvironmentName> = configured.into_iter().collect();
    let mut found: BTreeMap<EnvironmentName, History> = BTreeMap::new();
    for entry in entries {
        match entry.subject.environment() {
            Some(name) if !configured.contains(name) => {
                found.entry(name.clone()).or_default().take(entry);
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;

    /// Releases by the hours since they were replaced, the last one being live.
    fn history(replaced: &[(&str, i64)], live: &str, now: Timestamp) -> History {
        let verified = |release: &str, replaced_at| Verified {
            release: release.into(),
            at: Timestamp::UNIX_EPOCH,
            replaced_at,
        };
        let mut history = History::default();
        for (release, hours) in replaced {
            history.verified.push(verified(release, Some(now - hours.hours())));
        }
        history.verified.push(verified(live, None));
        history
    }

    fn check(history: &History, now: Timestamp, expected: &[&str]) {
        let found = targets(history, 3 * 3_600_000, now);
        assert_eq!(found, expected.iter().map(|id| ReleaseId::from(*id)).collect());
    }

    #[test]
    fn what_an_environment_may_return_to() {
        let now = Timestamp::UNIX_EPOCH + 1_000.hours();
        check(&History::default(), now, &[]);
        check(&history(&[], "v1", now), now, &["v1"]);
        check(&history(&[("v1", 9), ("v2", 2), ("v3", 1)], "v4", now), now, &["v2", "v3", "v4"]);
        // The last one before live stays, however long ago that was; a window that has just
        // closed is closed.
        check(&history(&[("v1", 9), ("v2", 9)], "v3", now), now, &["v2", "v3"]);
        check(&history(&[("v1", 3), ("v2", 1)], "v3", now), now, &["v2", "v3"]);
        let mut warm = history(&[("v1", 9), ("v2", 9)], "v3", now);
        warm.warm = Some(("v1".into(), now));
        check(&warm, now, &["v1", "v2", "v3"]);
    }
}
