//! What flags are, by those who serve and use them: the flags server's own answers, and what the
//! shop, which asks it through an unmodified client, makes of them.

use crate::demo::stage::{Stage, bytes};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long an answer may take.
const LONGEST: Duration = Duration::from_secs(5);

/// The flags at one moment.
#[derive(Debug, PartialEq)]
pub(crate) struct FlagsSeen {
    /// What the server answers for each flag that any release of the demo has.
    served: BTreeMap<String, Value>,
    /// What the shop says that it uses.
    used: Value,
}

impl FlagsSeen {
    /// The flags now; nothing where the server or the shop does not answer.
    pub(crate) fn now(stage: &Stage) -> Option<FlagsSeen> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(LONGEST))
            .http_status_as_error(false)
            .build()
            .into();
        let read = |mut answer: ureq::http::Response<ureq::Body>| {
            answer.body_mut().read_json::<Value>().ok()
        };
        let mut served = BTreeMap::new();
        for key in keys(stage) {
            let url = format!("http://{}/ofrep/v1/evaluate/flags/{key}", stage.flags);
            let answer = agent.post(url).content_type("application/json").send("{}").ok()?;
            served.insert(key, read(answer)?);
        }
        let version = read(agent.get(format!("{}/version", stage.url())).call().ok()?)?;
        Some(FlagsSeen { served, used: version["flags"].clone() })
    }
}

/// The keys of the document in force, and one that only the bad release has.
fn keys(stage: &Stage) -> BTreeSet<String> {
    let document: Value = serde_json::from_slice(&bytes(&stage.served_flags())).unwrap_or_default();
    let keys = document["flags"].as_object().into_iter().flatten().map(|(key, _)| key.clone());
    keys.chain(["express-checkout".to_owned()]).collect()
}
