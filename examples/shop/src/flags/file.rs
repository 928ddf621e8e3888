//! Feature flags from a file in the flagd format, re-read when it changes.
//!
//! Static evaluation only: an enabled flag has the value of its default variant, any other is off.
//! A file that is gone or broken leaves the last known values standing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::FlagValues;
use crate::ShopError;
use crate::faults::lock;

const CHECK_EVERY: Duration = Duration::from_millis(100);

/// A flag file that is watched by looking at it when somebody asks.
pub(crate) struct FlagFile {
    path: Option<PathBuf>,
    seen: Mutex<Seen>,
}

struct Seen {
    checked_at: Instant,
    stamp: Option<Stamp>,
    values: FlagValues,
}

/// What changes when a file is written or replaced: a rename can keep time and length.
#[derive(PartialEq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
    inode: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    flags: BTreeMap<String, Flag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flag {
    state: State,
    variants: BTreeMap<String, Value>,
    #[serde(default)]
    default_variant: Option<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Enabled,
    Disabled,
}

impl FlagFile {
    /// Reads the file once; a file that does not exist yet means that every flag is off.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, ShopError> {
        let mut seen = Seen { checked_at: Instant::now(), stamp: None, values: FlagValues::new() };
        if let Some(path) = path.as_deref().filter(|path| path.exists()) {
            seen.stamp = stamp(path);
            seen.values = read(path)?;
        }
        Ok(Self { path, seen: Mutex::new(seen) })
    }

    /// All values, at most 100 ms old.
    pub(super) fn values(&self) -> FlagValues {
        let mut seen = lock(&self.seen);
        if seen.checked_at.elapsed() >= CHECK_EVERY {
            seen.checked_at = Instant::now();
            self.refresh(&mut seen);
        }
        seen.values.clone()
    }

    fn refresh(&self, seen: &mut Seen) {
        let Some(path) = &self.path else { return };
        let Some(stamp) = stamp(path) else { return };
        if seen.stamp.as_ref() == Some(&stamp) {
            return;
        }
        // The stamp is kept only with good values: a half-written file is looked at again.
        if let Ok(values) = read(path) {
            seen.values = values;
            seen.stamp = Some(stamp);
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    let modified = metadata.modified().ok()?;
    Some(Stamp { modified, length: metadata.len(), inode: metadata.ino() })
}

fn read(path: &Path) -> Result<FlagValues, ShopError> {
    let text = fs::read_to_string(path).map_err(|source| ShopError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    evaluate(&text).map_err(|source| ShopError::Json {
        what: "flag file",
        path: path.to_owned(),
        source,
    })
}

fn evaluate(text: &str) -> serde_json::Result<FlagValues> {
    let document: Document = serde_json::from_str(text)?;
    let enabled = document.flags.into_iter().filter(|(_, flag)| flag.state == State::Enabled);
    Ok(enabled
        .filter_map(|(key, mut flag)| Some((key, flag.variants.remove(&flag.default_variant?)?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flag: &str, expected: Option<bool>) {
        let text = format!(r#"{{"$schema": "x", "flags": {{"reviews": {flag}}}}}"#);
        let mut values = evaluate(&text).expect("valid flag file");
        assert_eq!(values.remove("reviews"), expected.map(Value::Bool), "{flag}");
    }

    #[test]
    fn the_default_variant_of_an_enabled_flag_counts() {
        let on = r#"{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}"#;
        check(on, Some(true));
        check(&on.replace(r#"t":"on""#, r#"t":"off""#), Some(false));
        check(&on.replace("ENABLED", "DISABLED"), None);
        check(&on.replace(r#"t":"on""#, r#"t":"unknown""#), None);
        check(r#"{"state":"ENABLED","variants":{"on":true},"defaultVariant":null}"#, None);
    }
}
