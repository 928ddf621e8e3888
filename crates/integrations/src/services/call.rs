//! One request that changes a flag: sent by us, or shown to people as they can send it themselves.

use serde_json::Value;

/// A request that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) content_type: &'static str,
    pub(super) body: Value,
}

impl Call {
    /// It as a shell takes it. `with` is how it is authorised, from variables of whoever sends it.
    pub(super) fn by_hand(&self, with: &str) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let kind = quoted(&format!("Content-Type: {}", self.content_type));
        let (url, body) = (quoted(&self.url), quoted(&self.body.to_string()));
        format!("curl --fail-with-body -X {} {url} {with} -H {kind} -d {body}", self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn as_a_shell_takes_it() {
        let call = Call {
            method: "PATCH",
            url: "https://a.example/flags/a?reason=x%20y".into(),
            content_type: "application/json",
            body: json!({"comment": "it's off"}),
        };
        assert_eq!(
            call.by_hand(r#"-H "Authorization: $TOKEN""#),
            r#"curl --fail-with-body -X PATCH 'https://a.example/flags/a?reason=x%20y' -H "Authorization: $TOKEN" -H 'Content-Type: application/json' -d '{"comment":"it'\''s off"}'"#
        );
    }
}
