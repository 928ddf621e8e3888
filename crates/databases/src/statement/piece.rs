//! A script cut into statements, as `psql` would cut it. Never fails: what is never closed, and
//! what only `psql` understands, is a piece that says so.

use crate::statement::note::Note;
use squawk_lexer::{LiteralKind, Token, TokenKind, tokenize};

/// One statement of a script, or what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// The line it begins on, from 1.
    pub(crate) line: u32,
    /// The text, without comments before it and without its semicolon.
    pub(crate) text: &'a str,
    /// What sort of piece.
    pub(crate) kind: PieceKind,
    /// What comments before it or inside it tell Ripcord.
    pub(crate) notes: Vec<(u32, Note)>,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceKind {
    /// A statement for the server.
    Sql,
    /// A command of `psql`, such as `\i`.
    MetaCommand,
    /// The rows after `COPY … FROM stdin`.
    CopyRows,
    /// It begins a quote or comment that never ends.
    Unfinished(&'static str),
    /// Nothing but comments, at the end of the script.
    Comments,
}

/// Cuts a script.
pub(crate) fn split(script: &str) -> Vec<Piece<'_>> {
    let mut cutter = Cutter::new(script);
    while cutter.at < script.len() {
        // Rows and commands are not SQL, so the lexer begins anew after them.
        let from = cutter.at;
        for token in tokenize(&script[from..]) {
            if matches!(token.kind, TokenKind::Eof) || !cutter.take(token) {
                break;
            }
        }
        if cutter.at == from {
            break;
        }
    }
    cutter.end(script.len());
    if !cutter.notes.is_empty() {
        let (line, notes) = (cutter.line, std::mem::take(&mut cutter.notes));
        cutter.pieces.push(Piece { line, text: "", kind: PieceKind::Comments, notes });
    }
    cutter.pieces
}

struct Cutter<'a> {
    script: &'a str,
    at: usize,
    line: u32,
    /// Where the statement began, and its line.
    begun: Option<(usize, u32)>,
    /// Its first words, lower case.
    head: Vec<String>,
    parens: usize,
    /// How many BEGIN ATOMIC and CASE are open in the body of a routine.
    blocks: usize,
    last_word: String,
    unfinished: Option<&'static str>,
    notes: Vec<(u32, Note)>,
    pieces: Vec<Piece<'a>>,
}

/// How many first words say what a statement is.
const HEAD_WORDS: usize = 6;

