//! What a plan will do to the flags, found out before it is made: what changes, what stays because
//! somebody changed it since, and what is turned off first. Pure; documents come in as parts.

use crate::flag::change::{Clash, FlagChange, LayerChange};
use crate::flag::merge::{Merged, Part, Parts, merge};
use crate::flag::revision::{FlagSource, FlagState, OffLayer};
use crate::flag::service_preview::ServicePreview;
use crate::flag::words::{bounded, step_of};
use crate::model::ids::Millis;
use crate::model::{Digest, MigrationVersion, Release, ReleaseId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What planners need to know about flags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagPreview {
    /// What happens to an off-layer: a rollback puts it before anything else, a deploy of a release
    /// that was taken back lifts what that rollback put.
    pub layer: Option<LayerChange>,
    /// How the document changes.
    pub change: Option<FlagChange>,
    /// How long to wait until clients have heard that flags are off, before a schema goes from
    /// under them.
    pub confirm_ms_max: Millis,
    /// What happens to flags at other people's services.
    pub services: ServicePreview,
    /// The price.
    pub forecast: FlagForecast,
    /// What else people should know.
    pub report: Vec<String>,
}

/// What a plan does to flags, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagForecast {
    /// What changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// What somebody changed since and stays as they made it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What is off until somebody lifts it, or goes and comes back with its release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// What somebody changed since and is overwritten; only the history has it then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
}

/// A deploy, as far as flags are concerned.
#[derive(Debug, Clone, Copy)]
pub struct DeployFlags<'a> {
    /// The release that comes.
    pub release: &'a Release,
    /// What the release that is left wanted.
    pub from: &'a Parts,
    /// What the release that comes wants.
    pub to: &'a Parts,
    /// What there is.
    pub now: &'a Parts,
    /// The present revision.
    pub state: &'a FlagState,
    /// What becomes of what somebody changed since.
    pub clash: Clash,
}

/// A release that a rollback leaves, newest first.
#[derive(Debug, Clone, Copy)]
pub struct Leaving<'a> {
    /// Which.
    pub release: &'a Release,
    /// The flags before it was deployed.
    pub before: &'a Parts,
    /// The flags once it was.
    pub after: &'a Parts,
}

/// A rollback, as far as flags are concerned.
#[derive(Debug, Clone, Copy)]
pub struct RollbackFlags<'a> {
    /// The release to return to.
    pub target: &'a Release,
    /// The releases that are left, newest first.
    pub left: &'a [Leaving<'a>],
    /// The migrations that are taken back.
    pub undone: &'a BTreeSet<MigrationVersion>,
    /// What each flag needs by the word of any release, those that never served included.
    pub needs: &'a BTreeMap<String, MigrationVersion>,
    /// What there is.
    pub now: &'a Parts,
    /// The present revision.
    pub state: &'a FlagState,
    /// What becomes of what somebody changed since.
    pub clash: Clash,
}

impl FlagPreview {
    /// Finds out what a deploy does. `put` keeps a document that is going to be wanted and names
    /// it.
    ///
    /// # Errors
    ///
    /// What `put` says.
    pub fn deploy<E>(
        deploy: &DeployFlags<'_>,
        put: &mut dyn FnMut(&Parts) -> Result<Option<Digest>, E>,
    ) -> Result<FlagPreview, E> {
        let merged = merge(deploy.from, deploy.to, deploy.now, deploy.clash);
        let id = &deploy.release.id;
        let mut preview = FlagPreview {
            forecast: forecast(deploy.now, deploy.to, &merged),
            ..FlagPreview::default()
        };
        preview.forecast.changed = steps(&merged.taken, deploy.now, &merged.parts);
        let mut still_off = deploy.state.layers.clone();
        let own = deploy.state.layers.get(id);
        if let Some(layer) = own.filter(|layer| layer.by == RIPCORD) {
            still_off.remove(id);
            preview.layer = Some(LayerChange {
                release: id.clone(),
                layer: None,
                undoes: false,
                reason: format!("{id} is deployed again"),
            });
            let flags = list(&layer.flags);
            preview
                .report
                .push(format!("what the rollback from {id} turned off is lifted: {flags}"));
        }
        for (of, layer) in &still_off {
            preview.report.push(format!(
                "{} stays off: {} by {} ({}); `ripcord flags lift --release {of}` ends that",
                list(&layer.flags),
                of,
                layer.by,
                layer.reason
            ));
        }
        preview.change =
            change(deploy.state, &merged, put, id, FlagSource::Deploy, &format!("{id} goes live"))?;
        Ok(preview)
    }

