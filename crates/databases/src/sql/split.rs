//! A script as its statements, with their lines and their authors' annotations.

use crate::error::MigrationError;
use crate::sql::token::{Kind, Token, tokens};

/// One statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The line it begins on, from 1.
    pub(crate) line: u32,
    /// The statement without its semicolon.
    pub(crate) text: String,
    /// Why its author wants what it removes to be destroyed, if so.
    pub(crate) destroy: Option<String>,
}

/// Splits a script at the semicolons that end statements.
///
/// A trigger's body holds semicolons of its own: as in `sqlite3_complete`, it ends at the first
/// `; END ;`, which nothing inside an SQL statement can spell.
pub(crate) fn split(file: &str, script: &str) -> Result<Vec<Piece>, MigrationError> {
    let wrong = |line, why: String| MigrationError::Script { file: file.to_owned(), line, why };
    let mut pieces = Vec::new();
    let mut begun: Vec<Token<'_>> = Vec::new();
    let mut destroy = None;
    for token in tokens(script) {
        match token.kind {
            Kind::Unfinished => {
                let shown: String = token.text.chars().take(20).collect();
                return Err(wrong(token.line, format!("«{shown}» is never closed")));
            }
            Kind::Comment if begun.is_empty() => {
                if let Some(order) = annotation(token.text) {
                    destroy = Some(reason(order).map_err(|why| wrong(token.line, why))?);
                }
            }
            Kind::Comment => {}
            _ if token.is(";") && !inside_trigger(&begun) => {
                pieces.extend(piece(script, &begun, token.offset, destroy.take()));
                begun.clear();
            }
            _ => begun.push(token),
        }
    }
    pieces.extend(piece(script, &begun, script.len(), destroy));
    Ok(pieces)
}

fn piece(script: &str, begun: &[Token<'_>], end: usize, destroy: Option<String>) -> Option<Piece> {
    let first = begun.first()?;
    let text = script[first.offset..end].trim_end().to_owned();
    Some(Piece { line: first.line, text, destroy })
}

fn inside_trigger(begun: &[Token<'_>]) -> bool {
    let head: Vec<&Token<'_>> = begun.iter().take(3).collect();
    let is_trigger = match head.as_slice() {
        [create, second, ..] if create.is("create") && second.is("trigger") => true,
        [create, temp, third] if create.is("create") && third.is("trigger") => {
            temp.is("temp") || temp.is("temporary")
        }
        _ => false,
    };
    let ended = matches!(begun, [.., semicolon, end] if semicolon.is(";") && end.is("end"));
    is_trigger && !ended
}

/// What follows `-- ripcord:` in a line comment.
fn annotation(comment: &str) -> Option<&str> {
    comment.strip_prefix("--")?.trim_start().strip_prefix("ripcord:").map(str::trim)
}

fn reason(order: &str) -> Result<String, String> {
    let (word, reason) = order.split_once(char::is_whitespace).unwrap_or((order, ""));
    match (word, reason.trim()) {
        ("destroy", "") => Err("«destroy» needs a reason: -- ripcord: destroy <reason>".into()),
        ("destroy", reason) => Ok(reason.to_owned()),
        _ => Err(format!("«{order}» is no annotation; known is: destroy <reason>")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, expected: &[(u32, &str)]) {
        let pieces = split("f", script).unwrap();
        let found: Vec<(u32, &str)> = pieces.iter().map(|p| (p.line, p.text.as_str())).collect();
        assert_eq!(found, expected, "{script}");
    }

    #[test]
    fn splits_at_ends_only() {
        check("a; b ;\n\nc", &[(1, "a"), (1, "b"), (3, "c")]);
        check("a ';' \";\" [;] -- ;\n b; /* ; */", &[(1, "a ';' \";\" [;] -- ;\n b")]);
        check(";;", &[]);
        check(
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END;\nb",
            &[
                (
                    1,
                    "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END",
                ),
                (2, "b"),
            ],
        );
        check(
            "create temp trigger t delete on a begin x; end; b",
            &[(1, "create temp trigger t delete on a begin x; end"), (1, "b")],
        );
    }

    #[test]
    fn reads_annotations() {
        let pieces = split("f", "a;\n-- ripcord: destroy legal duty\n-- more\nb; c").unwrap();
        let found: Vec<Option<&str>> = pieces.iter().map(|p| p.destroy.as_deref()).collect();
        assert_eq!(found, [None, Some("legal duty"), None]);
        let check = |script: &str, expected: &str| {
            assert_eq!(split("f", script).unwrap_err().to_string(), expected);
        };
        check(
            "a;\n-- ripcord: destroy\nb",
            "f:2: «destroy» needs a reason: -- ripcord: destroy <reason>",
        );
        check(
            "-- ripcord: burn it\nb",
            "f:1: «burn it» is no annotation; known is: destroy <reason>",
        );
        check("a;\n 'b", "f:2: «'b» is never closed");
    }
}
