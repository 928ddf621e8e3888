//! What people do to flags: each verb makes the wanted flags of the present ones. Pure but for the
//! documents that it looks up.

use crate::failure::{Code, Failure};
use crate::flags::consequence::{rebucketed, same_bucketing, split};
use crate::flags::keeper::{FlagKeeper, Wanted, invalid};
use crate::flags::parts::{compose, parts};
use ripcord_core::flag::{Clash, FlagState, OffLayer, Part, Parts, changed, merge};
use ripcord_core::model::{Digest, Release, ReleaseId};
use ripcord_flags::{
    Bucketing, Document, FlagState as Enabled, FlagsError, Rollout, Target, TargetRules,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What somebody wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Act {
    /// A flag is on for everybody.
    On { flag: String },
    /// A flag is off for everybody.
    Off { flag: String },
    /// A flag is this variant where no rule decides.
    Set { flag: String, variant: String },
    /// Some users get this variant; none: that rule goes.
    Target { flag: String, attribute: String, values: Vec<String>, variant: Option<String> },
    /// A share of the users gets this variant, in hundredths of a percent.
    Rollout { flag: String, variant: Option<String>, share: u32 },
    /// Another generation of bucketing, with the share of users that may move at most, in
    /// hundredths of a percent.
    Bucketing { bucketing: String, accept: Option<u32> },
    /// This document instead of what there is.
    Import { document: String },
    /// What one revision changed is changed back; or everything since one.
    Revert { revision: u64, everything_since: bool, force: bool },
    /// The flags of a release are off until somebody lifts that.
    OffRelease { release: ReleaseId },
    /// They are as their document says again.
    Lift { release: ReleaseId },
}

impl Act {
    /// Whether all it can do is to turn something off.
    pub(crate) fn turns_off(&self) -> bool {
        matches!(self, Act::Off { .. } | Act::OffRelease { .. })
    }
}

/// The wanted flags, and what was left as somebody made it.
#[derive(Debug, Clone)]
pub(crate) struct Edited {
    pub(crate) wanted: Wanted,
    /// The flags whose definition differs.
    pub(crate) touched: BTreeSet<String>,
    /// What a revert leaves alone, in words.
    pub(crate) kept: Vec<String>,
    /// The document before, and the flags whose users may get another variant.
    pub(crate) before: String,
    pub(crate) moves: BTreeSet<String>,
}

/// What is known besides: the documents of a revision, and the releases.
pub(crate) trait Past {
    /// The documents before and after a revision.
    fn documents(&self, revision: u64) -> Result<(Option<Digest>, Option<Digest>), Failure>;
    /// A release.
    fn release(&self, id: &ReleaseId) -> Result<Release, Failure>;
}

/// Makes the wanted flags of the present ones.
pub(crate) fn edit(
    act: &Act,
    keeper: &FlagKeeper,
    now: &FlagState,
    past: &dyn Past,
    by: &str,
    reason: &str,
) -> Result<Edited, Failure> {
    let text = keeper.text(now.document.as_ref())?;
    let old = keeper.parts(now.document.as_ref())?;
    let (mut kept, mut layers) = (Vec::new(), now.layers.clone());
    let same = now.document.as_ref().map(|_| text.clone());
    let document = match act {
        Act::Revert { revision, everything_since, force } => {
            let (before, after) = past.documents(*revision)?;
            let (from, to) =
                if *everything_since { (now.document.clone(), after) } else { (after, before) };
            let (from, to) = (keeper.parts(from.as_ref())?, keeper.parts(to.as_ref())?);
            let clash = if *force { Clash::Force } else { Clash::Keep };
            let merged = merge(&from, &to, &old, clash);
            kept = merged.kept.iter().map(ToString::to_string).collect();
            if merged.parts == old { same.clone() } else { Some(compose(&text, &merged.parts)?) }
        }
        Act::OffRelease { release } => {
            layers.insert(release.clone(), off(&past.release(release)?, &old, by, reason)?);
            same.clone()
        }
        Act::Lift { release } => {
            layers.remove(release).ok_or_else(|| nothing_off(release, now))?;
            same.clone()
        }
        Act::Import { document } => Some(document.clone()),
        Act::Bucketing { bucketing, accept } => {
            let wanted = Bucketing::of(bucketing).ok_or_else(|| unknown_bucketing(bucketing))?;
            Some(rebucketed(&text, wanted, *accept)?)
        }
        Act::On { flag }
        | Act::Off { flag }
        | Act::Set { flag, .. }
        | Act::Target { flag, .. }
        | Act::Rollout { flag, .. } => {
            if !old.contains_key(&Part::Flag(flag.clone())) {
                return Err(unknown(flag, &old));
            }
            Some(redefined(act, flag, &text).map_err(invalid)?)
        }
    };
    let new = match &document {
        Some(text) if document != same => {
            checked(text)?;
            parts(text)?
        }
        _ => old.clone(),
    };
    if let (Act::Import { .. } | Act::Revert { .. }, Some(new)) = (act, &document)
        && !text.is_empty()
    {
        same_bucketing(&text, new)?;
    }
    let touched = touched(&old, &new);
    let moves = match act {
        Act::Bucketing { .. } => split(&Document::parse(text.as_bytes()).map_err(invalid)?),
        _ => touched.clone(),
    };
    Ok(Edited { touched, wanted: Wanted { document, layers }, kept, before: text, moves })
}

/// The document with one flag changed.
fn redefined(act: &Act, flag: &str, text: &str) -> Result<String, FlagsError> {
    let document = Document::parse(text.as_bytes())?;
    let enabled = |document: Document| document.set_state(flag, Enabled::Enabled);
    let document = match act {
        Act::On { .. } => enabled(document.on(flag, TargetRules::Drop)?)?,
        Act::Off { .. } => enabled(document.off(flag, TargetRules::Drop)?)?,
        Act::Set { variant, .. } => document.set_default(flag, Some(variant))?,
        Act::Rollout { variant, share, .. } => {
            let variant = variant.clone().map_or_else(|| on_variant(&document, flag), Ok)?;
            divided(&document, flag, variant, *share)?
        }
        Act::Target { attribute, values, variant: Some(variant), .. } => {
            let (attribute, values) = (attribute.clone(), values.clone());
            document.target_add(flag, &Target { attribute, values, variant: variant.clone() })?
        }
        Act::Target { attribute, values, variant: None, .. } => {
            let mut document = document;
            for value in values {
                document = document.target_remove(flag, attribute, Some(value))?;
            }
            document
        }
        Act::Import { .. }
        | Act::Revert { .. }
        | Act::Bucketing { .. }
        | Act::OffRelease { .. }
        | Act::Lift { .. } => document,
    };
    Ok(document.text().to_owned())
}

/// A share of users, in hundredths of a percent, for a variant. The others get what they have; where
/// that is this very variant, they get the one that is off.
pub(crate) fn divided(
    document: &Document,
    flag: &str,
    variant: String,
    share: u32,
) -> Result<Document, FlagsError> {
    let usual = document.flag(flag).and_then(|view| view.default_variant);
    let mut rest = None;
    if usual.as_ref() == Some(&variant) && document.shares(flag).is_empty() {
        let off = document.off(flag, TargetRules::Drop)?;
        rest = off.flag(flag).and_then(|view| view.default_variant);
    }
    let percent = f64::from(share.min(10_000)) / 100.0;
    document.rollout(flag, &Rollout { variant, rest, percent })
}

/// The variant that turns a flag on.
pub(crate) fn on_variant(document: &Document, flag: &str) -> Result<String, FlagsError> {
    let on = document.on(flag, TargetRules::Drop)?;
    Ok(on.flag(flag).and_then(|view| view.default_variant).unwrap_or_default())
}

/// Refuses what flagd's form does not allow.
fn checked(document: &str) -> Result<(), Failure> {
    crate::store::flag_set("the flags document".as_ref(), document.as_bytes()).map(drop)
}

/// The layer that turns off what belongs to a release.
fn off(release: &Release, now: &Parts, by: &str, reason: &str) -> Result<OffLayer, Failure> {
    let id = &release.id;
    let wishes = &release.flags.wishes;
    if wishes.is_empty() {
        return Err(Failure::new(Code::NothingOff, format!("{id} names no flags of its own"))
            .hint("name them under [flags.release.KEY] in ripcord.toml before freezing")
            .hint("`ripcord flags off KEY` turns one flag off"));
    }
    let there = wishes.keys().filter(|key| now.contains_key(&Part::Flag((*key).clone())));
    let requires =
        wishes.iter().filter_map(|(key, wish)| Some((key.clone(), wish.requires_schema?)));
    Ok(OffLayer {
        flags: there.cloned().collect(),
        requires: requires.collect::<BTreeMap<_, _>>(),
        reason: reason.to_owned(),
        by: by.to_owned(),
    })
}

fn touched(old: &Parts, new: &Parts) -> BTreeSet<String> {
    changed(old, new).iter().filter_map(Part::flag).map(str::to_owned).collect()
}

/// There is no such flag.
pub(crate) fn unknown(flag: &str, known: &Parts) -> Failure {
    let shown: String = flag.chars().flat_map(char::escape_default).take(80).collect();
    let failure = Failure::new(Code::UnknownFlag, format!("there is no flag `{shown}` here"));
    let known: Vec<&str> = known.keys().filter_map(Part::flag).take(10).collect();
    if known.is_empty() {
        return failure.hint("no flags are in force; `ripcord flags import FILE` brings some");
    }
    failure.hint(format!("`ripcord flags list` shows all, such as {}", known.join(", ")))
}

fn unknown_bucketing(name: &str) -> Failure {
    let shown: String = name.chars().flat_map(char::escape_default).take(20).collect();
    Failure::new(Code::Usage, format!("there is no bucketing `{shown}`")).hint("it is v2 or v3")
}

fn nothing_off(release: &ReleaseId, now: &FlagState) -> Failure {
    let failure = Failure::new(Code::NothingOff, format!("no flags are off because of {release}"));
    let off: Vec<&str> = now.layers.keys().map(ReleaseId::as_str).collect();
    if off.is_empty() {
        return failure.hint("nothing is off by a layer here; `ripcord flags list` shows all");
    }
    failure.hint(format!("off are those of: {}", off.join(", ")))
}
