//! The tokens in the addresses of change streams. A browser cannot send a header there, so the
//! address itself has to say who asks; it is short-lived and never logged.
//!
//! A token is the same for one client during one period, and good for that and the next. The
//! address stands in bulk answers and so in their `ETag`: whoever is told that nothing changed holds
//! an address that is good for a whole period more.

use crate::keys::hex;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// Makes and reads tokens.
pub(crate) struct Signer {
    secret: [u8; 32],
    period_s: u64,
}

/// Whom a token was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// Stands for the client.
    pub(crate) client: u64,
    /// Stands for the client's key; 0 without.
    pub(crate) key: u64,
}

impl Signer {
    pub(crate) fn new(secret: [u8; 32], period: Duration) -> Signer {
        Signer { secret, period_s: period.as_secs().max(1) }
    }

    pub(crate) fn token(&self, bearer: Bearer, now_s: u64) -> String {
        let said = said(bearer, now_s / self.period_s);
        let seal = self.seal(said.as_bytes());
        said + &seal
    }

    /// Whom the token was given to, if it was given by us and not too long ago.
    pub(crate) fn read(&self, token: &str, now_s: u64) -> Option<Bearer> {
        let (said, seal) = token.split_at_checked(48)?;
        let expected = self.seal(said.as_bytes());
        let differs = seal.bytes().zip(expected.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        if seal.len() != expected.len() || std::hint::black_box(differs) != 0 {
            return None;
        }
        let number = |at: usize| u64::from_str_radix(said.get(at..at + 16)?, 16).ok();
        let (client, key, period) = (number(0)?, number(16)?, number(32)?);
        let now = now_s / self.period_s;
        (period == now || period + 1 == now).then_some(Bearer { client, key })
    }

    fn seal(&self, said: &[u8]) -> String {
        hex(&hmac(&self.secret, said)[..16])
    }
}

fn said(bearer: Bearer, period: u64) -> String {
    format!("{:016x}{:016x}{period:016x}", bearer.client, bearer.key)
}

/// HMAC-SHA256 (RFC 2104) with a key of at most one block.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_the_common_one() {
        // RFC 4231, test cases 1 and 2.
        let check = |key: &[u8], message: &[u8], expected: &str| {
            assert_eq!(hex(&hmac(key, message)), expected);
        };
        check(
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
    }

    #[test]
    fn a_token_is_good_for_its_period_and_the_next() {
        let signer = Signer::new([7; 32], Duration::from_secs(100));
        let bearer = Bearer { client: u64::MAX, key: 3 };
        let token = signer.token(bearer, 150);
        assert_eq!(signer.token(bearer, 199), token, "one period, one address");
        assert_ne!(signer.token(bearer, 200), token);
        for (now, expected) in [(99, None), (100, Some(bearer)), (299, Some(bearer)), (300, None)] {
            assert_eq!(signer.read(&token, now), expected, "at {now}");
        }
    }

    #[test]
    fn a_changed_token_is_no_token() {
        let signer = Signer::new([7; 32], Duration::from_secs(100));
        let token = signer.token(Bearer { client: 1, key: 2 }, 0);
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(signer.read(&changed, 0), None, "place {place}");
            assert_eq!(signer.read(&token[..place], 0), None, "cut at {place}");
        }
        assert_eq!(signer.read(&format!("{token}0"), 0), None);
        assert_eq!(Signer::new([8; 32], Duration::from_secs(100)).read(&token, 0), None);
        assert_eq!(signer.read(&"é".repeat(40), 0), None);
    }
}
