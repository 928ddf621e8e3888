//! What speaks against a release whatever its answers are: it crashes again and again, or does
//! not become ready.

use crate::world::{Platform, ReleaseState};
use ripcord_core::model::ReleaseId;
use ripcord_core::model::ids::Millis;

/// How many restarts of its instances make a crash loop.
const RESTARTS_MAX: u32 = 3;

/// How long an instance may be missing before that counts against the release.
const UNREADY_MS_MAX: Millis = 5_000;

/// How often it is looked at. Asking instances for their health takes time, an instance that hangs
/// most of all, and whoever watches has requests to count meanwhile.
const EVERY_MS: Millis = 1_000;

/// Watches the instances of one release.
pub(crate) struct Signs<'a> {
    platform: &'a dyn Platform,
    release: &'a ReleaseId,
    restarts_before: u32,
    unready_since: Option<Millis>,
    looked_ms: Option<Millis>,
}

impl<'a> Signs<'a> {
    pub(crate) fn new(platform: &'a dyn Platform, release: &'a ReleaseId) -> Signs<'a> {
        let mut signs =
            Signs { platform, release, restarts_before: 0, unready_since: None, looked_ms: None };
        signs.restarts_before = signs.state().map_or(0, |state| state.restarts);
        signs
    }

    /// What is so bad now that the release must go, if it is time to look again. A platform that
    /// does not answer says nothing.
    pub(crate) fn bad(&mut self, now_ms: Millis) -> Option<String> {
        if self.looked_ms.is_some_and(|looked| now_ms.saturating_sub(looked) < EVERY_MS) {
            return None;
        }
        self.looked_ms = Some(now_ms);
        let state = self.state()?;
        let restarts = state.restarts.saturating_sub(self.restarts_before);
        if restarts >= RESTARTS_MAX {
            return Some(format!("{} was restarted {restarts} times", self.release));
        }
        if state.instances.ready >= state.instances.wanted {
            self.unready_since = None;
            return None;
        }
        let since = *self.unready_since.get_or_insert(now_ms);
        (now_ms.saturating_sub(since) >= UNREADY_MS_MAX)
            .then(|| format!("{} has instances that do not become ready", self.release))
    }

    fn state(&self) -> Option<ReleaseState> {
        self.platform.observe().ok()?.get(self.release).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Failure, Result};
    use crate::ticket::Ticket;
    use ripcord_core::model::Instances;
    use ripcord_core::run::Receipt;
    use std::cell::Cell;
    use std::collections::BTreeMap;

    /// A platform that counts how often it is asked.
    #[derive(Default)]
    struct Asked {
        times: Cell<u32>,
        ready: Cell<u32>,
        restarts: Cell<u32>,
        silent: Cell<bool>,
    }

    impl Platform for Asked {
        fn observe(&self) -> Result<BTreeMap<ReleaseId, ReleaseState>> {
            self.times.set(self.times.get() + 1);
            if self.silent.get() {
                return Err(Failure::Transient("it does not answer".to_owned()));
            }
            let instances = Instances { wanted: 2, ready: self.ready.get() };
            Ok([("v2".into(), ReleaseState { instances, restarts: self.restarts.get() })].into())
        }

        fn ensure(&self, _: &ReleaseId, _: u32, _: &Ticket<'_>) -> Result<Receipt> {
            Err(Failure::Definite("whoever watches starts nothing".to_owned()))
        }

        fn roles(&self) -> Result<BTreeMap<ReleaseId, BTreeMap<String, Instances>>> {
            Ok(BTreeMap::new())
        }

        fn ensure_role(
            &self,
            release: &ReleaseId,
            _: &str,
            count: u32,
            ticket: &Ticket<'_>,
        ) -> Result<Receipt> {
            self.ensure(release, count, ticket)
        }
    }

    fn platform(ready: u32, restarts: u32) -> Asked {
        let asked = Asked::default();
        asked.ready.set(ready);
        asked.restarts.set(restarts);
        asked
    }

    /// Looks every 20 ms up to a moment; when something was found first.
    fn found_ms(signs: &mut Signs<'_>, from_ms: Millis, to_ms: Millis) -> Option<Millis> {
        (from_ms..=to_ms).step_by(20).find(|at_ms| signs.bad(*at_ms).is_some())
    }

    #[test]
    fn instances_are_asked_once_a_second() {
        let (asked, release) = (platform(2, 0), "v2".into());
        let mut signs = Signs::new(&asked, &release);
        assert_eq!(found_ms(&mut signs, 0, 10_000), None);
        assert_eq!(asked.times.get(), 1 + 11, "when it begins, and then once a second");
    }

    #[test]
    fn who_is_not_ready_for_seconds_is_bad() {
        let (asked, release) = (platform(1, 0), "v2".into());
        let mut signs = Signs::new(&asked, &release);
        assert_eq!(found_ms(&mut signs, 0, 4_000), None, "it may be replaced just now");
        asked.ready.set(2);
        assert_eq!(found_ms(&mut signs, 4_020, 9_000), None);
        asked.ready.set(1);
        let found = found_ms(&mut signs, 9_020, 60_000).unwrap();
        assert!((14_020..=15_100).contains(&found), "{found}");
    }

    #[test]
    fn who_is_restarted_again_and_again_is_bad() {
        let (asked, release) = (platform(2, 7), "v2".into());
        let mut signs = Signs::new(&asked, &release);
        assert_eq!(found_ms(&mut signs, 0, 5_000), None, "what was before is not counted");
        asked.restarts.set(9);
        assert_eq!(found_ms(&mut signs, 5_020, 9_000), None);
        asked.restarts.set(10);
        assert!(found_ms(&mut signs, 9_020, 11_000).is_some());
    }

    #[test]
    fn a_platform_that_does_not_answer_says_nothing() {
        let (asked, release) = (platform(0, 0), "v2".into());
        let mut signs = Signs::new(&asked, &release);
        asked.silent.set(true);
        asked.restarts.set(9);
        assert_eq!(found_ms(&mut signs, 0, 60_000), None);
    }
}
