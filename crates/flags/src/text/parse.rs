//! Reads JSON into the tree. Strict, bounded in depth, and with the place of whatever is wrong.
//! Two members of one name are refused: which one holds would depend on the reader.

use crate::text::{Kind, Member, Node};
use std::collections::HashSet;
use std::ops::Range;

/// How deep values may nest.
pub(crate) const DEPTH_MAX: usize = 128;

/// So few members are compared with each other faster than in a table.
const FEW: usize = 8;

/// What is wrong and where.
pub(crate) type Wrong = (String, Range<usize>);

/// The tree of a text.
pub(crate) fn parse(text: &str) -> Result<Node, Wrong> {
    let mut parser = Parser { text, bytes: text.as_bytes(), at: 0, depth: 0 };
    // Some editors put this mark in front.
    if text.starts_with('\u{feff}') {
        parser.at = '\u{feff}'.len_utf8();
    }
    parser.blanks();
    let node = parser.value()?;
    parser.blanks();
    if parser.at < text.len() {
        return Err(parser.wrong("there is more after the end of the document"));
    }
    Ok(node)
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn value(&mut self) -> Result<Node, Wrong> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.nested(Parser::object)?,
            Some(b'[') => self.nested(Parser::list)?,
            Some(b'"') => Kind::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Kind::Number(self.number()?),
            Some(b't') => self.word("true", Kind::Bool(true))?,
            Some(b'f') => self.word("false", Kind::Bool(false))?,
            Some(b'n') => self.word("null", Kind::Null)?,
            Some(_) => return Err(self.wrong("a value was expected")),
            None => return Err(self.wrong("the document ends where a value was expected")),
        };
        Ok(Node { kind, start, end: self.at })
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Result<Kind, Wrong>) -> Result<Kind, Wrong> {
        if self.depth == DEPTH_MAX {
            return Err(self.wrong(&format!("it nests deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        self.at += 1;
        let kind = inner(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn object(&mut self) -> Result<Kind, Wrong> {
        let mut members: Vec<Member> = Vec::new();
        self.blanks();
        if self.took(b'}') {
            return Ok(Kind::Object(members));
        }
        loop {
            self.blanks();
            let key_start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("the name of a member, in double quotes, was expected"));
            }
            let key = self.string()?;
            let key_end = self.at;
            self.blanks();
            if !self.took(b':') {
                return Err(self.wrong("`:` was expected"));
            }
            self.blanks();
            let value = self.value()?;
            members.push(Member { key, key_start, key_end, value });
            self.blanks();
            if self.took(b'}') {
                return once(&members).map(|()| Kind::Object(members));
            }
            if !self.took(b',') {
                return Err(self.wrong("`,` or `}` was expected"));
            }
        }
    }

    fn list(&mut self) -> Result<Kind, Wrong> {
        let mut elements = Vec::new();
        self.blanks();
        if self.took(b']') {
            return Ok(Kind::List(elements));
        }
        loop {
            self.blanks();
            elements.push(self.value()?);
            self.blanks();
            if self.took(b']') {
                return Ok(Kind::List(elements));
            }
            if !self.took(b',') {
                return Err(self.wrong("`,` or `]` was expected"));
            }
        }
    }

    fn string(&mut self) -> Result<Box<str>, Wrong> {
        let start = self.at;
        self.at += 1;
        let mut found = String::new();
        loop {
            let from = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            let piece = &self.text[from..self.at];
            // Nearly every text is one piece, which is allocated once, as long as it is.
            if found.is_empty() && self.took(b'"') {
                return Ok(piece.into());
            }
            found.push_str(piece);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(found.into());
                }
                Some(b'\\') => found.push(self.escape()?),
                Some(_) => return Err(self.wrong("a control character must be written as \\u00xx")),
                None => return Err(("the string has no end".to_owned(), start..self.at)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Wrong> {
        let start = self.at;
        let letter = self.bytes.get(self.at + 1).copied();
        self.at += 2;
        let plain = match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(start),
            _ => return Err(("this escape does not exist".to_owned(), start..self.at)),
        };
        Ok(plain)
    }

    fn unicode(&mut self, start: usize) -> Result<char, Wrong> {
        let first = self.hex(start)?;
        let code = if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u")
        {
            self.at += 2;
            let second = self.hex(start)?;
            if (0xdc00..0xe000).contains(&second) {
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            } else {
                first
            }
        } else {
            first
        };
        let half = || ("this is half of a character".to_owned(), start..self.at);
        char::from_u32(code).ok_or_else(half)
    }

    fn hex(&mut self, start: usize) -> Result<u32, Wrong> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let mut code = 0;
        for digit in digits {
            let Some(value) = char::from(*digit).to_digit(16) else { break };
            code = code * 16 + value;
            self.at += 1;
        }
        if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(("\\u needs four hexadecimal digits".to_owned(), start..self.at));
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<f64, Wrong> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let lexeme = &self.text[start..self.at];
        let wrong = |why: &str| Err((why.to_owned(), start..self.at));
        if !is_number(lexeme) {
            return wrong("this is not a number");
        }
        match lexeme.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => wrong("this number is too large"),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<Kind, Wrong> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.wrong("a value was expected"));
        }
        self.at += word.len();
        Ok(kind)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn took(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn wrong(&self, why: &str) -> Wrong {
        (why.to_owned(), self.at..self.at + 1)
    }
}

/// Whether no two members have one name.
fn once(members: &[Member]) -> Result<(), Wrong> {
    let twice = if members.len() <= FEW {
        let earlier = |at: usize| members[..at].iter().any(|one| one.key == members[at].key);
        (1..members.len()).find(|at| earlier(*at)).map(|at| &members[at])
    } else {
        let mut names = HashSet::with_capacity(members.len());
        members.iter().find(|member| !names.insert(&*member.key))
    };
    match twice {
        Some(twice) => {
            Err((format!("`{}` is given twice", twice.key), twice.key_start..twice.key_end))
        }
        None => Ok(()),
    }
}

/// Whether a text is a number by the grammar of JSON, which is narrower than Rust's.
fn is_number(lexeme: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = lexeme.strip_prefix('-').unwrap_or(lexeme);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = parse(text).map(|node| node.to_value(text).to_string());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err((why, _)), Err(part)) => assert!(why.contains(part), "{text}: {why}"),
            (found, _) => panic!("{text}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn values() {
        check(
            " {\"b\" : [1, -2.5e3, true, null], \"a\":\"x\"} ",
            Ok(r#"{"a":"x","b":[1,-2500.0,true,null]}"#),
        );
        check("\u{feff}[]", Ok("[]"));
        check("18446744073709551615", Ok("18446744073709551615"));
        check(r#""\u00e9\ud83d\ude00\n\/""#, Ok("\"é😀\\n/\""));
    }

    #[test]
    fn mistakes() {
        check("", Err("ends where a value"));
        check("{} x", Err("more after the end"));
        check("{\"a\":1,\"a\":2}", Err("`a` is given twice"));
        check("{\"a\":1,}", Err("name of a member"));
        check("{a:1}", Err("name of a member"));
        check("[1,]", Err("a value was expected"));
        check("[1 2]", Err("`,` or `]`"));
        check("{\"a\" 1}", Err("`:` was"));
        check("\"a", Err("no end"));
        check("\"\n\"", Err("control character"));
        check(r#""\x""#, Err("escape"));
        check(r#""\ud83d""#, Err("half of a character"));
        check(r#""\u12"#, Err("four hexadecimal"));
        check("1e999", Err("too large"));
        for text in ["01", "-", "1.", ".5", "+1", "1e", "0x1", "--1", "NaN", "nul", "tru"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        check(&nested(DEPTH_MAX + 1), Err("deeper than"));
        check(&"[".repeat(1_000_000), Err("deeper than"));
        check(&"{\"a\":".repeat(1_000_000), Err("deeper than"));
    }

    #[test]
    fn serde_json_agrees() {
        // Another parser says of each text whether it is JSON; small mutations of one text.
        let base = r#"{"a":[1,2.5,-3e2,"x\"\u00e9",true,null],"b":{"c":{}}}"#;
        let letters = [
            "", "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "1", "e", ".", "-", " ", "\u{1}",
            "é",
        ];
        for at in 0..=base.len() {
            for letter in letters {
                for skip in 0..2 {
                    let end = (at + skip).min(base.len());
                    let text = format!("{}{letter}{}", &base[..at], &base[end..]);
                    let theirs = serde_json::from_str::<serde_json::Value>(&text);
                    match (parse(&text), theirs) {
                        (Ok(node), Ok(value)) => assert_eq!(node.to_value(&text), value, "{text}"),
                        (Err((why, _)), Ok(_)) => assert!(why.contains("twice"), "{text}: {why}"),
                        (Ok(_), Err(error)) => panic!("{text}: {error}"),
                        (Err(_), Err(_)) => {}
                    }
                }
            }
        }
    }
}
