//! What reading a set of flags needs, wherever it is from.

use super::moved::Split;
use serde_json::Value;

/// How deep flags and segments may depend on each other.
pub(super) const DEPTH_MAX: usize = 8;

/// What was read, or why the flag is refused.
pub(super) type Read<T> = Result<T, String>;

/// What is said about a flag while it is read.
#[derive(Default)]
pub(super) struct Notes {
    /// Why it is only approximate, each reason once.
    pub(super) because: Vec<String>,
    /// Its divisions by percentage.
    pub(super) splits: Vec<Split>,
}

impl Notes {
    pub(super) fn add(&mut self, because: &str) {
        if !self.because.iter().any(|known| known == because) {
            self.because.push(because.to_owned());
        }
    }
}

/// One more step into what depends on something else, unless it is too deep already.
pub(super) fn deeper(depth: usize) -> Read<usize> {
    if depth < DEPTH_MAX {
        return Ok(depth + 1);
    }
    Err(format!("flags or segments need each other more than {DEPTH_MAX} deep, or in a circle"))
}

/// A flag or the like, by the name of its group and its key.
pub(super) fn entry<'a>(export: &'a Value, group: &str, key: &str) -> Option<&'a Value> {
    export.get(group)?.get(key)
}

/// A list that may be missing.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
