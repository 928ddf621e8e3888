//! Feature flags that live at somebody else's service: reading a flag as it is, turning it off,
//! and bringing back how it was.
//!
//! Each call asks once. It never retries, which belongs to whoever journals the attempts, and it
//! never overwrites what somebody else changed since: that is a conflict, and is named.

mod configcat;
mod error;
mod image;
mod launchdarkly;

pub use configcat::ConfigCat;
pub use error::ServiceError;
pub use image::FlagImage;
pub use launchdarkly::LaunchDarkly;

use crate::http::Http;
use serde_json::Value;

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

    /// Turns a flag off, whatever somebody did to it meanwhile: off is what was asked for. Gives
    /// the flag as it is then. Off already, it is left alone.
    ///
    /// # Errors
    ///
    /// [`ServiceError`]; then whether it is off is not known until it is read again.
    pub fn turn_off(&self, key: &str, reason: &str) -> Result<FlagImage, ServiceError> {
        let now = self.read(key)?;
        if now.is_off() {
            return Ok(now);
        }
        let then = match self {
            FlagService::LaunchDarkly(service) => service.turn_off(key, reason)?,
            FlagService::ConfigCat(service) => service.turn_off(&now, reason)?,
        };
        if then.is_off() {
            return Ok(then);
        }
        Err(ServiceError::NotAsAsked { service: self.name(), key: key.to_owned() })
    }

    /// Brings a flag back to how it was, if it is still as it was left. Gives the flag as it is
    /// then. As it was already, it is left alone.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] when somebody changed it since, and the others.
    pub fn restore(
        &self,
        was: &FlagImage,
        left: &FlagImage,
        reason: &str,
    ) -> Result<FlagImage, ServiceError> {
        let now = self.read(&was.key)?;
        if now.state == was.state {
            return Ok(now);
        }
        if now.state != left.state {
            let changes = left.differences(&now);
            let (service, key) = (self.name(), was.key.clone());
            return Err(ServiceError::Conflict { service, key, changes });
        }
        let then = match self {
            FlagService::LaunchDarkly(service) => service.restore(was, &now, reason)?,
            FlagService::ConfigCat(service) => service.restore(was, reason)?,
        };
        if then.state == was.state {
            return Ok(then);
        }
        Err(ServiceError::NotAsAsked { service: self.name(), key: was.key.clone() })
    }

    /// Its name, for people.
    pub fn name(&self) -> &'static str {
        match self {
            FlagService::LaunchDarkly(_) => launchdarkly::NAME,
            FlagService::ConfigCat(_) => configcat::NAME,
        }
    }

    /// How long until clients have a change, by the service's own word, in milliseconds: those
    /// that stream within moments, those that poll within their interval.
    pub fn settles_ms(&self) -> u64 {
        match self {
            FlagService::LaunchDarkly(_) => 1_000,
            FlagService::ConfigCat(_) => 60_000,
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
