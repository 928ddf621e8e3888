//! What a plan will do to flags at other people's services, found out before it is made. Pure;
//! what is there now comes in as images, and what people would send themselves as text.

use crate::flag::change::Clash;
use crate::flag::preview::FlagPreview;
use crate::flag::service::{ServiceChange, ServiceFlag, ServiceTrace, ServiceWish};
use crate::flag::{FlagImage, ServiceKind};
use crate::model::ids::Millis;
use crate::model::{Authority, FlagWish, MigrationVersion, Release, ReleaseId};
use crate::run::History;
use std::collections::{BTreeMap, BTreeSet};

/// What a plan does at services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServicePreview {
    /// The flags of which is recorded how they were before and after a release.
    pub record: Vec<ServiceFlag>,
    /// What a rollback turns off before anything else.
    pub off: Vec<ServiceChange>,
    /// What a deploy changes once it has the traffic, and a rollback once it is verified.
    pub changes: Vec<ServiceChange>,
    /// How long until clients have a change.
    pub settle_ms: Millis,
}

/// A flag at a service, as far as it can be known.
#[derive(Debug, Clone)]
pub struct ServiceNow {
    /// Which.
    pub flag: ServiceFlag,
    /// What it is, or why that is not known.
    pub image: Result<FlagImage, String>,
    /// How long until clients have a change.
    pub settle_ms: Millis,
}

/// What planners know about services.
#[derive(Clone, Copy)]
pub struct Services<'a> {
    /// The flags that are named anywhere, by [`ServiceFlag::name`]. Services that the environment
    /// does not have are not among them.
    pub now: &'a BTreeMap<String, ServiceNow>,
    /// How far Ripcord may go.
    pub authority: Authority,
    /// What has happened.
    pub history: &'a History,
    /// What becomes of what somebody changed since.
    pub clash: Clash,
    /// The request with which people make a change themselves.
    pub by_hand: &'a dyn Fn(&ServiceChange) -> String,
}

/// A flag that a release names, with the release and what it wants.
type Named<'a> = (&'a Release, &'a FlagWish, &'a ServiceNow);

impl FlagPreview {
    /// Adds what a deploy does at services.
    pub fn add_deploy_at(&mut self, services: &Services<'_>, release: &Release) {
        let named = services.named(release, &mut self.report);
        for (_, wish, now) in named {
            self.services.record.push(now.flag.clone());
            self.services.settle_ms = self.services.settle_ms.max(now.settle_ms);
            let image = match &now.image {
                Ok(image) => image,
                Err(why) => {
                    self.report.push(format!("what {} is now is not known: {why}", now.flag));
                    continue;
                }
            };
            let Some(wanted) = services.wanted(release, wish, now, image) else { continue };
            if wanted.is_met(image) {
                continue;
            }
            let change = ServiceChange {
                flag: now.flag.clone(),
                release: release.id.clone(),
                expected: Some(Box::new(image.clone())),
                requires: wish.requires_schema,
                wish: wanted,
                undoes: false,
                insists: true,
                reason: format!("{} goes live", release.id),
            };
            let steps = image.differences(&change.wish.applied_to(image)).join(", ");
            self.forecast.changed.push(format!("{}: {steps}", now.flag));
            self.change_or_propose(services, change, false);
        }
        self.state_latency();
    }

    /// Adds what a rollback does at services: `left` are the releases that it leaves, newest first.
    pub fn add_rollback_at(
        &mut self,
        services: &Services<'_>,
        target: &Release,
        left: &[&Release],
        undone: &BTreeSet<MigrationVersion>,
    ) {
        let mut shared: BTreeMap<String, Vec<Named<'_>>> = BTreeMap::new();
        let mut off = BTreeSet::new();
        for release in left {
            for (release, wish, now) in services.named(release, &mut self.report) {
                let (name, flag) = (now.flag.name(), &now.flag);
                self.services.settle_ms = self.services.settle_ms.max(now.settle_ms);
                let loses_ground = wish.requires_schema.is_some_and(|one| undone.contains(&one));
                if !loses_ground && target.flags.at(&flag.service, &flag.key).is_some() {
                    shared.entry(name).or_default().push((release, wish, now));
                } else if off.insert(name) {
                    self.turn_off(services, (release, wish, now), target, undone);
                }
            }
        }
        for (name, named) in shared.into_iter().filter(|(name, _)| !off.contains(name)) {
            self.restore(services, &name, &named, target);
        }
        self.state_latency();
    }

    fn turn_off(
        &mut self,
        services: &Services<'_>,
        named: Named<'_>,
        target: &Release,
        undone: &BTreeSet<MigrationVersion>,
    ) {
        let (release, wish, now) = named;
        if now.image.as_ref().is_ok_and(FlagImage::is_off) {
            return;
        }
        if let Err(why) = &now.image {
            let flag = &now.flag;
            self.report.push(format!("whether {flag} is on is not known: {why}"));
        }
        let change = ServiceChange {
            flag: now.flag.clone(),
            release: release.id.clone(),
            wish: ServiceWish::Off,
            expected: None,
            requires: wish.requires_schema.filter(|version| undone.contains(version)),
            undoes: false,
            insists: false,
            reason: format!("{} is left for {}", release.id, target.id),
        };
        let id = &release.id;
        self.forecast.hidden.push(format!(
            "{}: off first, until {id} is deployed again or somebody turns it on there",
            now.flag
        ));
        self.change_or_propose(services, change, true);
    }

