//! How many users get another variant than before, because a percentage is computed otherwise.

use crate::{Context, FlagSet};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// How many made-up users are tried.
const SAMPLE: u32 = 20_000;

/// A division of users by percentage, in both ways.
pub(super) struct Split {
    /// How the source hashes a user.
    pub(super) way: Way,
    /// The names of variants with their weights, in order.
    pub(super) parts: Vec<(String, u32)>,
    /// What the new rule says.
    pub(super) rule: Value,
}

/// How a service divides users.
pub(super) enum Way {
    /// `LaunchDarkly`: the first 15 hexadecimal digits of a SHA-1 over what stands before the user,
    /// as a part of all that there are; weights are of 100,000.
    LaunchDarkly {
        /// `key.salt.`, or `seed.`.
        prefix: String,
    },
    /// `ConfigCat`: the first 7 hexadecimal digits of a SHA-1 over the key and the user, modulo 100.
    ConfigCat {
        /// The key of the flag.
        key: String,
    },
}

/// Of 10,000 users, how many get another variant.
pub(super) fn moved(split: &Split) -> u32 {
    let variants: serde_json::Map<String, Value> =
        split.parts.iter().map(|(name, _)| (name.clone(), json!(name))).collect();
    let first = split.parts.first().map(|(name, _)| name.clone());
    let document = json!({"metadata": {"bucketing": "v3"}, "flags": {"x": {
        "state": "ENABLED", "variants": variants, "defaultVariant": first, "targeting": split.rule,
    }}});
    // A rule that cannot be evaluated moves everybody.
    let Ok(set) = FlagSet::parse(&document.to_string()) else { return 10_000 };
    let differs = |number: &u32| {
        let user = format!("user-{number}");
        let context = json!({"targetingKey": user});
        let Ok(context) = Context::new(&context, 0) else { return true };
        set.evaluate("x", &context).variant != split.before(&user)
    };
    let count = (0..SAMPLE).filter(differs).count();
    u32::try_from(count).unwrap_or(SAMPLE) * 10_000 / SAMPLE
}

impl Split {
    /// What the source gives a user.
    fn before(&self, user: &str) -> Option<&str> {
        let total: u32 = self.parts.iter().map(|(_, weight)| weight).sum();
        let place = match &self.way {
            Way::LaunchDarkly { prefix } => {
                let part = leading(&format!("{prefix}{user}"), 15);
                // The share of all values of 60 bits, in units of the weights, rounded down.
                let scaled = u128::from(part) * 100_000 / ((1_u128 << 60) - 1);
                u32::try_from(scaled).unwrap_or(u32::MAX)
            }
            Way::ConfigCat { key } => {
                u32::try_from(leading(&format!("{key}{user}"), 7) % 100).unwrap_or(0)
            }
        };
        let mut sum = 0;
        for (name, weight) in &self.parts {
            sum += weight;
            if place < sum {
                return Some(name);
            }
        }
        // What is left over belongs to the last.
        debug_assert!(place >= total, "a place within the weights has a part");
        self.parts.last().map(|(name, _)| name.as_str())
    }
}

/// The first hexadecimal digits of a text's SHA-1, as a number; at most 15.
fn leading(text: &str, digits: u32) -> u64 {
    let hash = Sha1::digest(text.as_bytes());
    let first = hash.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    first >> (64 - 4 * digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_a_known_hash() {
        // SHA-1 of "abc" is a9993e364706816aba3e25717850c26c9cd0d89d.
        assert_eq!(leading("abc", 7), 0xa99_93e3);
        assert_eq!(leading("abc", 15), 0xa99_93e3_6470_6816);
    }

    /// The values that `LaunchDarkly`'s own libraries are tested against.
    #[test]
    fn users_stand_where_the_source_puts_them() {
        let check = |user: &str, expected: u64| {
            let part = leading(&format!("hashKey.saltyA.{user}"), 15);
            let scaled = u128::from(part) * 1_000_000 / ((1 << 60) - 1);
            assert_eq!(scaled, u128::from(expected), "{user}");
        };
        check("userKeyA", 421_575);
        check("userKeyB", 670_848);
        check("userKeyC", 103_431);
    }
}
