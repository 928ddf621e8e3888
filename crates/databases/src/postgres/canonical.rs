//! One spelling for what the server spells in two ways. A cast of an array of constants, as in
//! `(ARRAY['a'::character varying])::text[]`, is what `IN` over such a column becomes at first;
//! the same text read again becomes a cast of each element. Both mean the same, so both are
//! written in the second way. Nothing else is touched.

/// The text with every cast of an array put on its elements.
pub(crate) fn canonical(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = next_array(rest) {
        let (before, from) = rest.split_at(at);
        done.push_str(before);
        if let Some((written, length)) = pushed_down(from) {
            done.push_str(&written);
            rest = &from[length..];
        } else {
            done.push_str(OPENING);
            rest = &from[OPENING.len()..];
        }
    }
    done.push_str(rest);
    done
}

const OPENING: &str = "(ARRAY[";

/// Where the next array in parentheses begins, outside quotes.
fn next_array(text: &str) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(OPENING) {
            return Some(at);
        }
        at += step(&text[at..]);
    }
    None
}

/// The length of what stands first: a quoted part as a whole, or one character.
fn step(text: &str) -> usize {
    let first = text.chars().next().map_or(1, char::len_utf8);
    let quote = match text.as_bytes().first() {
        Some(b'\'') => '\'',
        Some(b'"') => '"',
        _ => return first,
    };
    // A doubled quote ends one part and begins the next, which comes to the same.
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

/// The array with its cast on each element, and the length of what that replaces.
fn pushed_down(text: &str) -> Option<(String, usize)> {
    let mut elements = vec![String::new()];
    let mut at = OPENING.len();
    let mut depth = 0_u32;
    loop {
        let part = &text[at..at + step(text.get(at..).filter(|rest| !rest.is_empty())?)];
        match part {
            "]" if depth == 0 => break,
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if part == "," && depth == 0 {
            elements.push(String::new());
        } else {
            elements.last_mut()?.push_str(part);
        }
        at += part.len();
    }
    let cast = text[at..].strip_prefix("])::")?;
    let end = cast.find("[]")?;
    let kind = &cast[..end];
    let fits =
        |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | '"' | '(' | ')' | ',');
    if kind.is_empty() || !kind.chars().all(fits) {
        return None;
    }
    let elements: Vec<String> =
        elements.iter().map(|element| format!("({})::{kind}", element.trim())).collect();
    let length = at + "])::".len() + end + "[]".len();
    Some((format!("ARRAY[{}]", elements.join(", ")), length))
}

#[cfg(test)]
mod tests {
    use super::canonical;

    fn check(text: &str, expected: &str) {
        assert_eq!(canonical(text), expected);
        assert_eq!(canonical(expected), expected, "a second time changes nothing");
    }

    #[test]
    fn casts_of_arrays() {
        check(
            "((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
            "((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text]))",
        );
        check(
            "f((ARRAY['a,]'::x, g(1, 2)])::s.\"t T\"[])",
            "f(ARRAY[('a,]'::x)::s.\"t T\", (g(1, 2))::s.\"t T\"])",
        );
        check("(ARRAY[1, 2])", "(ARRAY[1, 2])");
        check("'(ARRAY[1])::text[]'", "'(ARRAY[1])::text[]'");
        check(
            "'it''s (ARRAY[1])::text[]' \"(ARRAY[1])::text[]\"",
            "'it''s (ARRAY[1])::text[]' \"(ARRAY[1])::text[]\"",
        );
        check("(ARRAY[1, 'ö", "(ARRAY[1, 'ö");
        check("(ARRAY[1)])::text[]", "(ARRAY[1)])::text[]");
    }
}
