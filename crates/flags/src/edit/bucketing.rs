//! The generation of bucketing that a document pins. Another one re-assigns users, so it changes by
//! this alone, never with something else.

use crate::document::Document;
use crate::edit::splice::Splices;
use crate::error::FlagsError;
use crate::logic::Bucketing;
use crate::text::quote;

impl Document {
    /// The generation by which it is evaluated: the one that it names, or the usual one.
    pub fn bucketing(&self) -> Bucketing {
        let form = self.form();
        let named = form.metadata.iter().find(|member| &*member.key == "bucketing");
        let named = named.and_then(|member| member.value.as_str()).and_then(Bucketing::of);
        named.unwrap_or_default()
    }

    /// Pins a generation.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when the document cannot be changed.
    pub fn set_bucketing(&self, bucketing: Bucketing) -> Result<Document, FlagsError> {
        let root = &self.source.root;
        let mut splices = Splices::new(self.text());
        let name = quote(bucketing.as_str());
        match root.get("metadata") {
            Some(metadata) => splices.set(metadata, "bucketing", &name),
            None => splices.set(root, "metadata", &format!("{{\"bucketing\": {name}}}")),
        }
        Document::from_text(splices.apply())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_named_and_nothing_else_changes() {
        let check = |text: &str, before: Bucketing, expected: &str| {
            let document = Document::parse(text.as_bytes()).expect("a document");
            assert_eq!(document.bucketing(), before, "{text}");
            let other = if before == Bucketing::V2 { Bucketing::V3 } else { Bucketing::V2 };
            let changed = document.set_bucketing(other).expect("a document");
            assert_eq!((changed.bucketing(), changed.text()), (other, expected));
        };
        check(r#"{"flags":{}}"#, Bucketing::V3, r#"{"flags":{}, "metadata": {"bucketing": "v2"}}"#);
        check(
            r#"{"metadata":{"version":"7"},"flags":{}}"#,
            Bucketing::V3,
            r#"{"metadata":{"version":"7", "bucketing": "v2"},"flags":{}}"#,
        );
        check(
            r#"{"metadata":{"bucketing":"v2"},"flags":{}}"#,
            Bucketing::V2,
            r#"{"metadata":{"bucketing":"v3"},"flags":{}}"#,
        );
    }
}
