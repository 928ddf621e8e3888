//! One piece of a script, read: what it does and where, within bounds.

use crate::statement::kind::Statement;
use crate::statement::lower::lower;
use crate::statement::note::Note;
use crate::statement::piece::{Piece, PieceKind};
use squawk_lexer::{TokenKind, tokenize};
use squawk_syntax::{SourceFile, SyntaxKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Statements with more words than this are read from their beginning only.
const WORDS_MAX: usize = 20_000;

/// How much of such a statement is read.
const BEGINNING_WORDS: usize = 400;

/// The deepest nesting of parentheses and brackets.
const DEPTH_MAX: usize = 400;

/// The stack that a thread needs which parses: grammars recurse.
pub(crate) const STACK_BYTES: usize = 64 << 20;

/// A statement of a script, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The line it begins on, from 1.
    pub(crate) line: u32,
    /// Its text, without its semicolon.
    pub(crate) text: String,
    /// What it does, in order.
    pub(crate) does: Vec<Statement>,
    /// What its author told Ripcord, with the lines.
    pub(crate) notes: Vec<(u32, Note)>,
    /// Whether it was too long to be read whole.
    pub(crate) shortened: bool,
}

impl Parsed {
    /// What stands for a script that could not be read for want of resources.
    pub(crate) fn unread(text: &str) -> Parsed {
        let does = vec![unreadable("there was no memory left to read it".into())];
        let text = text.chars().take(100).collect();
        Parsed { line: 1, text, does, notes: Vec::new(), shortened: false }
    }
}

/// Reads one piece. Needs a stack of [`STACK_BYTES`].
pub(crate) fn parse(piece: &Piece<'_>) -> Parsed {
    let (does, shortened) = match piece.kind {
        PieceKind::MetaCommand => {
            (vec![Statement::MetaCommand { text: piece.text.to_owned() }], false)
        }
        PieceKind::CopyRows => (vec![Statement::CopyRows], false),
        PieceKind::Comments => (Vec::new(), false),
        PieceKind::Unfinished(what) => (vec![unreadable(format!("{what} is never closed"))], false),
        PieceKind::Sql => sql(piece.text),
    };
    let text = piece.text.to_owned();
    Parsed { line: piece.line, text, does, notes: piece.notes.clone(), shortened }
}

fn sql(text: &str) -> (Vec<Statement>, bool) {
    let size = measure(text);
    if size.depth > DEPTH_MAX {
        let why = format!("parentheses are nested deeper than {DEPTH_MAX} times");
        return (vec![unreadable(why)], false);
    }
    if size.words > WORDS_MAX {
        return (beginning(&text[..size.beginning]), true);
    }
    // A mistake of the parser costs one statement, not the review.
    let read = catch_unwind(AssertUnwindSafe(|| whole(text)));
    (read.unwrap_or_else(|_| vec![unreadable("the parser stumbled over it".into())]), false)
}

fn whole(text: &str) -> Vec<Statement> {
    let parse = SourceFile::parse(text);
    let root = parse.syntax_node();
    let mut statements = root.children().filter(|node| node.kind() != SyntaxKind::EMPTY_STMT);
    if let Some(error) = parse.errors().first() {
        let before = text.get(..usize::from(error.range().start())).unwrap_or(text);
        let row = before.matches('\n').count();
        let at = if row == 0 { String::new() } else { format!(", {row} lines further down") };
        return vec![unreadable(format!("{}{at}", error.message()))];
    }
    match (statements.next(), statements.next()) {
        (Some(one), None) => lower(&one),
        _ => vec![unreadable("it is not one statement".into())],
    }
}

/// A statement too long to be read whole: inserting rows is what such statements do.
fn beginning(text: &str) -> Vec<Statement> {
    let root = SourceFile::parse(text).syntax_node();
    let first = root.children().next();
    match first.map(|node| lower(&node)) {
        Some(does) if matches!(does.as_slice(), [Statement::Insert { .. }, ..]) => {
            does.into_iter().take(1).collect()
        }
        _ => {
            vec![Statement::Opaque { what: format!("a statement of more than {WORDS_MAX} words") }]
        }
    }
}

fn unreadable(why: String) -> Statement {
    Statement::Unreadable { why }
}

struct Size {
    words: usize,
    depth: usize,
    /// Where the beginning ends, in bytes.
    beginning: usize,
}

fn measure(text: &str) -> Size {
    let mut size = Size { words: 0, depth: 0, beginning: text.len() };
    let (mut at, mut depth) = (0_usize, 0_usize);
    for token in tokenize(text) {
        match token.kind {
            TokenKind::Eof => break,
            TokenKind::Whitespace => {
                at += token.len as usize;
                continue;
            }
            TokenKind::OpenParen | TokenKind::OpenBracket => depth += 1,
            TokenKind::CloseParen | TokenKind::CloseBracket => depth = depth.saturating_sub(1),
            // These nest without parentheses.
            TokenKind::Ident if text[at..].len() >= 4 => {
                let word = &text[at..at + token.len as usize];
                depth += usize::from(word.eq_ignore_ascii_case("case"));
                depth = depth.saturating_sub(usize::from(word.eq_ignore_ascii_case("end")));
            }
            _ => {}
        }
        size.depth = size.depth.max(depth);
        size.words += 1;
        at += token.len as usize;
        if size.words == BEGINNING_WORDS {
            size.beginning = at;
        }
    }
    size
}

#[cfg(test)]
mod tests;
