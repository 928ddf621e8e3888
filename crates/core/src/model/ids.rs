//! Identifiers and counters. Each is a type of its own, so that none is mistaken for another.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Milliseconds. Spelled out in names everywhere (`deadline_ms`), never implied.
pub type Millis = u64;

/// A number of a step within its plan, starting at 1 in the order of execution.
pub type StepId = u32;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name(text.to_owned())
            }
        }

        impl $name {
            /// The text as it is written and shown.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// The unique version of a release: `v1`, `v2`, and so on, never used twice.
    ReleaseId
}
text_id! {
    /// `sha256:` and 64 hexadecimal digits over the exact bytes or canonical JSON of something.
    Digest
}
text_id! {
    /// The digest of a plan's canonical JSON without its own id.
    PlanId
}
text_id! {
    /// Identifies one change of a schema, made or unmade at most once: environment, generation, step.
    ChangeId
}
text_id! {
    /// The name of an environment as written in `ripcord.toml`.
    EnvironmentName
}

impl ReleaseId {
    /// The release with this number.
    pub fn numbered(number: u64) -> ReleaseId {
        ReleaseId(format!("v{number}"))
    }

    /// The number after the `v`, or none when the text is not the name of a release.
    pub fn number(&self) -> Option<u64> {
        let digits = self.0.strip_prefix('v')?;
        let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if canonical { digits.parse().ok() } else { None }
    }
}

impl Digest {
    /// The digest of these bytes.
    pub fn of_bytes(bytes: &[u8]) -> Digest {
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in Sha256::digest(bytes) {
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        Digest(text)
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        let digits = self.0.strip_prefix("sha256:").unwrap_or(&self.0);
        digits.get(..12).unwrap_or(digits)
    }
}

/// The digest of a value's JSON. Maps must be ordered (`BTreeMap`), as everywhere in this crate.
///
/// # Panics
///
/// Never for the plain data of this crate, which always serialises.
pub fn digest_of<T: Serialize>(value: &T) -> Digest {
    let json = serde_json::to_vec(value).expect("plain data with text keys always serialises");
    Digest::of_bytes(&json)
}

/// Counts the plans and other changes an environment has begun; a plan fits exactly one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The next generation.
    #[must_use]
    pub fn next(self) -> Generation {
        Generation(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Rises with every start of a controller. Whoever receives an effect refuses a lower one than
/// the highest it has seen, so that a controller that was replaced can change nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_numbers() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(ReleaseId::from(text).number(), expected, "{text}");
        };
        check("v1", Some(1));
        check("v42", Some(42));
        check("v0", None);
        check("v01", None);
        check("v", None);
        check("1", None);
        check("v1\u{7}", None);
        check("v+1", None);
        assert_eq!(ReleaseId::numbered(7), "v7".into());
    }

    #[test]
    fn digest_of_nothing_is_the_known_one() {
        assert_eq!(
            Digest::of_bytes(b"").as_str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
