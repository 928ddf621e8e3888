//! Names of objects as `PostgreSQL` reads them: folded unless quoted, with a schema if written.

use serde::{Serialize, Serializer};
use squawk_lexer::{TokenKind, tokenize};
use std::fmt;

/// The name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Name {
    /// The schema (and database), if written.
    pub(crate) schema: Option<String>,
    /// The name itself, folded to lower case unless it was quoted.
    pub(crate) name: String,
}

impl Name {
    /// A name without a schema, as the catalogue has it.
    pub(crate) fn bare(name: impl Into<String>) -> Name {
        Name { schema: None, name: name.into() }
    }

    /// Reads a name as it stands in a script.
    pub(crate) fn read(text: &str) -> Name {
        let mut parts = Vec::new();
        let mut at = 0;
        for token in tokenize(text) {
            let Some(word) = text.get(at..at + token.len as usize) else { break };
            at += token.len as usize;
            match token.kind {
                TokenKind::Ident => parts.push(word.to_ascii_lowercase()),
                TokenKind::QuotedIdent { .. } => parts.push(unquoted(word)),
                TokenKind::Dot
                | TokenKind::Whitespace
                | TokenKind::LineComment
                | TokenKind::BlockComment { .. }
                | TokenKind::Star => {}
                _ => break,
            }
        }
        let name = parts.pop().unwrap_or_default();
        let schema = (!parts.is_empty()).then(|| parts.join("."));
        Name { schema, name }
    }

    /// The name with which to look the object up.
    pub(crate) fn key(&self) -> Name {
        Name { schema: self.place().map(str::to_owned), name: self.name.clone() }
    }

    fn place(&self) -> Option<&str> {
        self.schema.as_deref().filter(|schema| *schema != "public")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", shown(schema))?;
        }
        f.write_str(&shown(&self.name))
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

fn unquoted(word: &str) -> String {
    let inner = word.trim_start_matches(['u', 'U', '&']);
    let inner = inner.strip_prefix('"').unwrap_or(inner);
    inner.strip_suffix('"').unwrap_or(inner).replace("\"\"", "\"")
}

/// As SQL that names the same object: quoted where it must be.
fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || !c.is_ascii();
    let first = name.chars().next();
    if first.is_some_and(|c| !c.is_ascii_digit()) && name.chars().all(|c| plain(c) || c == '.') {
        name.to_owned()
    } else {
        crate::sql::quoted(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_the_server_does() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Name::read(text).to_string(), expected, "{text}");
        };
        check("Orders", "orders");
        check("Public . \"Orders\"", "public.\"Orders\"");
        check("\"a\"\"b\"", "\"a\"\"b\"");
        check("db.s.t", "db.s.t");
        check("größe", "größe");
        check("\"1a\"", "\"1a\"");
        check("a /* x */ . b *", "a.b");
        check("", "\"\"");
    }

    #[test]
    fn public_is_where_names_live() {
        assert_eq!(Name::read("public.a").key(), Name::read("A").key());
        assert_ne!(Name::read("x.a").key(), Name::read("a").key());
    }
}
