//! By what chance a request finds its release, where the split names several.
//!
//! This holds the words of the state and the arithmetic of the hash line; the draws themselves are
//! the table's.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cookie;
use crate::state::{ReleaseName, Share, State};

const MAX_SALT_BYTES: usize = 128;
const MAX_NAME_BYTES: usize = 64;

/// How a request finds its release.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Draw {
    /// An independent draw for each request, so that who compares the releases may treat it as
    /// the toss of a coin.
    #[default]
    Independent,
    /// By counting: each release gets exactly its share of any 10 000 requests in a row.
    Exact,
    /// Each user keeps their release.
    Sticky(Sticky),
}

/// Users on a line, each at the place that a hash gives them.
///
/// The canary has the line's lower end, up to its share. So raising its share only adds users to
/// it, and lowering it only takes some away. Which release that is must be said: the proxy cannot
/// tell from shares (they cross at one half) or names (`v10` sorts before `v9`), and a guess that
/// turned over in mid-rollout would move every user.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sticky {
    /// The release at the lower end. The others follow in the order of their names.
    pub canary: ReleaseName,
    /// Another one for each rollout, so that it is not always the same users who come first.
    pub salt: String,
    /// What tells users apart.
    pub key: StickyKey,
}

/// What tells users apart.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StickyKey {
    /// A cookie of the proxy's own, set on the answer to whoever comes without it. No release may
    /// use a cookie of this name: the proxy would make it up and take it away again.
    Cookie {
        /// Its name.
        name: String,
    },
    /// A header that clients or a gateway send. Who comes without it gets an independent draw.
    Header {
        /// Its name, in lower case or not.
        name: String,
    },
}

impl Draw {
    /// Whether each request is a draw of its own.
    pub fn is_independent(&self) -> bool {
        *self == Self::Independent
    }

    /// The cookie that the proxy sets under this draw.
    pub fn cookie(&self) -> Option<&str> {
        match self {
            Self::Sticky(Sticky { key: StickyKey::Cookie { name }, .. }) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn broken_rule(&self, state: &State) -> Option<String> {
        let Self::Sticky(sticky) = self else { return None };
        if !(1..=MAX_SALT_BYTES).contains(&sticky.salt.len()) {
            let length = sticky.salt.len();
            return Some(format!("a salt of {length} bytes, not 1 to {MAX_SALT_BYTES}"));
        }
        if state.split.len() > 1 && !state.split.contains_key(&sticky.canary) {
            return Some(format!("the sticky canary {} is not in the split", sticky.canary));
        }
        match &sticky.key {
            StickyKey::Cookie { name } => broken_cookie(name),
            StickyKey::Header { name } => broken_header(name),
        }
    }
}

impl Sticky {
    /// Where on the line somebody is.
    pub(crate) fn place(&self, key: &[u8]) -> Place {
        // A hash of its own for each salt: the length keeps salt and key apart.
        let hash = Sha256::new()
            .chain_update((self.salt.len() as u64).to_be_bytes())
            .chain_update(&self.salt)
            .chain_update(key)
            .finalize();
        Place(hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// A place on the line of users, the same for the same salt and key on every machine, for ever.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place(pub(crate) u64);

impl Place {
    /// The place in hundredths of a percent: 0 to 9 999, in the order of the places.
    pub(crate) fn share(self) -> u64 {
        ((u128::from(self.0) * u128::from(Share::ALL.0)) >> 64) as u64
    }
}

impl StickyKey {
    /// What the request says about who sends it. Nothing is said by an empty value, either.
    pub(crate) fn of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        let value = match self {
            Self::Cookie { name } => cookie::find(headers, name),
            Self::Header { name } => headers.get(name).map(HeaderValue::as_bytes),
        };
        value.filter(|value| !value.is_empty())
    }
}

/// What is wrong with this as the name of a cookie.
pub(crate) fn broken_cookie(name: &str) -> Option<String> {
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len()) && cookie::is_token(name);
    (!fits).then(|| format!("{name:?} is no cookie name: a token of 1 to {MAX_NAME_BYTES} bytes"))
}

/// What is wrong with this as the name of a header.
pub(crate) fn broken_header(name: &str) -> Option<String> {
    let fits = name.len() <= MAX_NAME_BYTES && HeaderName::try_from(name).is_ok();
    (!fits).then(|| format!("{name:?} is no header name: a token of 1 to {MAX_NAME_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sticky(salt: &str) -> Sticky {
        let canary = ReleaseName::new("v2").unwrap();
        Sticky { canary, salt: salt.to_owned(), key: StickyKey::Header { name: "user".to_owned() } }
    }

    /// Of 10 000 users with consecutive names, the fewest and the most below the share, over 8
    /// salts. Names in a row are what a weak hash gets wrong.
    fn below(share: u64, user: fn(u32) -> String) -> (usize, usize) {
        let counts = (0..8).map(|salt| {
            let sticky = sticky(&format!("rollout {salt}"));
            let users = (1..=10_000).map(|number| sticky.place(user(number).as_bytes()));
            users.filter(|place| place.share() < share).count()
        });
        let counts: Vec<_> = counts.collect();
        (*counts.iter().min().unwrap(), *counts.iter().max().unwrap())
    }

    fn check(share: u64, user: fn(u32) -> String) {
        let (fewest, most) = below(share, user);
        let expected = f64::from(u32::try_from(share).unwrap());
        // Four standard deviations of a binomial count.
        let bound = 4.0 * (expected * (1.0 - expected / 10_000.0)).sqrt();
        for count in [fewest, most] {
            let off = (f64::from(u32::try_from(count).unwrap()) - expected).abs();
            assert!(off < bound, "{share}: {fewest}..{most}");
        }
    }

    #[test]
    fn shares_of_users_are_kept_for_names_in_a_row() {
        for share in [100, 1_000, 2_500, 5_000] {
            check(share, |number| number.to_string());
            check(share, |number| format!("user-{number:05}"));
            check(share, |number| format!("{number}@example.com"));
        }
    }

    #[test]
    fn another_salt_puts_users_elsewhere() {
        let (one, other) = (sticky("one"), sticky("other"));
        let key = |number: u32| number.to_string();
        let is_low = |sticky: &Sticky, number| sticky.place(key(number).as_bytes()).share() < 1_000;
        let both = (0..10_000).filter(|n| is_low(&one, *n) && is_low(&other, *n)).count();
        // A tenth of a tenth, with a standard deviation of 10.
        assert!(both.abs_diff(100) < 40, "{both}");
        assert_ne!(sticky("ab").place(b"c"), sticky("a").place(b"bc"));
    }

    /// The places are a promise: a user keeps theirs over releases of the proxy. The number is
    /// from another implementation of the same sentence.
    #[test]
    fn places_never_change() {
        assert_eq!(sticky("rollout-7").place(b"ada@example.com").share(), 6_113);
    }
}
