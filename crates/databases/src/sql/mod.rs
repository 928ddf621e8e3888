//! SQL as text: tokens and statements. Pure, and without an opinion on what statements mean.

pub(crate) mod split;
pub(crate) mod token;

pub(crate) use split::{Piece, split};
pub(crate) use token::{Kind, Token, tokens};

/// A name as SQL that no parser can take for anything else.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
