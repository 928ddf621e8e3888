//! The tree: values with the bytes they stand at. Numbers stay as they were written, members in
//! their order. It must not interpret what it holds.

use serde_json::Value;
use std::ops::Range;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// The number as the nearest double; its digits are in the text.
    Number(f64),
    Text(Box<str>),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) key: Box<str>,
    pub(crate) key_start: usize,
    pub(crate) key_end: usize,
    pub(crate) value: Node,
}

impl Node {
    /// The bytes it stands at.
    pub(crate) fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Its text, as it was written.
    pub(crate) fn lexeme<'t>(&self, text: &'t str) -> &'t str {
        &text[self.span()]
    }

    /// The members, if it is an object.
    pub(crate) fn members(&self) -> Option<&[Member]> {
        match &self.kind {
            Kind::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The member of this name.
    pub(crate) fn member(&self, key: &str) -> Option<&Member> {
        self.members()?.iter().find(|member| &*member.key == key)
    }

    /// The value of the member of this name.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.member(key).map(|member| &member.value)
    }

    /// The elements, if it is a list.
    pub(crate) fn elements(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The text, if it is a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self.kind {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// What it is called in messages.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Object(_) => "an object",
        }
    }

    /// The same value without its place. Whole numbers that fit stay exact.
    pub(crate) fn to_value(&self, text: &str) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => {
                let lexeme = self.lexeme(text);
                let whole = lexeme.parse::<i64>().map(Value::from);
                let whole = whole.or_else(|_| lexeme.parse::<u64>().map(Value::from));
                whole.unwrap_or_else(|_| Value::from(*number))
            }
            Kind::Text(text) => Value::String(text.to_string()),
            Kind::List(elements) => elements.iter().map(|node| node.to_value(text)).collect(),
            Kind::Object(members) => Value::Object(
                members.iter().map(|m| (m.key.to_string(), m.value.to_value(text))).collect(),
            ),
        }
    }

    /// Whether two values say the same: order of members and blanks aside, digits of numbers not.
    pub(crate) fn same(&self, text: &str, other: &Node, other_text: &str) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Number(_), Kind::Number(_)) => self.lexeme(text) == other.lexeme(other_text),
            (Kind::List(a), Kind::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(text, b, other_text))
            }
            (Kind::Object(a), Kind::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|member| {
                        let twin = other.get(&member.key);
                        twin.is_some_and(|twin| member.value.same(text, twin, other_text))
                    })
            }
            (a, b) => a == b,
        }
    }
}

/// A string as JSON writes it.
pub(crate) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}
