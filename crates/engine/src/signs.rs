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