    /// Finds out what a rollback does.
    ///
    /// # Errors
    ///
    /// What `put` says.
    pub fn rollback<E>(
        rollback: &RollbackFlags<'_>,
        put: &mut dyn FnMut(&Parts) -> Result<Option<Digest>, E>,
    ) -> Result<FlagPreview, E> {
        let Some(newest) = rollback.left.first() else { return Ok(FlagPreview::default()) };
        let id = &newest.release.id;
        let mut preview = FlagPreview::default();
        let mut merged = Merged { parts: rollback.now.clone(), ..Merged::default() };
        for left in rollback.left {
            let next = merge(left.after, left.before, &merged.parts, rollback.clash);
            let told = forecast(&merged.parts, left.before, &next);
            preview.forecast.kept.extend(told.kept);
            preview.forecast.gone.extend(told.gone);
            merged.taken.extend(next.taken);
            merged.parts = next.parts;
        }
        preview.forecast.hidden = steps(&merged.taken, rollback.now, &merged.parts);
        preview.layer = layer(rollback, id);
        if let Some(LayerChange { layer: Some(layer), .. }) = &preview.layer {
            preview.confirm_ms_max = CONFIRM_MS_MAX;
            let off = format!("off first, and until somebody lifts it: {}", list(&layer.flags));
            preview.forecast.hidden.insert(0, off);
            preview.report.push(format!(
                "the flags of {id} go off before anything else; they stay off, since {id} is held \
                 then, until `ripcord flags lift --release {id}`"
            ));
        }
        let why = format!("{id} is left for {}", rollback.target.id);
        preview.change = change(rollback.state, &merged, put, id, FlagSource::Rollback, &why)?;
        Ok(preview)
    }
}

impl FlagForecast {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self == &FlagForecast::default()
    }
}

/// Who turns flags off on behalf of a plan.
pub const RIPCORD: &str = "ripcord";

/// How long a rollback waits for clients before it takes a schema from under them.
const CONFIRM_MS_MAX: Millis = 5_000;

/// What a rollback turns off: the flags of the releases that are left, but for those that the
/// target knows as its own; and whatever needs a migration that goes.
fn layer(rollback: &RollbackFlags<'_>, id: &ReleaseId) -> Option<LayerChange> {
    let mut off = OffLayer {
        flags: BTreeSet::new(),
        requires: BTreeMap::new(),
        reason: format!("{id} is left for {}", rollback.target.id),
        by: RIPCORD.to_owned(),
    };
    for left in rollback.left {
        for (key, wish) in &left.release.flags.wishes {
            let loses_ground =
                wish.requires_schema.filter(|version| rollback.undone.contains(version));
            if loses_ground.is_none() && rollback.target.flags.wishes.contains_key(key) {
                continue;
            }
            if !rollback.now.contains_key(&Part::Flag(key.clone())) {
                continue;
            }
            off.flags.insert(key.clone());
            if let Some(version) = wish.requires_schema {
                off.requires.insert(key.clone(), version);
            }
        }
    }
    for (key, version) in rollback.needs {
        let is_there = rollback.now.contains_key(&Part::Flag(key.clone()));
        if is_there && rollback.undone.contains(version) {
            off.flags.insert(key.clone());
            off.requires.insert(key.clone(), *version);
        }
    }
    if let Some(there) = rollback.state.layers.get(id) {
        if off.flags.is_subset(&there.flags) {
            // Somebody was faster, and theirs is the reason that counts.
            return None;
        }
        off.flags.extend(there.flags.iter().cloned());
        off.requires.extend(there.requires.clone());
        off.reason = format!("{}; before, by {}: {}", off.reason, there.by, there.reason);
        off.by.clone_from(&there.by);
    }
    let reason = off.reason.clone();
    let wanted = Some(off).filter(|off| !off.flags.is_empty())?;
    Some(LayerChange { release: id.clone(), layer: Some(wanted), undoes: false, reason })
}

