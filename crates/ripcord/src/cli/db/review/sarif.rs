//! The review as SARIF 2.1.0, which code scanning reads.

use crate::cli::db::review::place;
use ripcord_databases::review::{self, Finding, Level, Review, Silence, fingerprint};
use serde_json::{Value, json};

/// The review as a SARIF log.
pub(super) fn sarif(reviews: &[Review]) -> Value {
    let rules = review::rules();
    let results: Vec<Value> = reviews
        .iter()
        .flat_map(|review| review.findings.iter().map(|finding| result(review, finding)))
        .collect();
    let rules: Vec<Value> = rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.name,
                "shortDescription": { "text": rule.title },
                "defaultConfiguration": { "level": level(rule.level) },
                "properties": { "tags": [rule.topic] },
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "ripcord db review",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(review: &Review, finding: &Finding) -> Value {
    let instead = finding.instead.as_ref().map(|text| format!("\nInstead: {text}"));
    let text = format!("{}{}", finding.message, instead.unwrap_or_default());
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.level),
        "message": { "text": text },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&place(review, finding).to_string_lossy()) },
            "region": { "startLine": finding.line },
        }}],
        "partialFingerprints": { "ripcord/v1": fingerprint(finding) },
    });
    if let Some(silenced) = &finding.silenced {
        let suppression = match silenced {
            Silence::Annotation { reason } => {
                json!({ "kind": "inSource", "justification": reason })
            }
            Silence::Baseline => json!({ "kind": "external" }),
        };
        result["suppressions"] = json!([suppression]);
    }
    result
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

/// A path as a reference within a URI.
fn uri(path: &str) -> String {
    let mut shown = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            shown.push(char::from(byte));
        } else {
            let line = format!("%{byte:02X}");
            shown.push_str(&line);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris() {
        assert_eq!(uri("a b/ä#.sql"), "a%20b/%C3%A4%23.sql");
    }
}
