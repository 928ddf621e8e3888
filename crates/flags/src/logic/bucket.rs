//! Which generation of bucketing decides who is in which share. Changing it re-assigns users, so
//! it is pinned for each set of flags and never changes by itself.

use crate::logic::cbor;
use crate::logic::murmur::murmur3;
use crate::logic::{Value, number};

/// A generation of bucketing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bucketing {
    /// The text of key and user is hashed: flagd until 2026.
    V2,
    /// Deterministic CBOR of the value is hashed: flagd since.
    #[default]
    V3,
}

impl Bucketing {
    /// As metadata names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Bucketing::V2 => "v2",
            Bucketing::V3 => "v3",
        }
    }

    /// The generation of this name.
    pub fn of(name: &str) -> Option<Bucketing> {
        [Bucketing::V2, Bucketing::V3].into_iter().find(|it| it.as_str() == name)
    }

    /// The hash of a value that a rule names; none where this generation does not hash it.
    pub(crate) fn hash(self, value: &Value<'_>) -> Option<u32> {
        match self {
            Bucketing::V2 => match value {
                Value::Text(text) => Some(murmur3(text.as_bytes())),
                _ => None,
            },
            Bucketing::V3 => Some(murmur3(&cbor::encode(value))),
        }
    }

    /// The hash of a user where the rule names no value.
    pub(crate) fn hash_user(self, flag_key: &str, targeting_key: &str) -> u32 {
        match self {
            Bucketing::V2 => murmur3([flag_key, targeting_key].concat().as_bytes()),
            Bucketing::V3 => murmur3(&cbor::encode_pair(flag_key, targeting_key)),
        }
    }
}

/// The largest sum of weights.
pub(crate) const WEIGHTS_MAX: u64 = 0x7fff_ffff;

/// The weight that a value is: negative ones count as none. Nothing where it is no weight.
pub(crate) fn weight(value: &Value<'_>) -> Option<u64> {
    let Value::Number(number) = value else { return None };
    let whole = number::whole(*number)?;
    let weight = u64::try_from(whole).unwrap_or(0);
    (weight <= WEIGHTS_MAX).then_some(weight)
}

/// The bucket of a hash, from 0 to the sum of weights.
pub(crate) fn bucket(hash: u32, weights: u64) -> u64 {
    // Both factors are below 2 to the 32nd.
    (u64::from(hash) * weights) >> 32
}