    /// A flag that the target knows as well becomes what it was before, as far as nobody else
    /// changed it since.
    fn restore(
        &mut self,
        services: &Services<'_>,
        name: &str,
        named: &[Named<'_>],
        target: &Release,
    ) {
        let Some((newest, _, now)) = named.first().copied() else { return };
        let flag = &now.flag;
        let mut wanted = now.image.as_ref().ok().cloned();
        for (release, ..) in named {
            let span = services.span(&release.id, name);
            let Some((before, after)) = span else {
                let id = &release.id;
                self.report.push(format!("what {id} did to {flag} is not recorded; it stays"));
                continue;
            };
            if before.state == after.state {
                continue;
            }
            let current = wanted.get_or_insert_with(|| after.clone());
            if current.state == after.state {
                *current = before.clone();
                continue;
            }
            let steps = after.differences(current).join(", ");
            match services.clash {
                Clash::Keep => self
                    .forecast
                    .kept
                    .push(format!("{flag}: somebody changed it since ({steps}); it stays so")),
                Clash::Force => {
                    let what = format!("{flag}: {steps}, which somebody wanted");
                    self.forecast.gone.push(what);
                    *current = before.clone();
                }
            }
        }
        let Some(wanted) = wanted else { return };
        if now.image.as_ref().is_ok_and(|image| image.state == wanted.state) {
            return;
        }
        // Where it cannot be asked now, it must by then be as the release left it.
        let found = now.image.as_ref().ok();
        let expected = found.or_else(|| services.span(&newest.id, name).map(|(_, after)| after));
        let change = ServiceChange {
            flag: flag.clone(),
            release: newest.id.clone(),
            expected: expected.cloned().map(Box::new),
            requires: None,
            wish: ServiceWish::As(Box::new(wanted.clone())),
            undoes: false,
            insists: true,
            reason: format!("{} is left for {}", newest.id, target.id),
        };
        let steps = found.map(|image| image.differences(&wanted).join(", "));
        let steps = steps.unwrap_or_else(|| "as before".to_owned());
        self.forecast.hidden.push(format!("{flag}: {steps}"));
        self.change_or_propose(services, change, false);
    }

    /// A change becomes a part of the plan, or, where Ripcord may not make it, a line for people.
    fn change_or_propose(&mut self, services: &Services<'_>, change: ServiceChange, first: bool) {
        if services.authority == Authority::Act {
            let list = if first { &mut self.services.off } else { &mut self.services.changes };
            list.push(change);
            return;
        }
        let when = if first { "now" } else { "once it serves" };
        let call = (services.by_hand)(&change);
        self.report.push(format!("for people, {when}: {change}: {call}"));
    }

    fn state_latency(&mut self) {
        let changes = self.services.off.iter().chain(&self.services.changes);
        let kinds: BTreeSet<ServiceKind> = changes.map(|change| change.flag.kind).collect();
        for kind in kinds {
            self.report.push(format!("{kind}: {}", kind.latency()));
        }
    }
}

impl<'a> Services<'a> {
    /// The flags that a release names, at the services that there are.
    fn named<'r>(&self, release: &'r Release, report: &mut Vec<String>) -> Vec<Named<'r>>
    where
        'a: 'r,
    {
        let mut named = Vec::new();
        for (service, wishes) in &release.flags.services {
            for (key, wish) in wishes {
                match self.now.get(&format!("{service}/{key}")) {
                    Some(now) => named.push((release, wish, now)),
                    None => report.push(format!(
                        "{} names the flag {key} at {service}, which this environment does not \
                         have; it is left alone",
                        release.id
                    )),
                }
            }
        }
        named
    }

    /// What a deploy makes of a flag; none: nothing.
    fn wanted(
        &self,
        release: &Release,
        wish: &FlagWish,
        now: &ServiceNow,
        image: &FlagImage,
    ) -> Option<ServiceWish> {
        match wish.want.as_deref() {
            Some("on") => return Some(ServiceWish::On),
            Some("off") => return Some(ServiceWish::Off),
            _ => {}
        }
        // What a rollback from this release turned off comes back with it, if it is still so.
        let off = self.history.service_offs.get(&now.flag.name());
        let (of, trace) = off.map(|one| (&one.release, &one.trace))?;
        let (found, left) = (trace.found.as_ref()?, trace.left.as_ref()?);
        let same = of == &release.id && left.state == image.state;
        same.then(|| ServiceWish::As(Box::new(found.clone())))
    }

    /// What a flag was before and after the last deploy of a release.
    fn span(&self, release: &ReleaseId, name: &str) -> Option<(&'a FlagImage, &'a FlagImage)> {
        let trace: &ServiceTrace = self.history.service_spans.get(release)?.get(name)?;
        Some((trace.before.as_ref()?, trace.after.as_ref()?))
    }
}

impl std::fmt::Debug for Services<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("authority", &self.authority).finish_non_exhaustive()
    }
}
