//! The rules of a flag as a chain: if this, that variant; else if ...; else the rest. What people
//! change by command is one of its branches or its rest; the others are kept as they were written.

use crate::text::{Node, parse, quote};

/// The rules of a flag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Chain {
    /// Conditions and what follows from them, as JSON.
    pub(crate) branches: Vec<(String, String)>,
    /// What holds otherwise.
    pub(crate) rest: Option<String>,
}

impl Chain {
    /// The chain of some rules.
    pub(crate) fn read(targeting: Option<&Node>, text: &str) -> Chain {
        let Some(rules) = targeting else { return Chain::default() };
        let lexeme = |node: &Node| node.lexeme(text).to_owned();
        let arguments = match rules.members() {
            Some([only]) if &*only.key == "if" => only.value.elements(),
            _ => None,
        };
        let Some(arguments) = arguments else {
            return Chain { branches: Vec::new(), rest: Some(lexeme(rules)) };
        };
        let (branches, rest) = arguments.as_chunks::<2>();
        Chain {
            branches: branches.iter().map(|[a, b]| (lexeme(a), lexeme(b))).collect(),
            rest: rest.first().map(lexeme),
        }
    }

    /// The rules of the chain; none, where nothing is left of it.
    pub(crate) fn show(&self) -> Option<String> {
        let rest = self.rest.as_deref().filter(|rest| *rest != "null");
        match (self.branches.is_empty(), rest) {
            (true, None) => None,
            // Only an operation can stand by itself.
            (true, Some(rest)) if rest.starts_with('{') => Some(rest.to_owned()),
            _ => {
                let branches = self.branches.iter().map(|(a, b)| format!("{a}, {b}"));
                let parts: Vec<String> = branches.chain(rest.map(str::to_owned)).collect();
                Some(format!("{{\"if\": [{}]}}", parts.join(", ")))
            }
        }
    }
}

/// A condition on one attribute: it is one of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OneOf {
    pub(crate) attribute: String,
    /// The values, as JSON.
    pub(crate) values: Vec<String>,
}

impl OneOf {
    /// The condition, where it is of this kind: `in` with a list, or `==` with a value.
    pub(crate) fn read(condition: &str) -> Option<OneOf> {
        let root = parse(condition).ok()?;
        let [only] = root.members()? else { return None };
        let [attribute, values] = only.value.elements()? else { return None };
        let [var] = attribute.members()? else { return None };
        if &*var.key != "var" {
            return None;
        }
        let attribute = match var.value.elements() {
            Some([name]) => name.as_str()?,
            Some(_) => return None,
            None => var.value.as_str()?,
        };
        let lexeme = |node: &Node| node.lexeme(condition).to_owned();
        let simple = |node: &Node| node.members().is_none() && node.elements().is_none();
        let values = match (&*only.key, values.elements()) {
            ("in", Some(values)) if values.iter().all(simple) => {
                values.iter().map(lexeme).collect()
            }
            ("==" | "===", None) if simple(values) => vec![lexeme(values)],
            _ => return None,
        };
        Some(OneOf { attribute: attribute.to_owned(), values })
    }

    /// The condition as a rule.
    pub(crate) fn show(&self) -> String {
        let values = self.values.join(", ");
        format!("{{\"in\": [{{\"var\": {}}}, [{values}]]}}", quote(&self.attribute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_come_back_as_they_were() {
        let check = |rules: &str, branches: usize, rest: Option<&str>, shown: Option<&str>| {
            let root = parse(rules).expect("good JSON");
            let chain = Chain::read(Some(&root), rules);
            assert_eq!((chain.branches.len(), chain.rest.as_deref()), (branches, rest), "{rules}");
            assert_eq!(chain.show().as_deref(), shown, "{rules}");
        };
        check(r#"{"if":[1,"a"]}"#, 1, None, Some(r#"{"if": [1, "a"]}"#));
        check(r#"{"if":[1,"a",1.0]}"#, 1, Some("1.0"), Some(r#"{"if": [1, "a", 1.0]}"#));
        check(r#"{"if":["a"]}"#, 0, Some("\"a\""), Some(r#"{"if": ["a"]}"#));
        check(r#"{"if":[]}"#, 0, None, None);
        check(r#"{"if":[null]}"#, 0, Some("null"), None);
        check(
            r#"{"fractional":[["a"]]}"#,
            0,
            Some(r#"{"fractional":[["a"]]}"#),
            Some(r#"{"fractional":[["a"]]}"#),
        );
        check(r#"{"if":"a"}"#, 0, Some(r#"{"if":"a"}"#), Some(r#"{"if":"a"}"#));
    }

    #[test]
    fn conditions_on_one_attribute() {
        let check = |condition: &str, expected: Option<(&str, &[&str])>| {
            let found = OneOf::read(condition);
            let found = found.as_ref().map(|it| {
                (it.attribute.as_str(), it.values.iter().map(String::as_str).collect::<Vec<_>>())
            });
            assert_eq!(
                found,
                expected.map(|(name, values)| (name, values.to_vec())),
                "{condition}"
            );
        };
        check(r#"{"in":[{"var":"a"},["x",1.0]]}"#, Some(("a", &["\"x\"", "1.0"])));
        check(r#"{"==":[{"var":["a"]},"x"]}"#, Some(("a", &["\"x\""])));
        check(r#"{"in":["x",{"var":"a"}]}"#, None);
        check(r#"{"in":[{"var":["a","b"]},["x"]]}"#, None);
        check(r#"{"in":[{"var":"a"},[{"var":"b"}]]}"#, None);
        check(r#"{">":[{"var":"a"},1]}"#, None);
        check("true", None);
        let shown =
            OneOf { attribute: "a".into(), values: vec!["\"x\"".into(), "1".into()] }.show();
        assert_eq!(shown, r#"{"in": [{"var": "a"}, ["x", 1]]}"#);
    }
}
