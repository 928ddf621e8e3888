//! Feature flags that live at somebody else's service: reading a flag as it is, turning it off
//! and on, and bringing back how it was.
//!
//! Each call asks once. It never retries, which belongs to whoever journals the attempts, and it
//! never restores what is no longer as it was read: whoever changed it is asked first.

mod call;
mod configcat;
mod error;
mod launchdarkly;

pub use configcat::ConfigCat;
pub use error::ServiceError;
pub use launchdarkly::LaunchDarkly;

use crate::http::Http;
use ripcord_core::flag::{FlagImage, ServiceWish};
use serde_json::{Map, Value};

/// A service that serves flags.
#[derive(Debug)]
pub enum FlagService {
    /// `LaunchDarkly`, by its REST API.
    LaunchDarkly(LaunchDarkly),
    /// `ConfigCat`, by its public management API.
    ConfigCat(ConfigCat),
}

impl FlagService {
    /// A flag as it is now.
    ///
    /// # Errors
    ///
    /// [`ServiceError`], in particular when there is no such flag.
    pub fn read(&self, key: &str) -> Result<FlagImage, ServiceError> {
        match self {
            FlagService::LaunchDarkly(service) => service.read(key),
            FlagService::ConfigCat(service) => service.read(key),
        }
    }

    /// Makes a flag as is wished. `now` is how it was read; restoring fails when it is no longer
    /// so. Gives the flag as it is then.
    ///
    /// # Errors
    ///
    /// [`ServiceError`]; then what it is now is not known until it is read again.
    pub fn write(
        &self,
        now: &FlagImage,
        wish: &ServiceWish,
        reason: &str,
    ) -> Result<FlagImage, ServiceError> {
        let then = match self {
            FlagService::LaunchDarkly(service) => {
                service.send(&now.key, &service.call(now, wish, reason))?
            }
            FlagService::ConfigCat(service) => {
                service.send(now, &service.call(now, wish, reason)?)?
            }
        };
        if wish.is_met(&then) {
            return Ok(then);
        }
        Err(ServiceError::NotAsAsked { service: self.name(), key: now.key.clone() })
    }

    /// The request with which people make a change themselves; `now` where it is known. No secret
    /// is in it.
    pub fn by_hand(
        &self,
        key: &str,
        now: Option<&FlagImage>,
        wish: &ServiceWish,
        reason: &str,
    ) -> String {
        let unread = FlagImage { key: key.to_owned(), version: None, state: Map::new() };
        let now = now.unwrap_or(&unread);
        match self {
            FlagService::LaunchDarkly(service) => {
                service.call(now, wish, reason).by_hand(LaunchDarkly::authorised())
            }
            FlagService::ConfigCat(service) => match service.call(now, wish, reason) {
                Ok(call) => call.by_hand(ConfigCat::authorised()),
                Err(error) => error.to_string(),
            },
        }
    }

    /// Whether the token may only read, where the service tells beforehand.
    pub fn only_reads(&self) -> Option<bool> {
        match self {
            FlagService::LaunchDarkly(service) => service.only_reads(),
            FlagService::ConfigCat(_) => None,
        }
    }

    /// Its name, for people.
    pub fn name(&self) -> &'static str {
        match self {
            FlagService::LaunchDarkly(_) => launchdarkly::NAME,
            FlagService::ConfigCat(_) => configcat::NAME,
        }
    }
}

/// An answer's JSON, when the status is a success.
fn json(
    http: &Http,
    service: &'static str,
    key: &str,
    answer: &crate::http::Answer,
) -> Result<Value, ServiceError> {
    let said = || http.excerpt(&answer.body);
    match answer.status {
        200..=299 => serde_json::from_slice(&answer.body).map_err(|error| ServiceError::Nonsense {
            service,
            why: format!("it is no JSON: {error}"),
        }),
        401 => Err(ServiceError::Unauthorized { service, said: said() }),
        // Writing is not allowed without somebody else's consent, or not at all.
        403 | 405 => {
            Err(ServiceError::NeedsApproval { service, key: key.to_owned(), said: said() })
        }
        404 => Err(ServiceError::NoSuchFlag { service, key: key.to_owned() }),
        409 => Err(ServiceError::Busy { service, key: key.to_owned() }),
        _ => Err(http.refused(answer).into()),
    }
}
