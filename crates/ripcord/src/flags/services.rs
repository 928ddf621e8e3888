//! Flags at other people's services in the real world: each call reads the settings and the secrets
//! anew, so that a token which was exchanged is used at once.

use crate::config::{Account, EnvironmentSettings, ServiceSettings};
use crate::failure::{Code, Failure};
use crate::world::{FenceFile, read_secret};
use ripcord_core::flag::{FlagImage, ServiceChange, ServiceFlag, ServiceNow, ServiceWish};
use ripcord_core::model::Release;
use ripcord_engine::{Failure as Trouble, FlagServices, Result, Ticket};
use ripcord_integrations::services::{ConfigCat, FlagService, LaunchDarkly, ServiceError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

/// The services of an environment.
pub(crate) struct ServicesInForce {
    pub(crate) settings: Arc<RwLock<EnvironmentSettings>>,
    pub(crate) fence: FenceFile,
}

/// What stands for a secret where nobody is going to be asked.
const NO_SECRET: &str = "-";

impl ServicesInForce {
    fn settings(&self, service: &str) -> std::result::Result<ServiceSettings, String> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        let found = settings.flag_services.get(service).cloned();
        found.ok_or_else(|| {
            let name = &settings.name;
            format!("[environments.{name}.flag_services.{service}] is not in ripcord.toml any more")
        })
    }

    fn client(&self, service: &str) -> std::result::Result<FlagService, String> {
        client(&self.settings(service)?, &read_secret)
    }

    /// The flags that these releases name, as they are now, by name. Services that the environment
    /// does not have are left out.
    pub(crate) fn look<'a>(
        &self,
        releases: impl IntoIterator<Item = &'a Release>,
    ) -> BTreeMap<String, ServiceNow> {
        let named: BTreeSet<(&String, &String)> = releases
            .into_iter()
            .flat_map(|release| &release.flags.services)
            .flat_map(|(service, flags)| flags.keys().map(move |key| (service, key)))
            .collect();
        let mut found = BTreeMap::new();
        // One that does not answer is not waited for once per flag.
        let mut silent: BTreeMap<&String, String> = BTreeMap::new();
        for (service, key) in named {
            let Ok(settings) = self.settings(service) else { continue };
            let kind = settings.kind();
            let flag = ServiceFlag { service: service.clone(), kind, key: key.clone() };
            let image = match (silent.get(service), client(&settings, &read_secret)) {
                (Some(why), _) => Err(why.clone()),
                (None, Err(why)) => Err(why),
                (None, Ok(client)) => client.read(key).map_err(|error| {
                    if matches!(error, ServiceError::Http(_)) {
                        silent.insert(service, error.to_string());
                    }
                    error.to_string()
                }),
            };
            let settle_ms = settings.settle_ms;
            found.insert(flag.name(), ServiceNow { flag, image, settle_ms });
        }
        found
    }

    /// The first of the services that these changes are for whose token may only read.
    pub(crate) fn only_reads<'a>(
        &self,
        mut changes: impl Iterator<Item = &'a ServiceChange>,
    ) -> Option<String> {
        let reads = |service: &str| self.client(service).ok()?.only_reads();
        let found = changes.find(|change| reads(&change.flag.service) == Some(true));
        found.map(|change| change.flag.service.clone())
    }

    /// The request with which people make a change themselves.
    pub(crate) fn by_hand(&self, change: &ServiceChange) -> String {
        let unused = |_: &str| Ok(NO_SECRET.to_owned());
        let settings = self.settings(&change.flag.service);
        match settings.and_then(|settings| client(&settings, &unused)) {
            Ok(client) => {
                let now = change.expected.as_deref();
                client.by_hand(&change.flag.key, now, &change.wish, &change.reason)
            }
            Err(why) => why,
        }
    }
}

impl FlagServices for ServicesInForce {
    fn read(&self, flag: &ServiceFlag, _: &Ticket<'_>) -> Result<FlagImage> {
        let client = self.client(&flag.service).map_err(|why| unusable(flag, &why))?;
        client.read(&flag.key).map_err(|error| trouble(&error, Vec::new))
    }

    fn write(
        &self,
        flag: &ServiceFlag,
        now: &FlagImage,
        wish: &ServiceWish,
        reason: &str,
        ticket: &Ticket<'_>,
    ) -> Result<FlagImage> {
        let client = self.client(&flag.service).map_err(|why| unusable(flag, &why))?;
        // The service knows no fence, so that ours is asked as late as can be.
        self.fence.pass(ticket.fence)?;
        let by_hand = || vec![client.by_hand(&flag.key, Some(now), wish, reason)];
        client.write(now, wish, reason).map_err(|error| trouble(&error, by_hand))
    }
}

/// A client of a service.
fn client(
    settings: &ServiceSettings,
    secret: &dyn Fn(&str) -> std::result::Result<String, String>,
) -> std::result::Result<FlagService, String> {
    let (url, timeout_ms) = (&settings.url, settings.timeout_ms);
    let made = match &settings.account {
        Account::LaunchDarkly { project, environment, token } => {
            let token = secret(token)?;
            LaunchDarkly::new(url, project, environment, token.trim(), timeout_ms)
                .map(FlagService::LaunchDarkly)
        }
        Account::ConfigCat { credentials, sdk_key } => {
            let (credentials, key) = (secret(credentials)?, secret(sdk_key)?);
            ConfigCat::new(url, credentials.trim(), key.trim(), timeout_ms)
                .map(FlagService::ConfigCat)
        }
    };
    made.map_err(|error| error.to_string())
}

/// Whoever keeps the settings can put this right, and then retries.
fn unusable(flag: &ServiceFlag, why: &str) -> Trouble {
    Trouble::NeedsPerson { what: format!("{flag} cannot be reached: {why}"), commands: Vec::new() }
}

/// What an error means for a step. What another attempt does not mend is for a person: nothing that
/// a service says is a reason to give a release up.
fn trouble(error: &ServiceError, by_hand: impl FnOnce() -> Vec<String>) -> Trouble {
    let what = error.to_string();
    if let Some(after_ms) = error.retry_after_ms() {
        return Trouble::Later { what, after_ms };
    }
    match error {
        // Whether it was done shows when it is read again.
        ServiceError::Http(_) | ServiceError::NotAsAsked { .. } | ServiceError::Nonsense { .. } => {
            Trouble::Unknown(what)
        }
        ServiceError::Busy { .. } => Trouble::Transient(what),
        ServiceError::Unauthorized { .. }
        | ServiceError::NeedsApproval { .. }
        | ServiceError::NoSuchFlag { .. }
        | ServiceError::Setup { .. } => Trouble::NeedsPerson { what, commands: by_hand() },
    }
}

/// A service that a plan needs cannot be asked.
pub(crate) fn unknown_now(now: &ServiceNow, why: &str) -> Failure {
    Failure::new(Code::FlagServiceUnusable, format!("what {} is now is not known: {why}", now.flag))
        .hint("mend [environments.NAME.flag_services], or wait until it answers; nothing was begun")
}