fn change<E>(
    state: &FlagState,
    merged: &Merged,
    put: &mut dyn FnMut(&Parts) -> Result<Option<Digest>, E>,
    release: &ReleaseId,
    source: FlagSource,
    reason: &str,
) -> Result<Option<FlagChange>, E> {
    if merged.taken.is_empty() {
        return Ok(None);
    }
    Ok(Some(FlagChange {
        release: release.clone(),
        from: state.document.clone(),
        to: put(&merged.parts)?,
        undoes: false,
        source,
        reason: reason.to_owned(),
    }))
}

/// What is kept and what is gone of what somebody changed.
fn forecast(now: &Parts, wanted: &Parts, merged: &Merged) -> FlagForecast {
    let changed = |part: &Part| format!("{}, which somebody wanted", step_of(part, wanted, now));
    let kept = merged.kept.iter().map(|part| {
        let (found, asked) = (state(part, now), state(part, wanted));
        format!("{part}: somebody made it {found} since; it stays so instead of {asked}")
    });
    FlagForecast {
        kept: bounded(kept.collect()),
        gone: bounded(merged.forced.iter().map(changed).collect()),
        ..FlagForecast::default()
    }
}

fn state(part: &Part, parts: &Parts) -> String {
    crate::flag::words::state_of(parts.get(part))
}

fn steps(changed: &BTreeSet<Part>, from: &Parts, to: &Parts) -> Vec<String> {
    bounded(changed.iter().map(|part| step_of(part, from, to)).collect())
}

