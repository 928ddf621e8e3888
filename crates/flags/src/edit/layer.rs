//! Turning flags off by force, over whatever the document says: how the flags of a release that is
//! taken back stop, and stay stopped until somebody lifts that. The document below is not changed.

use crate::document::Document;
use crate::edit::flag::fix;
use crate::edit::splice::Splices;
use crate::error::FlagsError;
use crate::text::quote;
use std::collections::BTreeMap;

/// The flags of a release that are off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffLayer {
    /// Whose flags these are.
    pub release: String,
    /// Their keys. Those that the document does not have are passed over.
    pub flags: Vec<String>,
    /// Why, for people. It is not served: browsers would show it to everybody.
    pub reason: String,
}

impl Document {
    /// The document with the flags of all layers off: their explicit off variant for everybody, no
    /// rules, and `killSwitch` and `releaseId` in what clients are told.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when a flag has no variant that is off.
    pub fn with_off(&self, layers: &[OffLayer]) -> Result<Document, FlagsError> {
        let mut releases: BTreeMap<&str, &str> = BTreeMap::new();
        for layer in layers {
            for key in &layer.flags {
                // The layer that was put on first is named; lifting it leaves the others.
                releases.entry(key).or_insert(&layer.release);
            }
        }
        if releases.is_empty() {
            return Ok(self.clone());
        }
        let mut splices = Splices::new(self.text());
        for flag in self.form().flags {
            let Some(release) = releases.get(flag.key) else { continue };
            let variant = flag.off_variant().map_err(|why| FlagsError::refused(flag.key, why))?;
            fix(&mut splices, &flag, variant);
            let metadata = flag.node.get("metadata").filter(|_| !flag.metadata.is_empty());
            if let Some(metadata) = metadata {
                splices.set(metadata, "killSwitch", "true");
                splices.set(metadata, "releaseId", &quote(release));
            } else {
                let said = format!("{{\"killSwitch\": true, \"releaseId\": {}}}", quote(release));
                splices.set(flag.node, "metadata", &said);
            }
        }
        Document::from_text(splices.apply())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, FlagSet};
    use serde_json::json;

    const TEXT: &str = r#"{"flags":{
        "a":{"state":"DISABLED","variants":{"on":true,"off":false},"targeting":{"if":[true,"on"]},"own":1.0},
        "b":{"state":"ENABLED","variants":{"new":"n","old":"o"},"defaultVariant":"new","metadata":{"offVariant":"old","killSwitch":false}},
        "c":{"state":"ENABLED","variants":{"yes":true,"no":false},"metadata":{}},
        "d":{"state":"ENABLED","variants":{"x":1,"y":2}}}}"#;

    fn layer(release: &str, flags: &[&str]) -> OffLayer {
        let flags = flags.iter().map(|key| (*key).to_owned()).collect();
        OffLayer { release: release.into(), flags, reason: "errors".into() }
    }

    #[test]
    fn flags_are_off_for_everybody() {
        let document = Document::parse(TEXT.as_bytes()).expect("a good document");
        let layers = [layer("v42", &["a", "b", "c", "unknown"]), layer("v43", &["a"])];
        let off = document.with_off(&layers).expect("all have a variant that is off");
        let set = FlagSet::parse(off.text()).expect("a good document");
        let user = json!({"targetingKey": "u"});
        let context = Context::new(&user, 0).expect("a good context");
        let check = |key: &str, value: &str, metadata: &str| {
            let found = set.evaluate(key, &context);
            assert_eq!((found.value, found.metadata), (Some(value), metadata), "{key}");
        };
        check("a", "false", r#"{"killSwitch":true,"releaseId":"v42"}"#);
        check("b", "\"o\"", r#"{"offVariant":"old","killSwitch":true,"releaseId":"v42"}"#);
        check("c", "false", r#"{"killSwitch":true,"releaseId":"v42"}"#);
        assert_eq!(off.flag_text("d"), document.flag_text("d"));
        assert!(off.text().contains("\"own\":1.0"));
        assert!(!off.text().contains("errors"));
    }

    #[test]
    fn without_a_variant_that_is_off_it_is_refused() {
        let document = Document::parse(TEXT.as_bytes()).expect("a good document");
        let refused = document.with_off(&[layer("v42", &["d"])]).expect_err("no such variant");
        assert!(refused.to_string().contains("flag `d` has no variant that is off"), "{refused}");
        assert_eq!(document.with_off(&[]), Ok(document.clone()));
        assert_eq!(document.with_off(&[layer("v42", &["x"])]).map(|d| d == document), Ok(true));
    }
}
