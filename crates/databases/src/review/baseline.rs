//! What was found before anybody asked: old migrations are applied and stay as they are, so a
//! file lists their findings once, and only new ones count.

use crate::review::report::{Finding, Silence};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The findings that do not count any more, each as often as it was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The version of this shape.
    pub version: u32,
    /// How often each finding was there, by its fingerprint.
    pub findings: BTreeMap<String, u32>,
}

/// The version of the shape.
const VERSION: u32 = 1;

impl Baseline {
    /// The baseline of these findings.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Baseline {
        let mut counted = BTreeMap::new();
        for finding in findings {
            *counted.entry(fingerprint(finding)).or_insert(0) += 1;
        }
        Baseline { version: VERSION, findings: counted }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn read(text: &str) -> Result<Baseline, String> {
        let baseline: Baseline = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if baseline.version == VERSION {
            Ok(baseline)
        } else {
            Err(format!("it has version {}, and {VERSION} is known", baseline.version))
        }
    }

    /// How many findings it lists.
    pub fn len(&self) -> usize {
        self.findings.values().map(|count| *count as usize).sum()
    }

    /// Whether it lists none.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn silence(&self, findings: &mut [Finding]) {
        let mut left = self.findings.clone();
        for finding in findings.iter_mut().filter(|finding| finding.silenced.is_none()) {
            if let Some(count) = left.get_mut(&fingerprint(finding)).filter(|count| **count > 0) {
                *count -= 1;
                finding.silenced = Some(Silence::Baseline);
            }
        }
    }
}

/// What identifies a finding although lines move: the rule, the file, and the statement.
pub fn fingerprint(finding: &Finding) -> String {
    let mut hasher = Sha256::new();
    for part in [finding.rule, &finding.file.to_string_lossy(), &finding.statement] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let mut shown = format!("{}:{}:", finding.rule, finding.file.display());
    for byte in &hasher.finalize()[..8] {
        shown.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or_default());
        shown.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or_default());
    }
    shown
}
