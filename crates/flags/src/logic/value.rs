//! Values while a rule is evaluated. They borrow from the context and from the rule wherever they
//! can. Conversions are JavaScript's, which `JSONLogic` prescribes.

use crate::logic::number;
use serde_json::Value as Json;
use std::borrow::Cow;

/// A value. A list or object of the context stays borrowed, and so does a whole number that a
/// double cannot hold.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    Json(&'a Json),
    List(List<'a>),
}

/// A list that a rule has made.
#[derive(Debug, Clone)]
pub(crate) struct List<'a> {
    pub(crate) items: Vec<Value<'a>>,
    /// How deep it nests; bounded, since values are walked and dropped recursively.
    pub(crate) depth: usize,
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Value<'a> {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::String(text) => Value::Text(Cow::Borrowed(text)),
            Json::Number(number) => match number.as_f64() {
                Some(double) if double.abs() < number::EXACT_MAX || number.is_f64() => {
                    Value::Number(double)
                }
                _ => Value::Json(json),
            },
            Json::Array(_) | Json::Object(_) => Value::Json(json),
        }
    }
}

impl<'a> Value<'a> {
    /// A number, or null where JavaScript has none that JSON could carry.
    pub(crate) fn finite(number: f64) -> Value<'a> {
        if number.is_finite() { Value::Number(number) } else { Value::Null }
    }

    /// Whether it counts as true: everything but null, false, 0, "" and [].
    pub(crate) fn truth(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => *number != 0.0 && !number.is_nan(),
            Value::Text(text) => !text.is_empty(),
            Value::Json(Json::Array(items)) => !items.is_empty(),
            Value::Json(_) => true,
            Value::List(list) => !list.items.is_empty(),
        }
    }

    /// The number it counts as in comparison and arithmetic; NaN where it is none.
    pub(crate) fn number(&self) -> f64 {
        match self {
            Value::Null => 0.0,
            Value::Bool(value) => f64::from(u8::from(*value)),
            Value::Number(number) => *number,
            Value::Text(text) => number::of_text(text),
            Value::Json(Json::Number(number)) => number.as_f64().unwrap_or(f64::NAN),
            Value::Json(Json::Array(_)) | Value::List(_) => number::of_text(&self.text()),
            Value::Json(_) => f64::NAN,
        }
    }

    /// The number at its beginning, as `+` and `*` read it: "3 apples" is 3.
    pub(crate) fn leading_number(&self) -> f64 {
        match self {
            Value::Number(number) => *number,
            Value::Json(Json::Number(_)) => self.number(),
            Value::Text(text) => number::leading(text),
            Value::Json(Json::Array(_)) | Value::List(_) => number::leading(&self.text()),
            Value::Null | Value::Bool(_) | Value::Json(_) => f64::NAN,
        }
    }

    /// The text it counts as.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Null => Cow::Borrowed("null"),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Number(number) => Cow::Owned(number::text(*number)),
            Value::Text(text) => Cow::Borrowed(text),
            Value::Json(Json::Number(number)) => Cow::Owned(number.to_string()),
            Value::Json(Json::Object(_)) => Cow::Borrowed("[object Object]"),
            Value::Json(_) | Value::List(_) => Cow::Owned(self.joined()),
        }
    }

    /// The text it adds to others: nothing, where it is null.
    pub(crate) fn added_text(&self) -> Cow<'_, str> {
        if matches!(self, Value::Null) { Cow::Borrowed("") } else { self.text() }
    }

    fn joined(&self) -> String {
        let texts: Vec<String> =
            (0..self.len()).map(|at| self.at(at).added_text().into_owned()).collect();
        texts.join(",")
    }

    /// Whether it is a list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Value::Json(Json::Array(_)) | Value::List(_))
    }

    /// How many elements it has; none, where it is no list.
    pub(crate) fn len(&self) -> usize {
        match self {
            Value::Json(Json::Array(items)) => items.len(),
            Value::List(list) => list.items.len(),
            _ => 0,
        }
    }

    /// The element at a place of a list; null behind its end.
    pub(crate) fn at(&self, at: usize) -> Value<'a> {
        match self {
            Value::Json(Json::Array(items)) => items.get(at).map_or(Value::Null, Value::from),
            Value::List(list) => list.items.get(at).cloned().unwrap_or(Value::Null),
            _ => Value::Null,
        }
    }

    /// What stands under a name, or at an index of a list.
    pub(crate) fn member(&self, name: &str) -> Option<Value<'a>> {
        match self {
            Value::Json(Json::Object(members)) => members.get(name).map(Value::from),
            Value::Json(Json::Array(_)) | Value::List(_) => {
                let at = name.parse().ok().filter(|at| *at < self.len())?;
                Some(self.at(at))
            }
            _ => None,
        }
    }

    /// How deep it nests, as far as rules have made it.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Value::List(list) => list.depth,
            _ => 0,
        }
    }

    /// How much work a copy of it is.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Value::Text(Cow::Owned(text)) => 1 + text.len() / 16,
            Value::List(list) => 1 + list.items.iter().map(Value::weight).sum::<usize>(),
            _ => 1,
        }
    }

    /// How much work the reading of all of it is.
    pub(crate) fn size(&self) -> usize {
        match self {
            Value::Text(text) => 1 + text.len() / 64,
            Value::Json(json) => size_of(json),
            Value::List(list) => 1 + list.items.iter().map(Value::size).sum::<usize>(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        }
    }

    /// The same as JSON.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => number::to_json(*number),
            Value::Text(text) => Json::String(text.to_string()),
            Value::Json(json) => (*json).clone(),
            Value::List(list) => list.items.iter().map(Value::to_json).collect(),
        }
    }
}

/// The depth of the context is bounded, and that of rules.
fn size_of(json: &Json) -> usize {
    match json {
        Json::String(text) => 1 + text.len() / 64,
        Json::Array(items) => 1 + items.iter().map(size_of).sum::<usize>(),
        Json::Object(members) => {
            1 + members.iter().map(|(key, value)| key.len() / 64 + size_of(value)).sum::<usize>()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn truth() {
        let check = |json: Json, expected: bool| {
            assert_eq!(Value::from(&json).truth(), expected, "{json}");
        };
        for json in [json!(null), json!(false), json!(0), json!(-0.0), json!(""), json!([])] {
            check(json, false);
        }
        for json in [json!(true), json!("0"), json!("false"), json!(-1), json!([0]), json!({})] {
            check(json, true);
        }
    }

    #[test]
    fn numbers_and_texts() {
        let check = |json: Json, number: f64, text: &str| {
            let value = Value::from(&json);
            let found = value.number();
            assert_eq!(found.to_bits(), number.to_bits(), "{json}: {found}");
            assert_eq!(value.text(), text, "{json}");
        };
        check(json!(null), 0.0, "null");
        check(json!(true), 1.0, "true");
        check(json!("12"), 12.0, "12");
        check(json!("x"), f64::NAN, "x");
        check(json!([]), 0.0, "");
        check(json!([7]), 7.0, "7");
        check(json!([1, [2, null], "x"]), f64::NAN, "1,2,,x");
        check(json!({"a": 1}), f64::NAN, "[object Object]");
        check(json!(9_007_199_254_740_993_u64), 9_007_199_254_740_992.0, "9007199254740993");
    }
}
