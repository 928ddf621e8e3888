//! What the flags server says of its clients: how many have heard of a document, and which flags
//! they ask for. It is asked on this machine only; that it is away is no error of anybody's.

use ripcord_core::model::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How long an answer may take.
const LONGEST: Duration = Duration::from_millis(500);

/// The largest answer.
const BYTES_MAX: u64 = 16 << 20;

/// What the server says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The document that it serves.
    pub(crate) digest: Option<String>,
    /// When it started.
    #[serde(default)]
    pub(crate) started_at_ms: u64,
    /// How many clients there were lately.
    #[serde(default)]
    pub(crate) clients_connected: usize,
    /// How many of them have fetched that document.
    #[serde(default)]
    pub(crate) clients_confirmed: usize,
    /// What was asked for, by flag.
    #[serde(default)]
    pub(crate) flags: BTreeMap<String, Asked>,
}

/// How often a flag was evaluated.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Since when it is counted; restarts do not change that.
    #[serde(default)]
    pub(crate) since_ms: u64,
    /// By the variant that was answered.
    #[serde(default)]
    pub(crate) variants: BTreeMap<String, Times>,
    /// Answers without a variant: the code decided, or an error was told.
    #[serde(default)]
    pub(crate) no_variant: Times,
    /// When it was last asked for by name.
    #[serde(default)]
    pub(crate) last_single_at_ms: Option<u64>,
}

/// How often one answer was given.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Times {
    /// To who asked for the flag.
    #[serde(default)]
    pub(crate) single: u64,
    /// To who asked for all flags.
    #[serde(default)]
    pub(crate) bulk: u64,
    /// When it was last given, to the minute.
    #[serde(default)]
    pub(crate) last_ms: Option<u64>,
}

/// Asks the server.
pub(crate) fn heard(server: SocketAddr) -> Result<Heard, String> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(LONGEST)).max_redirects(0).build().into();
    let answer = agent.get(format!("http://{server}/ripcord/v1/flags/status")).call();
    let mut answer = answer.map_err(|error| error.to_string())?;
    let body = answer.body_mut().with_config().limit(BYTES_MAX).reader();
    serde_json::from_reader(body).map_err(|error| error.to_string())
}

impl Heard {
    /// Whether every client has this document.
    pub(crate) fn all_have(&self, document: Option<&Digest>) -> bool {
        self.serves(document) && self.clients_confirmed >= self.clients_connected
    }

    /// How far the word has spread.
    pub(crate) fn in_words(&self, document: Option<&Digest>) -> String {
        if !self.serves(document) {
            return "the flags server does not serve it yet, so no client has heard of it"
                .to_owned();
        }
        let (some, all) = (self.clients_confirmed, self.clients_connected);
        format!("{some} of {all} clients have heard of it")
    }

    fn serves(&self, document: Option<&Digest>) -> bool {
        self.digest.as_deref().map(bare) == document.map(|digest| bare(digest.as_str()))
    }
}

/// A digest without the name of its kind.
fn bare(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_heard() {
        let document = Digest::of_bytes(b"flags");
        let check = |digest: &Digest, confirmed: usize, all: bool, words: &str| {
            let heard = Heard {
                digest: Some(digest.to_string()),
                clients_connected: 3,
                clients_confirmed: confirmed,
                ..Heard::default()
            };
            assert_eq!(heard.all_have(Some(&document)), all);
            assert!(heard.in_words(Some(&document)).starts_with(words));
        };
        check(&document, 3, true, "3 of 3 clients");
        check(&document, 2, false, "2 of 3 clients");
        check(&Digest::of_bytes(b"other"), 3, false, "the flags server does not serve it yet");
    }
}
