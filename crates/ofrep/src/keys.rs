//! The keys of clients: kept as SHA-256, compared without telling by time how much was right.
//!
//! A file with one key per line: `NAME sha256:HEX`, and `revoked` behind it for one that must not
//! come in again. Lines that begin with `#` say what people want to remember.

use crate::error::OfrepError;
use crate::saved::random;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::Path;

/// The most keys of one file.
const KEYS_MAX: usize = 1_000;

/// The keys that may ask.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Keys {
    entries: Vec<Entry>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    digest: [u8; 32],
    revoked: bool,
}

/// Whether a key may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It may; the number stands for the key.
    Known(u64),
    /// It might once.
    Revoked,
    /// It is no key.
    Unknown,
}

/// A key that was just made. The secret is shown once and kept nowhere.
#[derive(Debug)]
pub struct NewKey {
    /// What the client sends.
    pub secret: String,
    /// What the file keeps.
    pub line: String,
}

impl NewKey {
    /// Makes a key and appends it to the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written, or has a key of this name.
    pub fn append(path: &Path, name: &str) -> Result<NewKey, OfrepError> {
        let failed = |why: String| OfrepError::Keys { path: path.to_owned(), why };
        let is_word = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        if !is_word(name) {
            return Err(failed(format!("`{name}` is no name; use letters, digits, - _ .")));
        }
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(error.to_string()));
            }
            found => found.unwrap_or_default(),
        };
        let keys = Keys::parse(&text).map_err(failed)?;
        if keys.entries.iter().any(|entry| entry.name == name) {
            return Err(failed(format!("it has a key `{name}` already")));
        }
        let secret = format!("rck_{}", hex(&random()?));
        let line = format!("{name} sha256:{}", hex(&Sha256::digest(secret.as_bytes())));
        let begin = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let mut file = File::options().create(true).append(true).open(path)?;
        file.write_all(format!("{begin}{line}\n").as_bytes())?;
        file.sync_all()?;
        Ok(NewKey { secret, line })
    }
}

impl Keys {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or a line is not a key; none of it is used then.
    pub fn read(path: &Path) -> Result<Keys, OfrepError> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string());
        text.and_then(|text| Keys::parse(&text))
            .map_err(|why| OfrepError::Keys { path: path.to_owned(), why })
    }

    fn parse(text: &str) -> Result<Keys, String> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, digest, revoked) = match words.as_slice() {
                [] => continue,
                [first, ..] if first.starts_with('#') => continue,
                [name, digest] => (name, digest, false),
                [name, digest, "revoked"] => (name, digest, true),
                _ => return Err(format!("line {} is not `NAME sha256:HEX`", index + 1)),
            };
            let digest = digest.strip_prefix("sha256:").and_then(unhex);
            let digest = digest
                .ok_or_else(|| format!("line {} has no `sha256:` and 64 hex digits", index + 1))?;
            entries.push(Entry { name: (*name).to_owned(), digest, revoked });
        }
        if entries.len() > KEYS_MAX {
            return Err(format!("it has {} keys, the most is {KEYS_MAX}", entries.len()));
        }
        Ok(Keys { entries })
    }

    /// Who this is. Every entry is compared to its end, whatever was found before.
    pub(crate) fn find(&self, secret: &[u8]) -> Found {
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let mut found = Found::Unknown;
        for entry in &self.entries {
            let differs = entry.digest.iter().zip(digest).fold(0, |sum, (a, b)| sum | (a ^ b));
            if black_box(differs) == 0 {
                let number = entry.number();
                found = if entry.revoked { Found::Revoked } else { Found::Known(number) };
            }
        }
        found
    }

    /// Whether the key that this number stands for may still ask.
    pub(crate) fn admits(&self, number: u64) -> bool {
        self.entries.iter().any(|entry| !entry.revoked && entry.number() == number)
    }
}

impl Entry {
    /// Short for the key, and no secret.
    fn number(&self) -> u64 {
        self.digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

/// Bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_comes_in_and_a_revoked_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let web = NewKey::append(&path, "web").unwrap();
        let app = NewKey::append(&path, "app").unwrap();
        assert!(NewKey::append(&path, "web").is_err());
        assert!(NewKey::append(&path, "a b").is_err());
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&web.secret) && text.contains(&web.line));
        let keys = Keys::read(&path).unwrap();
        let Found::Known(number) = keys.find(web.secret.as_bytes()) else { panic!("not known") };
        assert!(keys.admits(number) && !keys.admits(number ^ 1));
        assert_eq!(keys.find(b""), Found::Unknown);
        assert_eq!(keys.find(&web.secret.as_bytes()[1..]), Found::Unknown);
        fs::write(&path, text.replace(&web.line, &format!("{} revoked", web.line))).unwrap();
        let keys = Keys::read(&path).unwrap();
        assert_eq!(keys.find(web.secret.as_bytes()), Found::Revoked);
        assert!(!keys.admits(number));
        assert!(matches!(keys.find(app.secret.as_bytes()), Found::Known(_)));
    }

    #[test]
    fn what_is_no_key_is_refused_whole() {
        let digest = "a".repeat(64);
        let check = |text: &str, expected: Result<usize, &str>| match (Keys::parse(text), expected)
        {
            (Ok(keys), Ok(count)) => assert_eq!(keys.entries.len(), count),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        };
        check("", Ok(0));
        check(&format!("# why\n\na sha256:{digest}\n"), Ok(1));
        check("a", Err("line 1"));
        check(&format!("a {digest}"), Err("sha256:"));
        check(&format!("a sha256:{}", &digest[1..]), Err("64 hex"));
        check(&format!("a sha256:{digest} revokd"), Err("line 1"));
        check(&format!("a sha256:+{}", &digest[1..]), Err("64 hex"));
    }
}
