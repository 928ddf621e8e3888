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
    /// What people are asked to turn off themselves before a schema goes from under it.
    pub by_people: Vec<String>,
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
        let requires = wish.requires_schema.filter(|version| undone.contains(version));
        let is_off = now.image.as_ref().is_ok_and(FlagImage::is_off);
        // What loses its ground is off for certain, although somebody turns it on until then.
        let certain = requires.is_some() && services.authority == Authority::Act;
        if is_off && !certain {
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
            requires,
            undoes: false,
            insists: false,
            reason: format!("{} is left for {}", release.id, target.id),
        };
        let id = &release.id;
        if !is_off {
            self.forecast.hidden.push(format!(
                "{}: off first, until {id} is deployed again or somebody turns it on there",
                now.flag
            ));
        }
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
        if change.requires.is_some() && change.wish == ServiceWish::Off {
            self.services.by_people.push(change.flag.to_string());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::service::{ServiceMoment, ServiceSeen};
    use crate::plan::fixture::release;
    use serde_json::{Value, json};

    fn image(on: bool, rules: &str) -> FlagImage {
        let Value::Object(state) = json!({"on": on, "rules": rules}) else { panic!("no object") };
        FlagImage { key: "checkout".into(), version: Some(4), state }
    }

    fn flag(key: &str) -> ServiceFlag {
        let (service, key) = ("launchdarkly".to_owned(), key.to_owned());
        ServiceFlag { service, kind: ServiceKind::LaunchDarkly, key }
    }

    fn now(flags: &[(&str, Result<FlagImage, String>)]) -> BTreeMap<String, ServiceNow> {
        let one = |(key, image): &(&str, Result<FlagImage, String>)| {
            let now = ServiceNow { flag: flag(key), image: image.clone(), settle_ms: 7 };
            (now.flag.name(), now)
        };
        flags.iter().map(one).collect()
    }

    fn naming(id: &str, flags: &[(&str, Option<&str>, Option<u64>)]) -> Release {
        let mut release = release(id);
        let named = release.flags.services.entry("launchdarkly".to_owned()).or_default();
        for (key, want, requires) in flags {
            let want = want.map(str::to_owned);
            let requires_schema = requires.map(MigrationVersion);
            named.insert((*key).to_owned(), FlagWish { want, requires_schema });
        }
        release
    }

    /// What v2's deploy did to a flag.
    fn span(key: &str, before: &FlagImage, after: &FlagImage) -> History {
        let mut trace = ServiceTrace::of(&flag(key));
        for (moment, image) in [(ServiceMoment::Before, before), (ServiceMoment::After, after)] {
            trace.take(&ServiceSeen { flag: flag(key), moment, image: image.clone() });
        }
        let mut history = History::default();
        let spans = BTreeMap::from([(flag(key).name(), trace)]);
        history.service_spans.insert("v2".into(), spans);
        history
    }

    fn services<'a>(
        now: &'a BTreeMap<String, ServiceNow>,
        history: &'a History,
        authority: Authority,
        clash: Clash,
    ) -> Services<'a> {
        Services { now, authority, history, clash, by_hand: &|_| "curl".to_owned() }
    }

    /// A rollback from a v2 that names `own` and `shared`, which v1 knows as well.
    fn back(
        now: &BTreeMap<String, ServiceNow>,
        history: &History,
        authority: Authority,
        clash: Clash,
    ) -> FlagPreview {
        let left = naming("v2", &[("own", None, Some(2)), ("shared", None, None)]);
        let target = naming("v1", &[("shared", None, None)]);
        let mut preview = FlagPreview::default();
        let undone = BTreeSet::from([MigrationVersion(2)]);
        let services = services(now, history, authority, clash);
        preview.add_rollback_at(&services, &target, &[&left], &undone);
        preview
    }

    #[test]
    fn a_deploy_changes_what_it_wants_and_records_the_rest() {
        let release =
            naming("v2", &[("a", Some("on"), None), ("b", Some("off"), None), ("c", None, None)]);
        let now = now(&[
            ("a", Ok(image(false, "x"))),
            ("b", Ok(image(false, "x"))),
            ("c", Err("down".into())),
        ]);
        let history = History::default();
        let mut preview = FlagPreview::default();
        let known = services(&now, &history, Authority::Act, Clash::Keep);
        preview.add_deploy_at(&known, &release);
        let found: Vec<String> = preview.services.changes.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["turn on a at LaunchDarkly"]);
        assert_eq!(preview.services.record.len(), 3);
        assert!(preview.report.iter().any(|line| line.contains("c at LaunchDarkly is now is not")));

        let mut preview = FlagPreview::default();
        let known = services(&now, &history, Authority::Observe, Clash::Keep);
        preview.add_deploy_at(&known, &release);
        assert!(preview.services.changes.is_empty() && preview.services.record.len() == 3);
        assert!(
            preview.report.iter().any(|line| line.ends_with("turn on a at LaunchDarkly: curl"))
        );
    }

    #[test]
    fn own_flags_go_off_and_shared_ones_return() {
        let (before, after) = (image(false, "old"), image(true, "new"));
        let history = span("shared", &before, &after);
        let found = now(&[("own", Ok(image(true, "x"))), ("shared", Ok(after.clone()))]);
        let preview = back(&found, &history, Authority::Act, Clash::Keep);
        let (off, rest) = (&preview.services.off, &preview.services.changes);
        assert_eq!((off.len(), off[0].requires), (1, Some(MigrationVersion(2))));
        assert_eq!((&off[0].wish, &off[0].expected), (&ServiceWish::Off, &None));
        assert_eq!(rest[0].wish, ServiceWish::As(Box::new(before.clone())));
        assert_eq!(rest[0].expected.as_deref(), Some(&after));
        assert_eq!(preview.services.settle_ms, 7);

        // Where it cannot be asked, it must by then be as the release left it.
        let blind = now(&[("own", Err("down".into())), ("shared", Err("down".into()))]);
        let preview = back(&blind, &history, Authority::Act, Clash::Keep);
        assert_eq!(preview.services.off.len(), 1);
        assert_eq!(preview.services.changes[0].expected.as_deref(), Some(&after));
    }

    #[test]
    fn what_somebody_changed_stays_or_is_overwritten_by_wish() {
        let history = span("shared", &image(false, "old"), &image(true, "new"));
        let found = now(&[("own", Ok(image(false, "x"))), ("shared", Ok(image(true, "theirs")))]);
        let kept = back(&found, &history, Authority::Act, Clash::Keep);
        // Off already, it stays so for certain, since its schema goes.
        assert_eq!((kept.services.off.len(), kept.services.changes.len()), (1, 0));
        assert_eq!(
            kept.forecast.kept,
            ["shared at LaunchDarkly: somebody changed it since \
              (rules \"new\" -> \"theirs\"); it stays so"]
        );
        let forced = back(&found, &history, Authority::Act, Clash::Force);
        assert_eq!(forced.services.changes.len(), 1);
        assert_eq!(forced.forecast.gone.len(), 1);
    }

    /// Without the right to act nothing is done, and a person's word is asked for where a schema
    /// goes from under a flag.
    #[test]
    fn for_people() {
        let history = span("shared", &image(false, "old"), &image(true, "new"));
        let found = now(&[("own", Ok(image(true, "x"))), ("shared", Ok(image(true, "new")))]);
        let told = back(&found, &history, Authority::Propose, Clash::Keep);
        assert!(told.services.off.is_empty() && told.services.changes.is_empty());
        assert_eq!(told.services.by_people, ["own at LaunchDarkly"]);
        assert_eq!(told.report.iter().filter(|line| line.ends_with(": curl")).count(), 2);
    }
}
