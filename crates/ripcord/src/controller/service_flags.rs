//! What is known of a release's flags at other people's services, and the request that takes each
//! back. Only reads; nothing is sent there but questions.

use crate::controller::Controller;
use crate::controller::environment::EnvironmentControl;
use crate::failure::{Code, Failure};
use ripcord_core::flag::{FlagImage, ServiceChange, ServiceFlag, ServiceNow, ServiceWish};
use ripcord_core::model::{Release, ReleaseId};
use serde::{Deserialize, Serialize};

/// A flag at a service, as a release knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServiceFlagView {
    pub(crate) flag: ServiceFlag,
    pub(crate) release: ReleaseId,
    /// Before its last deploy here.
    pub(crate) before: Option<FlagImage>,
    /// After it.
    pub(crate) after: Option<FlagImage>,
    /// What it is now, or why that is not known.
    pub(crate) now: Result<FlagImage, String>,
    /// What the way back is, in words; none: there is nothing to take back.
    pub(crate) way_back: Option<String>,
    /// The request that makes it so.
    pub(crate) request: Option<String>,
}

impl Controller {
    /// The flags at services that a release names; without a release, of the one in service.
    pub(crate) fn service_flags(
        &self,
        environment: &EnvironmentControl,
        release: Option<&ReleaseId>,
    ) -> Result<Vec<ServiceFlagView>, Failure> {
        let history = environment.past(&self.ledger)?.history;
        let Some(id) = release.or_else(|| history.live()) else {
            return Err(Failure::new(Code::UnknownRelease, "nothing was deployed here yet")
                .hint("name a release with --release"));
        };
        let release = self.release(id)?;
        let spans = history.service_spans.get(id);
        let found = environment.services.look([&release]);
        let view = |(name, now): (&String, &ServiceNow)| {
            let span = spans.and_then(|spans| spans.get(name));
            let before = span.and_then(|span| span.before.clone());
            let after = span.and_then(|span| span.after.clone());
            let change = way_back(&release, now, before.as_ref(), after.as_ref());
            ServiceFlagView {
                flag: now.flag.clone(),
                release: id.clone(),
                before,
                after,
                now: now.image.clone(),
                way_back: change.as_ref().map(ToString::to_string),
                request: change.as_ref().map(|change| environment.services.by_hand(change)),
            }
        };
        Ok(found.iter().map(view).collect())
    }
}

/// What takes back what came with a release: as before where that is known and nobody changed it
/// since, and off otherwise.
fn way_back(
    release: &Release,
    now: &ServiceNow,
    before: Option<&FlagImage>,
    after: Option<&FlagImage>,
) -> Option<ServiceChange> {
    let image = now.image.as_ref().ok();
    let changed = before.zip(after).filter(|(before, after)| before.state != after.state);
    let untouched = |after: &FlagImage| image.is_none_or(|image| image.state == after.state);
    let wish = match changed.filter(|(_, after)| untouched(after)) {
        Some((before, _)) => ServiceWish::As(Box::new(before.clone())),
        None => ServiceWish::Off,
    };
    if image.is_some_and(|image| wish.is_met(image)) {
        return None;
    }
    Some(ServiceChange {
        flag: now.flag.clone(),
        release: release.id.clone(),
        wish,
        expected: image.or(after).cloned().map(Box::new),
        requires: None,
        undoes: false,
        insists: true,
        reason: format!("{} is left", release.id),
    })
}
