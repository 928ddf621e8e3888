//! What plans do to flags. Each change is made once per step however often the step is done, and
//! its way back takes back exactly what the step did: nothing, where it never happened.

use crate::flag::revision::{FlagCause, FlagSource, FlagState, OffLayer};
use crate::model::{Digest, ReleaseId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The difference between two documents, made to the flags as they are by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagChange {
    /// The release on whose behalf.
    pub release: ReleaseId,
    /// What is expected; none: no flags.
    pub from: Option<Digest>,
    /// What is wanted; none: no flags.
    pub to: Option<Digest>,
    /// Instead: what the same step did before is taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undoes: bool,
    /// Whether a release comes or goes.
    pub source: FlagSource,
    /// Why, for the history.
    pub reason: String,
}

/// The off-layer of a release: there, or lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerChange {
    /// Whose flags.
    pub release: ReleaseId,
    /// What is off; none: the layer is lifted.
    pub layer: Option<OffLayer>,
    /// Instead: what the same step did before is taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undoes: bool,
    /// Why, for the history.
    pub reason: String,
}

/// What becomes of a flag that somebody has changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clash {
    /// It stays as they made it.
    #[default]
    Keep,
    /// It becomes what the change wants.
    Force,
}

/// Two documents: what is expected, and what is wanted.
pub type Difference = (Option<Digest>, Option<Digest>);

impl FlagChange {
    /// The way back.
    #[must_use]
    pub fn reversed(&self) -> FlagChange {
        FlagChange {
            from: self.to.clone(),
            to: self.from.clone(),
            undoes: true,
            source: FlagSource::Rollback,
            reason: format!("taken back: {}", self.reason),
            ..self.clone()
        }
    }

    /// The difference that is to be made now, if any is.
    pub fn due(&self, state: &FlagState, cause: &FlagCause) -> Option<Difference> {
        if state.has_fulfilled(cause) {
            return None;
        }
        if !self.undoes {
            return Some((self.from.clone(), self.to.clone()));
        }
        let done = state.done_by(cause)?;
        Some((done.after.document.clone(), done.before.document.clone()))
    }
}

impl LayerChange {
    /// The way back.
    #[must_use]
    pub fn reversed(&self) -> LayerChange {
        let reason = format!("taken back: {}", self.reason);
        LayerChange { undoes: true, reason, ..self.clone() }
    }

    /// All layers as they are to be now, if this changes any.
    pub fn due(
        &self,
        state: &FlagState,
        cause: &FlagCause,
    ) -> Option<BTreeMap<ReleaseId, OffLayer>> {
        if state.has_fulfilled(cause) {
            return None;
        }
        let mut wanted = self.layer.clone();
        let now = state.layers.get(&self.release);
        if self.undoes {
            let done = state.done_by(cause)?;
            if now != done.after.layers.get(&self.release) {
                // Somebody lifted or renewed it since, and that is theirs.
                return None;
            }
            wanted = done.before.layers.get(&self.release).cloned();
        }
        if now == wanted.as_ref() {
            return None;
        }
        let mut layers = state.layers.clone();
        match wanted {
            Some(layer) => layers.insert(self.release.clone(), layer),
            None => layers.remove(&self.release),
        };
        Some(layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::revision::FlagRevision;
    use crate::model::digest_of;

    fn digest(text: &str) -> Digest {
        Digest::of_bytes(text.as_bytes())
    }

    fn cause(effect: &impl Serialize) -> FlagCause {
        FlagCause { plan: "p".into(), step: 1, effect: digest_of(effect) }
    }

    fn change() -> FlagChange {
        FlagChange {
            release: "v2".into(),
            from: Some(digest("old")),
            to: Some(digest("new")),
            undoes: false,
            source: FlagSource::Deploy,
            reason: "v2".into(),
        }
    }

    fn layer(by: &str) -> OffLayer {
        let flags = ["checkout".to_owned()].into();
        OffLayer { flags, requires: BTreeMap::new(), reason: "bad".into(), by: by.into() }
    }

    fn revise(state: &mut FlagState, cause: Option<FlagCause>, revise: impl Fn(&mut FlagRevision)) {
        let mut revision = FlagRevision {
            number: state.revision + 1,
            parent: state.revision,
            document: state.document.clone(),
            in_force: None,
            layers: state.layers.clone(),
            reason: "test".into(),
            source: FlagSource::Cli,
            release: None,
            cause,
            changed: Vec::new(),
        };
        revise(&mut revision);
        state.take(&revision);
    }

    #[test]
    fn a_step_that_is_repeated_does_not_undo_what_people_did_since() {
        let (mut state, change) = (FlagState::default(), change());
        assert_eq!(
            change.due(&state, &cause(&change)),
            Some((Some(digest("old")), Some(digest("new"))))
        );
        revise(&mut state, Some(cause(&change)), |one| one.document = Some(digest("new")));
        revise(&mut state, None, |one| one.document = Some(digest("old")));
        assert_eq!(change.due(&state, &cause(&change)), None);
        // Another plan is another matter.
        state.plan_begins();
        assert!(change.due(&state, &cause(&change)).is_some());
    }

    #[test]
    fn the_way_back_takes_back_what_was_done() {
        let (mut state, change) = (FlagState::default(), change());
        let back = change.reversed();
        assert_eq!(back.due(&state, &cause(&back)), None, "it never happened");
        revise(&mut state, None, |one| one.document = Some(digest("theirs")));
        revise(&mut state, Some(cause(&change)), |one| one.document = Some(digest("merged")));
        let due = back.due(&state, &cause(&back));
        assert_eq!(due, Some((Some(digest("merged")), Some(digest("theirs")))));
        revise(&mut state, Some(cause(&back)), |one| one.document = Some(digest("theirs")));
        assert_eq!(back.due(&state, &cause(&back)), None, "once is enough");
    }

    #[test]
    fn layers_there_and_back() {
        let off = LayerChange {
            release: "v2".into(),
            layer: Some(layer("ripcord")),
            undoes: false,
            reason: "rollback".into(),
        };
        let back = off.reversed();
        let mut state = FlagState::default();
        assert_eq!(back.due(&state, &cause(&back)), None, "it never happened");
        let layers = off.due(&state, &cause(&off)).unwrap();
        assert_eq!(layers[&ReleaseId::from("v2")], layer("ripcord"));
        revise(&mut state, Some(cause(&off)), |one| one.layers = layers.clone());
        assert_eq!(off.due(&state, &cause(&off)), None);
        assert_eq!(back.due(&state, &cause(&back)), Some(BTreeMap::new()));
        // What a person has turned off meanwhile stays off.
        let theirs = BTreeMap::from([("v2".into(), layer("ann"))]);
        revise(&mut state, None, |one| one.layers = theirs.clone());
        assert_eq!(back.due(&state, &cause(&back)), None);
    }
}
