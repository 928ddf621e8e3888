//! The canonical form of a definition: the same words for the same schema, however it was spaced,
//! quoted or arrived at.

use crate::sql::{Kind, quoted, tokens};

/// The definition with single spaces, without comments, and with quotes only where needed.
pub(crate) fn canonical(definition: &str) -> String {
    let mut words = Vec::new();
    for token in tokens(definition) {
        match (token.kind, token.name()) {
            (Kind::Comment, _) => {}
            (Kind::Name, Some(name)) if is_bare(&name) => words.push(name),
            (Kind::Name, Some(name)) => words.push(quoted(&name)),
            _ => words.push(token.text.to_owned()),
        }
    }
    words.join(" ")
}

fn is_bare(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(left: &str, right: &str, alike: bool) {
        assert_eq!(canonical(left) == canonical(right), alike, "{left}\n{right}");
    }

    #[test]
    fn alike_or_not() {
        check("CREATE TABLE a(b,c)", "CREATE TABLE \"a\" ( [b] , -- why\n `c` )", true);
        check("CREATE TABLE a(b,c)", "CREATE TABLE a(c,b)", false);
        check("CREATE TABLE a(b DEFAULT 'x y')", "CREATE TABLE a(b DEFAULT 'x  y')", false);
        check("CREATE TABLE a(\"b c\")", "CREATE TABLE a(b c)", false);
        check("CREATE TABLE a(b /* x */ TEXT)", "CREATE TABLE a(b TEXT)", true);
    }
}