impl<'a> Cutter<'a> {
    fn new(script: &'a str) -> Cutter<'a> {
        let at = if script.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Cutter {
            script,
            at,
            line: 1,
            begun: None,
            head: Vec::new(),
            parens: 0,
            blocks: 0,
            last_word: String::new(),
            unfinished: None,
            notes: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// Takes one token. False when the lexer must begin anew.
    fn take(&mut self, token: Token) -> bool {
        let start = self.at;
        let text = self.script.get(start..start + token.len as usize).unwrap_or_default();
        match token.kind {
            TokenKind::Whitespace | TokenKind::BlockComment { terminated: true } => {}
            TokenKind::LineComment => {
                if let Some(note) = Note::read(text.trim_end()) {
                    self.notes.push((self.line, note));
                }
            }
            TokenKind::Semi if self.parens == 0 && self.blocks == 0 => {
                let copy = self.is_copy_from_stdin(start);
                self.end(start);
                self.at = start + 1;
                if copy {
                    self.rows();
                }
                return !copy;
            }
            _ if text.starts_with('\\') => {
                self.end(start);
                self.command();
                return false;
            }
            kind => {
                self.begun.get_or_insert((start, self.line));
                self.word(kind, text);
            }
        }
        self.step(text);
        true
    }

    fn step(&mut self, text: &str) {
        self.at += text.len();
        let lines = text.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
    }

    /// Keeps count of what may hold semicolons inside a statement.
    fn word(&mut self, kind: TokenKind, text: &str) {
        match kind {
            TokenKind::OpenParen => self.parens += 1,
            TokenKind::CloseParen => self.parens = self.parens.saturating_sub(1),
            TokenKind::Ident => {
                let word = text.to_ascii_lowercase();
                if self.blocks > 0 || self.is_routine() {
                    match word.as_str() {
                        "atomic" if self.last_word == "begin" => self.blocks += 1,
                        "case" if self.blocks > 0 => self.blocks += 1,
                        "end" => self.blocks = self.blocks.saturating_sub(1),
                        _ => {}
                    }
                }
                if self.head.len() < HEAD_WORDS {
                    self.head.push(word.clone());
                }
                self.last_word = word;
            }
            _ => {
                if let Some(what) = unfinished(kind) {
                    self.unfinished = Some(what);
                }
            }
        }
    }

    fn is_routine(&self) -> bool {
        let head = self.head.iter().map(String::as_str);
        let mut rest = head.skip_while(|word| ["create", "or", "replace"].contains(word));
        self.head.first().is_some_and(|word| word == "create")
            && rest.next().is_some_and(|word| word == "function" || word == "procedure")
    }

    fn is_copy_from_stdin(&self, end: usize) -> bool {
        let Some((start, _)) = self.begun else { return false };
        if self.head.first().is_none_or(|word| word != "copy") {
            return false;
        }
        let text = self.script[start..end].to_ascii_lowercase();
        text.split_whitespace().collect::<Vec<_>>().windows(2).any(|pair| {
            pair[0] == "from" && pair[1].trim_end_matches(|c: char| !c.is_alphanumeric()) == "stdin"
        })
    }

    fn end(&mut self, end: usize) {
        if let Some((start, line)) = self.begun.take() {
            let kind = self.unfinished.take().map_or(PieceKind::Sql, PieceKind::Unfinished);
            let text = self.script[start..end].trim_end();
            self.pieces.push(Piece { line, text, kind, notes: std::mem::take(&mut self.notes) });
        }
        self.head.clear();
        self.last_word.clear();
        (self.parens, self.blocks) = (0, 0);
    }

    /// The rest of the line is for `psql`.
    fn command(&mut self) {
        let rest = &self.script[self.at..];
        let text = rest.split_inclusive('\n').next().unwrap_or(rest);
        let notes = std::mem::take(&mut self.notes);
        let kind = PieceKind::MetaCommand;
        self.pieces.push(Piece { line: self.line, text: text.trim_end(), kind, notes });
        self.step(text);
    }

    /// Rows follow from the next line up to `\.` alone on a line.
    fn rows(&mut self) {
        let rest = &self.script[self.at..];
        let mut length = rest.split_inclusive('\n').next().map_or(0, str::len);
        self.step(&rest[..length]);
        let (line, start) = (self.line, length);
        let mut end = start;
        for row in rest[start..].split_inclusive('\n') {
            length += row.len();
            if row.trim_end() == "\\." {
                break;
            }
            end = length;
        }
        let notes = Vec::new();
        let rows = &rest[start..end];
        let rows = rows.strip_suffix('\n').unwrap_or(rows);
        self.pieces.push(Piece { line, text: rows, kind: PieceKind::CopyRows, notes });
        self.step(&rest[start..length]);
    }
}

fn unfinished(kind: TokenKind) -> Option<&'static str> {
    match kind {
        TokenKind::BlockComment { terminated: false } => Some("a comment"),
        TokenKind::QuotedIdent { terminated: false, .. } => Some("a quoted name"),
        TokenKind::Literal { kind: LiteralKind::DollarQuotedString { terminated: false } } => {
            Some("a dollar quote")
        }
        TokenKind::Literal {
            kind:
                LiteralKind::Str { terminated: false }
                | LiteralKind::NationalStr { terminated: false }
                | LiteralKind::ByteStr { terminated: false }
                | LiteralKind::BitStr { terminated: false }
                | LiteralKind::UnicodeEscStr { terminated: false }
                | LiteralKind::EscStr { terminated: false },
        } => Some("a quoted text"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, expected: &[(u32, &str, PieceKind)]) {
        let pieces = split(script);
        let found: Vec<_> = pieces.iter().map(|p| (p.line, p.text, p.kind)).collect();
        assert_eq!(found, expected, "{script}");
    }

    #[test]
    fn cuts_where_statements_end() {
        use PieceKind::Sql;
        check("a; b ;\n\nc", &[(1, "a", Sql), (1, "b", Sql), (3, "c", Sql)]);
        check("", &[]);
        check(";;\n-- only this\n;", &[]);
        check("\u{feff}a;", &[(1, "a", Sql)]);
        check(
            "a ';' \"; --\" E'\\';' /* ; /* ; */ */ b",
            &[(1, "a ';' \"; --\" E'\\';' /* ; /* ; */ */ b", Sql)],
        );
        check("do $x$ a; $$ b; $x$;c", &[(1, "do $x$ a; $$ b; $x$", Sql), (1, "c", Sql)]);
        check(
            "create rule r as on a to b do (x; y);c",
            &[(1, "create rule r as on a to b do (x; y)", Sql), (1, "c", Sql)],
        );
        let body = "create or replace function f() returns int begin atomic \
                    select case when a then b end; select 2; end";
        check(&format!("{body};c"), &[(1, body, Sql), (1, "c", Sql)]);
        check("begin; commit", &[(1, "begin", Sql), (1, "commit", Sql)]);
    }

    #[test]
    fn knows_what_is_not_sql() {
        use PieceKind::{CopyRows, MetaCommand, Sql, Unfinished};
        check("\\i x.sql\na;", &[(1, "\\i x.sql", MetaCommand), (2, "a", Sql)]);
        check("a \\gexec\nb", &[(1, "a", Sql), (1, "\\gexec", MetaCommand), (2, "b", Sql)]);
        check(
            "COPY a (b) FROM stdin;\n1\t';\n\\.\nb;",
            &[(1, "COPY a (b) FROM stdin", Sql), (2, "1\t';", CopyRows), (4, "b", Sql)],
        );
        check("a; b 'x", &[(1, "a", Sql), (1, "b 'x", Unfinished("a quoted text"))]);
        check("a $x$ ; $$", &[(1, "a $x$ ; $$", Unfinished("a dollar quote"))]);
        check("/* a", &[(1, "/* a", Unfinished("a comment"))]);
        check("\"a", &[(1, "\"a", Unfinished("a quoted name"))]);
    }

    #[test]
    fn annotations_belong_to_what_follows() {
        let pieces = split("a;\n-- ripcord: destroy law\n-- more\nb;\nc;\n-- ripcord: burn");
        let notes: Vec<usize> = pieces.iter().map(|piece| piece.notes.len()).collect();
        assert_eq!(notes, [0, 1, 0, 1]);
        assert_eq!(pieces[1].notes[0].0, 2);
        assert_eq!(pieces[3].kind, PieceKind::Comments);
    }
}