fn list(flags: &BTreeSet<String>) -> String {
    flags.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FlagWish;
    use crate::plan::fixture::release;
    use std::convert::Infallible;

    fn parts(text: &str) -> Parts {
        let flag = |one: &str| {
            let (key, variant) = one.split_once('=').unwrap();
            (Part::Flag(key.into()), format!(r#"{{"defaultVariant":"{variant}"}}"#))
        };
        text.split_whitespace().map(flag).collect()
    }

    /// Documents are named and kept nowhere.
    #[expect(clippy::unnecessary_wraps, reason = "planners are given what may fail")]
    fn put(parts: &Parts) -> Result<Option<Digest>, Infallible> {
        Ok(Some(digest(parts)))
    }

    fn digest(parts: &Parts) -> Digest {
        crate::model::digest_of(&parts.values().collect::<Vec<_>>())
    }

    /// A release whose own flags are these; each may need a migration.
    fn owning(id: &str, flags: &[(&str, Option<u64>)]) -> Release {
        let mut release = release(id);
        for (key, version) in flags {
            let requires_schema = version.map(MigrationVersion);
            release.flags.wishes.insert((*key).into(), FlagWish { want: None, requires_schema });
        }
        release
    }

    fn by(who: &str, flags: &[&str]) -> OffLayer {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        OffLayer { flags, requires: BTreeMap::new(), reason: "bad".into(), by: who.into() }
    }

    /// What there is and what a rollback from v2 does to it; the wished-for document.
    fn back(now: &str, clash: Clash, state: &FlagState) -> FlagPreview {
        let left = owning("v2", &[("checkout", Some(2)), ("shared", None), ("gone", None)]);
        let target = owning("v1", &[("shared", None)]);
        let (before, after, now) =
            (parts("a=off shared=on"), parts("a=on shared=on checkout=on"), parts(now));
        let leaving = [Leaving { release: &left, before: &before, after: &after }];
        let undone = BTreeSet::from([MigrationVersion(2)]);
        let rollback = RollbackFlags {
            needs: &BTreeMap::new(),
            target: &target,
            left: &leaving,
            undone: &undone,
            now: &now,
            state,
            clash,
        };
        let result = FlagPreview::rollback(&rollback, &mut put);
        result.unwrap_or_else(|never| match never {})
    }

    fn off(preview: &FlagPreview) -> Vec<&str> {
        let layer = preview.layer.as_ref().and_then(|change| change.layer.as_ref());
        layer.into_iter().flat_map(|layer| &layer.flags).map(String::as_str).collect()
    }

    #[test]
    fn own_flags_go_off_and_the_rest_returns() {
        let found = back("a=on shared=on checkout=on", Clash::Keep, &FlagState::default());
        assert_eq!(off(&found), ["checkout"]);
        let wanted = parts("a=off shared=on");
        assert_eq!(found.change.unwrap().to, Some(digest(&wanted)));
        assert_eq!(
            found.forecast.hidden[1..],
            ["flag a: on → off", "flag checkout: on → not there"]
        );
        assert_eq!((found.forecast.kept.len(), found.forecast.gone.len()), (0, 0));
    }

    #[test]
    fn what_somebody_changed_stays_or_is_overwritten_by_wish() {
        let now = "a=blue shared=on checkout=on";
        let kept = back(now, Clash::Keep, &FlagState::default());
        assert_eq!(kept.change.unwrap().to, Some(digest(&parts("a=blue shared=on"))));
        let said = "flag a: somebody made it blue since; it stays so instead of off";
        assert_eq!(kept.forecast.kept, [said]);
        let forced = back(now, Clash::Force, &FlagState::default());
        assert_eq!(forced.change.unwrap().to, Some(digest(&parts("a=off shared=on"))));
        assert_eq!(forced.forecast.gone, ["flag a: off → blue, which somebody wanted"]);
    }

    #[test]
    fn whoever_was_faster_keeps_the_reason() {
        let mut state = FlagState::default();
        state.layers.insert("v2".into(), by("ann", &["checkout", "other"]));
        let found = back("a=on shared=on checkout=on", Clash::Keep, &state);
        assert_eq!(found.layer, None);
        state.layers.insert("v2".into(), by("ann", &["other"]));
        let found = back("a=on shared=on checkout=on", Clash::Keep, &state);
        assert_eq!(off(&found), ["checkout", "other"]);
        assert_eq!(found.layer.unwrap().layer.unwrap().by, "ann");
    }

    #[test]
    fn a_deploy_changes_what_nobody_else_did() {
        let release = owning("v2", &[("checkout", None)]);
        let (from, to) = (parts("a=on b=on"), parts("a=off b=off checkout=on"));
        let now = parts("a=on b=blue");
        let mut state = FlagState::default();
        state.layers.insert("v2".into(), by(RIPCORD, &["checkout"]));
        state.layers.insert("v0".into(), by("ann", &["b"]));
        let deploy = DeployFlags {
            release: &release,
            from: &from,
            to: &to,
            now: &now,
            state: &state,
            clash: Clash::Keep,
        };
        let found = FlagPreview::deploy(&deploy, &mut put).unwrap_or_else(|never| match never {});
        assert_eq!(found.change.unwrap().to, Some(digest(&parts("a=off b=blue checkout=on"))));
        assert_eq!(found.forecast.changed, ["flag a: on → off", "flag checkout: not there → on"]);
        assert_eq!(found.forecast.kept.len(), 1);
        // What a plan turned off is lifted with the release; what a person did stays.
        assert_eq!(found.layer.unwrap().layer, None);
        assert!(
            found.report.iter().any(|line| line.contains("b stays off: v0 by ann")),
            "{:?}",
            found.report
        );
    }
}
