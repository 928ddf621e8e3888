//! Flags that live at somebody else's service, as far as releases and their way back concern
//! them: what a release wants of them, and what a plan does there. One flag is one step, so that
//! each has its own image in the journal from before it was changed.

use crate::flag::FlagImage;
use crate::model::ids::Millis;
use crate::model::{MigrationVersion, ReleaseId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The services that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    /// `LaunchDarkly`.
    LaunchDarkly,
    /// `ConfigCat`.
    ConfigCat,
}

/// A flag at a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFlag {
    /// The service, as the environment names it.
    pub service: String,
    /// What it is.
    pub kind: ServiceKind,
    /// The flag's key there.
    pub key: String,
}

/// What a flag at a service is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceWish {
    /// Off for everybody.
    Off,
    /// Switched on; where there is no switch, on for everybody.
    On,
    /// To the last member as it was.
    As(Box<FlagImage>),
}

/// A change of one flag at a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceChange {
    /// Which flag.
    pub flag: ServiceFlag,
    /// The release on whose behalf.
    pub release: ReleaseId,
    /// What it is to be.
    pub wish: ServiceWish,
    /// How it was when the plan was made: where it is otherwise by then, it is somebody's and
    /// stays. None: whatever is there gives way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Box<FlagImage>>,
    /// The migration without which the flag must not be on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<MigrationVersion>,
    /// Instead: what this plan did to the flag is taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undoes: bool,
    /// Whether the plan waits for it. Otherwise a service that does not answer holds up nobody,
    /// and a later step insists.
    pub insists: bool,
    /// Why, for the service's own history.
    pub reason: String,
}

/// At which moment a flag at a service was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceMoment {
    /// Before a release was deployed.
    Before,
    /// Once it was.
    After,
    /// Right before it is changed by a plan.
    Found,
    /// Right after.
    Left,
}

/// A flag at a service, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSeen {
    /// Which.
    pub flag: ServiceFlag,
    /// When.
    pub moment: ServiceMoment,
    /// What it was.
    pub image: FlagImage,
}

/// What a plan has seen of one flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTrace {
    /// Which.
    pub flag: ServiceFlag,
    /// Before the release.
    pub before: Option<FlagImage>,
    /// After it.
    pub after: Option<FlagImage>,
    /// Before the plan's own change.
    pub found: Option<FlagImage>,
    /// After it.
    pub left: Option<FlagImage>,
}

impl ServiceKind {
    /// How long it takes until clients have a change, in words.
    pub fn latency(self) -> &'static str {
        match self {
            ServiceKind::LaunchDarkly => {
                "clients that stream have a change within moments, others with their next poll"
            }
            ServiceKind::ConfigCat => {
                "clients have a change with their next poll, every 60 s by default"
            }
        }
    }

    /// How long is waited for that where nobody says otherwise.
    pub fn settles_ms(self) -> Millis {
        match self {
            ServiceKind::LaunchDarkly => 2_000,
            ServiceKind::ConfigCat => 60_000,
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ServiceKind::LaunchDarkly => "LaunchDarkly",
            ServiceKind::ConfigCat => "ConfigCat",
        })
    }
}

impl ServiceFlag {
    /// One name for it that no other flag has.
    pub fn name(&self) -> String {
        format!("{}/{}", self.service, self.key)
    }
}

impl fmt::Display for ServiceFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.key, self.kind)?;
        let usual = self.kind.to_string().to_lowercase();
        if self.service == usual { Ok(()) } else { write!(f, " ({})", self.service) }
    }
}

impl ServiceWish {
    /// Whether a flag is so.
    pub fn is_met(&self, image: &FlagImage) -> bool {
        match self {
            ServiceWish::Off => image.is_off(),
            ServiceWish::On => image.is_on(),
            ServiceWish::As(wanted) => image.state == wanted.state,
        }
    }

    /// What a flag is once the wish is fulfilled and nothing else is changed.
    #[must_use]
    pub fn applied_to(&self, image: &FlagImage) -> FlagImage {
        match self {
            ServiceWish::Off => image.switched(false),
            ServiceWish::On => image.switched(true),
            ServiceWish::As(wanted) => FlagImage { version: None, ..FlagImage::clone(wanted) },
        }
    }
}

impl ServiceChange {
    /// The way back, which the plan waits for.
    #[must_use]
    pub fn reversed(&self) -> ServiceChange {
        let reason = format!("taken back: {}", self.reason);
        ServiceChange { undoes: true, insists: true, reason, ..self.clone() }
    }

