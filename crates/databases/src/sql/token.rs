//! The tokenizer: enough of SQL's words to find names, quotes, comments and ends of statements.

/// A word of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// As written, quotes included.
    pub(crate) text: &'a str,
    /// Where it begins, in bytes.
    pub(crate) offset: usize,
    /// The line it begins on, from 1.
    pub(crate) line: u32,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword or a bare name.
    Word,
    /// A name in quotes of any style.
    Name,
    /// A text or blob literal.
    Text,
    Number,
    /// One character of punctuation.
    Symbol,
    Comment,
    /// A quote or block comment that never ends.
    Unfinished,
}

impl Token<'_> {
    /// Whether it is this keyword; quoted names never are.
    pub(crate) fn is(&self, word: &str) -> bool {
        match self.kind {
            Kind::Word | Kind::Symbol => self.text.eq_ignore_ascii_case(word),
            _ => false,
        }
    }

    /// What it names, when it stands where a name is expected.
    pub(crate) fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_owned()),
            Kind::Name | Kind::Text => {
                let close = self.text.chars().next_back()?;
                let inner = self.text.get(1..self.text.len() - 1)?;
                if close == ']' {
                    return Some(inner.to_owned());
                }
                Some(inner.replace(&format!("{close}{close}"), &close.to_string()))
            }
            _ => None,
        }
    }
}

/// All tokens of a text, comments included. Never fails: what cannot be anything else is a symbol.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut line = 1_u32;
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() || first == '\u{feff}' {
            line += u32::from(first == '\n');
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = token(rest, first);
        let token = Token { kind, text: &rest[..length], offset: at, line };
        line += u32::try_from(token.text.matches('\n').count()).unwrap_or(u32::MAX);
        found.push(token);
        at += length;
    }
    found
}

/// Whether there is anything but white space, comments and semicolons.
pub(crate) fn says_anything(text: &str) -> bool {
    tokens(text).iter().any(|token| token.kind != Kind::Comment && !token.is(";"))
}

fn token(rest: &str, first: char) -> (Kind, usize) {
    match first {
        '-' if rest.starts_with("--") => (Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => match rest[2..].find("*/") {
            Some(end) => (Kind::Comment, end + 4),
            None => (Kind::Unfinished, rest.len()),
        },
        '\'' => quote(rest, '\'', Kind::Text),
        '"' | '`' => quote(rest, first, Kind::Name),
        '[' => match rest.find(']') {
            Some(end) => (Kind::Name, end + 1),
            None => (Kind::Unfinished, rest.len()),
        },
        'x' | 'X' if rest[1..].starts_with('\'') => {
            let (kind, length) = quote(&rest[1..], '\'', Kind::Text);
            (kind, length + 1)
        }
        _ if first.is_ascii_digit() => {
            let more = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
            (Kind::Number, rest.find(|c| !more(c)).unwrap_or(rest.len()))
        }
        _ if is_word(first) => {
            let more = |c: char| is_word(c) || c.is_ascii_digit() || c == '$';
            (Kind::Word, rest.find(|c| !more(c)).unwrap_or(rest.len()))
        }
        _ => (Kind::Symbol, first.len_utf8()),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || (!c.is_ascii() && !c.is_whitespace())
}

/// A quoted token: the quote doubled stands for itself.
fn quote(rest: &str, mark: char, kind: Kind) -> (Kind, usize) {
    let mut at = 1;
    while let Some(found) = rest[at..].find(mark) {
        at += found + 1;
        if !rest[at..].starts_with(mark) {
            return (kind, at);
        }
        at += 1;
    }
    (Kind::Unfinished, rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = tokens(text).iter().map(|token| token.text).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn finds_words() {
        check("a.b='it''s'", &["a", ".", "b", "=", "'it''s'"]);
        check("\"a\"\"b\" [c d] `e`", &["\"a\"\"b\"", "[c d]", "`e`"]);
        check("x'00' 1.5e3 --c\n/*;*/;", &["x'00'", "1.5e3", "--c", "/*;*/", ";"]);
        check("é ü", &["é", "ü"]);
        check("'open", &["'open"]);
        check("/* open", &["/* open"]);
        check("", &[]);
    }

    #[test]
    fn counts_lines_and_unquotes() {
        let text = "a\n'b\nc' \"d\"\"e\"";
        let found = tokens(text);
        assert_eq!(found.iter().map(|token| token.line).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(found[2].name().unwrap(), "d\"e");
        assert_eq!(tokens("'open")[0].kind, Kind::Unfinished);
    }
}
