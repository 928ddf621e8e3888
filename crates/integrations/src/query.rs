//! Filling the placeholders of a query. Pure; it must not understand any query language.

use crate::error::SourceError;
use crate::near::nearest;

/// What placeholders stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `{release}`: the release that is asked about.
    pub release: String,
    /// `{environment}`
    pub environment: String,
    /// `{window}`: how far the query looks back, as Prometheus writes it: `60s`.
    pub window: String,
    /// `{stable}`: the release that served before.
    pub stable: String,
}

impl Names {
    fn all(&self) -> [(&'static str, &str); 4] {
        [
            ("release", &self.release),
            ("environment", &self.environment),
            ("window", &self.window),
            ("stable", &self.stable),
        ]
    }
}

/// Fills the placeholders. A lone word in braces is one; all other braces stay, since query
/// languages use them: `{job="x"}`, `a{2}`. `{{word}}` means the text `{word}`.
///
/// # Errors
///
/// When a lone word in braces is no placeholder, or when a name holds a character that could end
/// the text it is put into.
pub fn fill(template: &str, names: &Names) -> Result<String, SourceError> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(brace) = rest.find('{') {
        filled.push_str(&rest[..brace]);
        rest = &rest[brace..];
        if let Some(word) = rest.strip_prefix('{').and_then(braced).filter(|word| {
            // Two braces at its end belong together as two at its beginning do.
            rest[word.len() + 3..].starts_with('}')
        }) {
            filled.push_str(&rest[1..word.len() + 3]);
            rest = &rest[word.len() + 4..];
        } else if let Some(word) = braced(rest) {
            filled.push_str(value(word, names)?);
            rest = &rest[word.len() + 2..];
        } else {
            filled.push('{');
            rest = &rest[1..];
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The word of a text that begins with a word in braces.
fn braced(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?;
    let word = &inner[..inner.find('}')?];
    let sound = |(index, letter): (usize, char)| {
        letter.is_ascii_alphabetic() || letter == '_' || (index > 0 && letter.is_ascii_digit())
    };
    (!word.is_empty() && word.char_indices().all(sound)).then_some(word)
}

fn value<'a>(word: &str, names: &'a Names) -> Result<&'a str, SourceError> {
    let known = names.all();
    let Some((_, value)) = known.into_iter().find(|(name, _)| *name == word) else {
        let near = nearest(word, known.into_iter().map(|(name, _)| name)).map(str::to_owned);
        return Err(SourceError::NoSuchPlaceholder { name: word.to_owned(), near });
    };
    let breaks_out = |letter: char| letter.is_control() || "\"'`\\{}".contains(letter);
    if value.is_empty() || value.contains(breaks_out) {
        let (placeholder, value) = (word.to_owned(), value.to_owned());
        return Err(SourceError::UnsafeName { placeholder, value });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            release: "v2".into(),
            environment: "production".into(),
            window: "60s".into(),
            stable: "v1".into(),
        }
    }

    fn check(template: &str, expected: &str) {
        assert_eq!(fill(template, &names()).unwrap(), expected);
    }

    #[test]
    fn fills_known_names() {
        check("", "");
        check("up", "up");
        check("{release}", "v2");
        check("{release}/{stable}/{environment}/{window}", "v2/v1/production/60s");
        check(r#"rate(x{r="{release}"}[{window}])"#, r#"rate(x{r="v2"}[60s])"#);
    }

    #[test]
    fn leaves_other_braces() {
        check(r#"{job="x"}"#, r#"{job="x"}"#);
        check(r#"{ job = "x", env="{environment}" }"#, r#"{ job = "x", env="production" }"#);
        check(r#"x{path=~"a{2}|é{1,3}"} > {}"#, r#"x{path=~"a{2}|é{1,3}"} > {}"#);
        check(r#"{"a": {"b": "{release}"}}"#, r#"{"a": {"b": "v2"}}"#);
        check("{", "{");
        check("a{release", "a{release");
        check("}{{", "}{{");
    }

    #[test]
    fn doubled_braces_are_text() {
        check(r#"x{path="/users/{{id}}"}"#, r#"x{path="/users/{id}"}"#);
        check("{{release}}", "{release}");
        check("{{release}", "{v2");
        check("{{{release}}}", "{{release}}");
    }

    #[test]
    fn names_what_is_unknown() {
        let check = |template: &str, name: &str, near: Option<&str>| {
            let (name, near) = (name.to_owned(), near.map(str::to_owned));
            let expected = SourceError::NoSuchPlaceholder { name, near };
            assert_eq!(fill(template, &names()), Err(expected));
        };
        check("x{{r=\"{relase}\"}", "relase", Some("release"));
        check("{Window}", "Window", Some("window"));
        check("{id}", "id", None);
    }

    #[test]
    fn names_cannot_change_the_query() {
        for value in ["", "a\"", "a'", "a\\", "a`", "{b}", "a\nb"] {
            let names = Names { release: value.into(), ..names() };
            let error = fill("x{r=\"{release}\"}", &names).unwrap_err();
            assert!(matches!(error, SourceError::UnsafeName { .. }), "{value:?}: {error}");
            assert!(fill("{stable}", &names).is_ok(), "what is not used does not matter");
        }
    }
}
