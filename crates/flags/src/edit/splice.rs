//! Replacing parts of a text by others, all at once.

use crate::text::{Node, quote};
use std::ops::Range;

/// Replacements that do not overlap.
pub(crate) struct Splices<'a> {
    text: &'a str,
    parts: Vec<(Range<usize>, String)>,
}

impl<'a> Splices<'a> {
    pub(crate) fn new(text: &'a str) -> Splices<'a> {
        Splices { text, parts: Vec::new() }
    }

    /// Replaces a value.
    pub(crate) fn replace(&mut self, node: &Node, value: &str) {
        self.parts.push((node.span(), value.to_owned()));
    }

    /// Gives a member of an object this value; a new one goes to the end.
    pub(crate) fn set(&mut self, object: &Node, key: &str, json: &str) {
        if let Some(node) = object.get(key) {
            return self.replace(node, json);
        }
        let member = format!("{}: {json}", quote(key));
        match object.members().unwrap_or_default() {
            [] => self.replace(object, &format!("{{{member}}}")),
            [first, .., last] | [last @ first] => {
                let blank = self.blank(object.start + 1..first.key_start);
                self.insert(last.value.end, format!(",{blank}{member}"));
            }
        }
    }

    /// Adds an element to the end of a list.
    pub(crate) fn append(&mut self, elements: &Node, value: &str) {
        match elements.elements().unwrap_or_default() {
            [] => self.replace(elements, &format!("[{value}]")),
            [first, .., last] | [last @ first] => {
                let blank = self.blank(elements.start + 1..first.start);
                self.insert(last.end, format!(",{blank}{value}"));
            }
        }
    }

    /// Takes a member out of an object.
    pub(crate) fn remove(&mut self, object: &Node, key: &str) {
        let members = object.members().unwrap_or_default();
        let gone: Vec<bool> = members.iter().map(|member| &*member.key == key).collect();
        self.remove_where(object, &gone);
    }

    /// Takes members out of an object, or elements out of a list: those at the places that are
    /// marked, each run of them with the comma at one side of it.
    pub(crate) fn remove_where(&mut self, node: &Node, gone: &[bool]) {
        let spans: Vec<Range<usize>> = match (node.members(), node.elements()) {
            (Some(members), _) => members.iter().map(|m| m.key_start..m.value.end).collect(),
            (None, elements) => elements.unwrap_or_default().iter().map(Node::span).collect(),
        };
        let marked = |at: usize| gone.get(at).copied().unwrap_or(false);
        let mut at = 0;
        while at < spans.len() {
            let first = at;
            while at < spans.len() && marked(at) {
                at += 1;
            }
            if first == at {
                at += 1;
                continue;
            }
            let range = match (first.checked_sub(1), spans.get(at)) {
                (Some(before), _) => spans[before].end..spans[at - 1].end,
                (None, Some(next)) => spans[first].start..next.start,
                (None, None) => spans[first].start..spans[at - 1].end,
            };
            self.parts.push((range, String::new()));
        }
    }

    fn insert(&mut self, at: usize, text: String) {
        self.parts.push((at..at, text));
    }

    /// The blanks before the first part, which the others have too; one, where it has none.
    fn blank(&self, range: Range<usize>) -> &'a str {
        let blank = &self.text[range];
        if blank.is_empty() { " " } else { blank }
    }

    /// The text with everything replaced.
    pub(crate) fn apply(mut self) -> String {
        // What is put in at the same place stays in the order in which it was asked for.
        self.parts.sort_by_key(|(range, _)| (range.end, range.start));
        let mut whole = String::with_capacity(self.text.len() + 256);
        let mut done = 0;
        for (range, text) in &self.parts {
            whole.push_str(&self.text[done..range.start.max(done)]);
            whole.push_str(text);
            done = done.max(range.end);
        }
        whole.push_str(&self.text[done..]);
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse;

    fn check(text: &str, edit: impl FnOnce(&mut Splices<'_>, &Node), expected: &str) {
        let root = parse(text).expect("good JSON");
        let mut splices = Splices::new(text);
        edit(&mut splices, &root);
        let found = splices.apply();
        assert_eq!(found, expected);
        parse(&found).expect("good JSON");
    }

    #[test]
    fn members() {
        check("{}", |s, o| s.set(o, "a", "1"), r#"{"a": 1}"#);
        check(r#"{"a":0}"#, |s, o| s.set(o, "a", "1"), r#"{"a":1}"#);
        check(r#"{"a":0}"#, |s, o| s.set(o, "b", "1"), r#"{"a":0, "b": 1}"#);
        check("{\n  \"a\": 0\n}", |s, o| s.set(o, "b", "1"), "{\n  \"a\": 0,\n  \"b\": 1\n}");
        check(r#"{"a":0,"b":1,"c":2}"#, |s, o| s.remove(o, "a"), r#"{"b":1,"c":2}"#);
        check(r#"{"a":0, "b":1, "c":2}"#, |s, o| s.remove(o, "b"), r#"{"a":0, "c":2}"#);
        check(r#"{"a":0,"b":1 }"#, |s, o| s.remove(o, "b"), r#"{"a":0 }"#);
        check(r#"{"a":0}"#, |s, o| s.remove(o, "a"), "{}");
        check(r#"{"a":0}"#, |s, o| s.remove(o, "x"), r#"{"a":0}"#);
    }

    #[test]
    fn several_at_once() {
        let all = |s: &mut Splices<'_>, o: &Node| {
            s.remove(o, "b");
            s.set(o, "c", "3");
            s.set(o, "a", "9");
            s.set(o, "d", "4");
        };
        check(r#"{"a":0,"b":1}"#, all, r#"{"a":9, "c": 3, "d": 4}"#);
        check(r#"{"b":1,"a":0}"#, all, r#"{"a":9, "c": 3, "d": 4}"#);
    }

    #[test]
    fn elements() {
        check("[]", |s, l| s.append(l, "1"), "[1]");
        check("[0]", |s, l| s.append(l, "1"), "[0, 1]");
        check("[0,1,2]", |s, l| s.remove_where(l, &[true]), "[1,2]");
        check("[0,1,2]", |s, l| s.remove_where(l, &[false, false, true]), "[0,1]");
        check("[0,1,2]", |s, l| s.remove_where(l, &[true, true, false]), "[2]");
        check("[0,1,2,3]", |s, l| s.remove_where(l, &[false, true, true]), "[0,3]");
        check("[0,1,2,3]", |s, l| s.remove_where(l, &[true, false, true, false]), "[1,3]");
        check("[0,1,2]", |s, l| s.remove_where(l, &[true, true, true]), "[]");
        check("[0]", |s, l| s.remove_where(l, &[false, true]), "[0]");
    }
}
