//! The answers that one flag can give, each serialised once, when it is first given.
//!
//! A flag has few answers: its variants times the reasons for them. They stand in a list that only
//! grows, so reading it takes no lock.

use crate::answer::{Failure, Problem};
use crate::counts::{Count, FlagCounts};
use bytes::Bytes;
use ripcord_flags::{Evaluation, Reason};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, OnceLock};

/// One answer of one flag.
pub(crate) struct Fragment {
    variant: Option<Box<str>>,
    reason: Reason,
    /// The JSON object of the answer.
    pub(crate) json: Bytes,
    /// A strong hash of it.
    pub(crate) hash: [u8; 16],
    pub(crate) count: Arc<Count>,
    next: OnceLock<Box<Fragment>>,
}

/// The answers given so far.
#[derive(Default)]
pub(crate) struct Fragments {
    first: OnceLock<Box<Fragment>>,
}

impl Fragments {
    /// The answer for an evaluation that succeeded.
    pub(crate) fn of(
        &self,
        key: &str,
        evaluation: &Evaluation<'_>,
        counts: &FlagCounts,
    ) -> &Fragment {
        let mut place = &self.first;
        loop {
            // Two that come here at once make the same, and one of them is kept.
            let fragment = place.get_or_init(|| Box::new(Fragment::new(key, evaluation, counts)));
            if fragment.reason == evaluation.reason
                && fragment.variant.as_deref() == evaluation.variant
            {
                return fragment;
            }
            place = &fragment.next;
        }
    }
}

impl Fragment {
    fn new(key: &str, evaluation: &Evaluation<'_>, counts: &FlagCounts) -> Fragment {
        let json = success(key, evaluation);
        Fragment {
            variant: evaluation.variant.map(Into::into),
            reason: evaluation.reason,
            hash: hash(json.as_bytes()),
            json: json.into(),
            count: counts.of(evaluation.variant),
            next: OnceLock::new(),
        }
    }
}

/// The object as it is sent. Old clients need a variant in every success.
fn success(key: &str, evaluation: &Evaluation<'_>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut json = format!("{{\"key\":{}", quoted(key));
    if let Some(value) = evaluation.value {
        json += ",\"value\":";
        json += value;
    }
    json += ",\"variant\":";
    json += &quoted(evaluation.variant.unwrap_or_default());
    json += ",\"reason\":\"";
    json += evaluation.reason.as_str();
    json += "\",\"metadata\":";
    json += evaluation.metadata;
    json.push('}');
    json
}

/// An element of a bulk answer that failed. It is rare, so it is made each time.
pub(crate) fn failed(key: &str, problem: Problem, details: &str) -> Vec<u8> {
    let failure =
        Failure { key: Some(key), error_code: Some(problem.as_str()), error_details: details };
    serde_json::to_vec(&failure).unwrap_or_default()
}

/// The first half of a SHA-256.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&Sha256::digest(bytes)[..16]);
    half
}