    /// The same, waited for.
    #[must_use]
    pub fn insisting(&self) -> ServiceChange {
        ServiceChange { insists: true, ..self.clone() }
    }
}

impl fmt::Display for ServiceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = &self.flag;
        match &self.wish {
            _ if self.undoes => write!(f, "{flag} as before")?,
            ServiceWish::Off => write!(f, "turn off {flag}")?,
            ServiceWish::On => write!(f, "turn on {flag}")?,
            ServiceWish::As(_) => write!(f, "{flag} as before {}", self.release)?,
        }
        if self.insists { Ok(()) } else { f.write_str(", without waiting for it") }
    }
}

impl fmt::Display for ServiceSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = &self.image;
        let state = image.in_a_word();
        let when = match self.moment {
            ServiceMoment::Before => "before the release",
            ServiceMoment::After => "with the release",
            ServiceMoment::Found => "before the change",
            ServiceMoment::Left => "after the change",
        };
        write!(f, "{} is {state} {when}", self.flag)?;
        image.version.map_or(Ok(()), |version| write!(f, " (version {version})"))
    }
}

impl ServiceTrace {
    /// Of a flag that was not seen yet.
    pub fn of(flag: &ServiceFlag) -> ServiceTrace {
        let flag = flag.clone();
        ServiceTrace { flag, before: None, after: None, found: None, left: None }
    }

    /// Takes one more look into account.
    pub fn take(&mut self, seen: &ServiceSeen) {
        let image = Some(seen.image.clone());
        match seen.moment {
            // Whatever is seen again after a crash was seen before anything was changed.
            ServiceMoment::Before => self.before = image,
            ServiceMoment::After => self.after = image,
            ServiceMoment::Found => {
                self.found = image;
                self.left = None;
            }
            ServiceMoment::Left => self.left = image,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn image(state: Value) -> FlagImage {
        let Value::Object(state) = state else { panic!("no object") };
        FlagImage { key: "checkout".into(), version: Some(4), state }
    }

    fn flag() -> ServiceFlag {
        let (service, key) = ("launchdarkly".into(), "checkout".into());
        ServiceFlag { service, kind: ServiceKind::LaunchDarkly, key }
    }

    #[test]
    fn wishes() {
        let (on, off) = (image(json!({"on": true, "rules": [1]})), image(json!({"on": false})));
        let was = ServiceWish::As(Box::new(off.clone()));
        let check = |wish: &ServiceWish, image: &FlagImage, met: bool| {
            assert_eq!(wish.is_met(image), met, "{wish:?}");
            assert!(wish.is_met(&wish.applied_to(image)), "{wish:?}");
        };
        check(&ServiceWish::Off, &on, false);
        check(&ServiceWish::Off, &off, true);
        check(&ServiceWish::On, &on, true);
        check(&was, &on, false);
        check(&was, &off, true);
    }

    #[test]
    fn words() {
        let check = |wish, insists, undoes, expected: &str| {
            let (release, reason) = ("v2".into(), "bad".into());
            let (expects, requires) = (None, None);
            let change = ServiceChange {
                flag: flag(),
                release,
                wish,
                expected: expects,
                requires,
                undoes,
                insists,
                reason,
            };
            assert_eq!(change.to_string(), expected);
        };
        check(
            ServiceWish::Off,
            false,
            false,
            "turn off checkout at LaunchDarkly, without waiting for it",
        );
        check(ServiceWish::On, true, false, "turn on checkout at LaunchDarkly");
        check(ServiceWish::Off, true, true, "checkout at LaunchDarkly as before");
        let other = ServiceFlag { service: "mobile".into(), ..flag() };
        assert_eq!(other.to_string(), "checkout at LaunchDarkly (mobile)");
    }

    /// A plan that changes a flag anew knows nothing any more of how it left it before.
    #[test]
    fn what_was_found_anew_is_not_what_was_left() {
        let mut trace = ServiceTrace::of(&flag());
        let mut take = |moment, on: bool| {
            let seen = ServiceSeen { flag: flag(), moment, image: image(json!({"on": on})) };
            trace.take(&seen);
            (trace.found.is_some(), trace.left.is_some())
        };
        assert_eq!(take(ServiceMoment::Before, true), (false, false));
        assert_eq!(take(ServiceMoment::Found, true), (true, false));
        assert_eq!(take(ServiceMoment::Left, false), (true, true));
        assert_eq!(take(ServiceMoment::Found, true), (true, false));
    }
}
