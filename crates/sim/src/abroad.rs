//! A simulated service of somebody else's for flags: it keeps images with versions, knows no fence
//! and no plan, and people change its flags as they please.

use crate::controller::Controller;
use crate::fault::{Fault, Protection};
use crate::release::SimRelease;
use crate::state::State;
use ripcord_core::flag::{
    Clash, FlagImage, FlagPreview, ServiceChange, ServiceFlag, ServiceKind, ServiceNow,
    ServiceWish, Services,
};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{Domain, Environment, MigrationVersion, Release};
use ripcord_core::run::Receipt;
use ripcord_core::schema::MigrationScript;
use ripcord_engine::{Failure, FlagServices, Result, Ticket};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The service's name.
pub(crate) const SERVICE: &str = "launchdarkly";

/// The flag that comes with the newer release.
pub(crate) const OWN: &str = "own";

/// The flag that both releases know.
pub(crate) const SHARED: &str = "shared";

/// How long until clients have a change.
const SETTLE_MS: Millis = 100;

/// How long it wants to be left alone when it has had enough.
const LATER_MS: Millis = 700;

/// What a service holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Abroad {
    /// Its flags.
    pub(crate) flags: BTreeMap<String, FlagImage>,
    /// Those that somebody changed there, who knows nothing of plans.
    pub(crate) theirs: BTreeSet<String>,
    /// The newest fence of who asked for a change.
    fence: u64,
    /// What was wrong at some moment.
    pub(crate) wrong: Vec<String>,
}

impl Abroad {
    fn put(&mut self, key: &str, state: Map<String, Value>) {
        let version = self.flags.get(key).and_then(|image| image.version).unwrap_or(0) + 1;
        let image = FlagImage { key: key.to_owned(), version: Some(version), state };
        self.flags.insert(key.to_owned(), image);
    }

    /// Whether a flag is on.
    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.flags.get(key).is_some_and(FlagImage::is_on)
    }
}

impl State {
    /// A service with two flags that are off, of which a release may be told.
    pub fn open_service(&mut self) {
        for key in [OWN, SHARED] {
            let Value::Object(state) = json!({"on": false, "rules": ["ours"]}) else { return };
            self.abroad.put(key, state);
        }
    }

    /// Somebody changes the rules of both flags there, and switches nothing.
    pub(crate) fn meddle(&mut self) {
        for key in [OWN, SHARED] {
            let Some(image) = self.abroad.flags.get(key) else { continue };
            let mut state = image.state.clone();
            state.insert("rules".to_owned(), json!(["theirs"]));
            self.abroad.put(key, state);
            self.abroad.theirs.insert(key.to_owned());
        }
    }

    /// What clients of the service must never see.
    pub(crate) fn tick_abroad(&mut self) {
        let mut needs = self.releases.values().filter_map(|release| {
            let wish = release.document.flags.at(SERVICE, OWN)?;
            wish.requires_schema
        });
        let has = |version: &MigrationVersion| {
            self.store.applied.iter().any(|one| one.migration.version == *version)
        };
        let lost = needs.find(|version| !has(version));
        if let Some(version) = lost.filter(|_| self.abroad.is_on(OWN)) {
            let what = format!("{OWN} is on at the service without migration {version}");
            if !self.abroad.wrong.contains(&what) {
                self.abroad.wrong.push(what);
            }
        }
        for key in self.abroad.theirs.clone() {
            let rules = self.abroad.flags.get(&key).and_then(|image| image.state.get("rules"));
            if rules != Some(&json!(["theirs"])) {
                let what = format!("what somebody made of {key} at the service was overwritten");
                if !self.abroad.wrong.contains(&what) {
                    self.abroad.wrong.push(what);
                }
            }
        }
    }
}

impl FlagServices for Controller<'_> {
    fn read(&self, flag: &ServiceFlag, _: &Ticket<'_>) -> Result<FlagImage> {
        self.point("read a flag")?;
        self.wait(5)?;
        let found = self.look(|state| Ok(state.abroad.flags.get(&flag.key).cloned()))?;
        found.ok_or_else(|| needs_person("there is no such flag"))
    }

    fn write(
        &self,
        flag: &ServiceFlag,
        now: &FlagImage,
        wish: &ServiceWish,
        _: &str,
        ticket: &Ticket<'_>,
    ) -> Result<FlagImage> {
        self.point("write a flag")?;
        let apply = || {
            self.change(|state| {
                let seen = state.abroad.fence;
                state.abroad.fence = state.admit("the service", seen, ticket.fence.0)?;
                let found = state.abroad.flags.get(&flag.key).cloned();
                let found = found.ok_or_else(|| needs_person("there is no such flag"))?;
                let is_off = *wish == ServiceWish::Off;
                let checked = state.protects(Protection::ServicePrecondition);
                if !is_off && checked && found.version != now.version {
                    return Err(Failure::transient("somebody is changing it"));
                }
                state.abroad.put(&flag.key, wish.applied_to(&found).state);
                Ok(Receipt::default())
            })
        };
        match self.with(|state| state.strike_call("write a flag")) {
            Some(Fault::Definite) => return Err(needs_person("it needs approval")),
            Some(Fault::Transient) => {
                let what = "it has had enough".to_owned();
                return Err(Failure::Later { what, after_ms: LATER_MS });
            }
            Some(Fault::Late) => return Err(Failure::transient("somebody is changing it")),
            Some(Fault::LostRequest) => return Err(Failure::unknown("no answer")),
            Some(Fault::LostAck) => {
                apply()?;
                self.wait(20)?;
                return Err(Failure::unknown("no answer"));
            }
            Some(Fault::Twice) => {
                apply()?;
                apply()?;
            }
            _ => drop(apply()?),
        }
        let then = self.look(|state| Ok(state.abroad.flags.get(&flag.key).cloned()))?;
        let then = then.ok_or_else(|| needs_person("there is no such flag"))?;
        if wish.is_met(&then) { Ok(then) } else { Err(Failure::unknown("it is otherwise")) }
    }
}

fn needs_person(what: &str) -> Failure {
    Failure::NeedsPerson { what: what.to_owned(), commands: vec!["curl".to_owned()] }
}

impl Controller<'_> {
    /// Adds what a deploy does at the service.
    pub(crate) fn abroad_of_deploy(
        &self,
        environment: &Environment,
        release: &SimRelease,
        preview: &mut FlagPreview,
    ) {
        let now = self.named(&[&release.document]);
        preview.add_deploy_at(&known(environment, &now), &release.document);
    }

    /// Adds what a rollback does there.
    pub(crate) fn abroad_of_rollback(
        &self,
        environment: &Environment,
        target: &SimRelease,
        undone: &[MigrationScript],
        preview: &mut FlagPreview,
    ) {
        let verified = environment.history.verified.iter().rev().map(|one| &one.release);
        let left: Vec<Release> = self.with(|state| {
            let left = verified.take_while(|id| *id != target.id());
            left.filter_map(|id| Some(state.releases.get(id)?.document.clone())).collect()
        });
        let left: Vec<&Release> = left.iter().collect();
        let undone = undone.iter().map(|script| script.migration.version).collect();
        let now = self.named(&left);
        preview.add_rollback_at(&known(environment, &now), &target.document, &left, &undone);
    }

    fn named(&self, releases: &[&Release]) -> BTreeMap<String, ServiceNow> {
        let keys = releases.iter().flat_map(|one| one.flags.services.values());
        let keys = keys.flat_map(|flags| flags.keys().cloned());
        let now = |key: String| {
            let image = self.with(|state| state.abroad.flags.get(&key).cloned());
            let (service, kind) = (SERVICE.to_owned(), ServiceKind::LaunchDarkly);
            let flag = ServiceFlag { service, kind, key };
            let image = image.ok_or_else(|| "there is no such flag".to_owned());
            (flag.name(), ServiceNow { flag, image, settle_ms: SETTLE_MS })
        };
        keys.map(now).collect()
    }
}

fn known<'a>(environment: &'a Environment, now: &'a BTreeMap<String, ServiceNow>) -> Services<'a> {
    let authority = environment.authority.of(Domain::Flags);
    let by_hand: &dyn Fn(&ServiceChange) -> String = &|_| "curl".to_owned();
    Services { now, authority, history: &environment.history, clash: Clash::Keep, by_hand }
}
