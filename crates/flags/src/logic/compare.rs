//! Comparing as JavaScript does. Lists and objects are equal where they say the same: identity,
//! which JavaScript asks for, cannot be seen in JSON.

use crate::logic::Value;
use serde_json::Value as Json;
use std::cmp::Ordering;

/// `===`: same type, same value.
pub(crate) fn identical(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Json(Json::Number(a)), Value::Json(Json::Number(b))) => a == b,
        _ if is_number(a) && is_number(b) => same(a.number(), b.number()),
        _ if a.is_list() && b.is_list() => {
            a.len() == b.len() && (0..a.len()).all(|at| identical(&a.at(at), &b.at(at)))
        }
        (Value::Json(Json::Object(a)), Value::Json(Json::Object(b))) => {
            let twin = |(key, value): (&String, &Json)| {
                let other = b.get(key);
                other.is_some_and(|other| identical(&Value::from(value), &Value::from(other)))
            };
            a.len() == b.len() && a.iter().all(twin)
        }
        _ => false,
    }
}

/// `==`: 1 equals "1" and true; null equals only null.
pub(crate) fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (kind(a), kind(b)) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Null, _) | (_, Kind::Null) => false,
        (x, y) if x == y => identical(a, b),
        // A list or object meets a text as text, and numbers as the number of that text.
        (Kind::Compound, Kind::Text) | (Kind::Text, Kind::Compound) => a.text() == b.text(),
        _ => same(a.number(), b.number()),
    }
}

/// How two values stand to each other: texts by their letters, everything else as numbers.
pub(crate) fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => a.number().partial_cmp(&b.number()),
    }
}

#[derive(PartialEq, Clone, Copy)]
enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Compound,
}

fn kind(value: &Value<'_>) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Bool,
        Value::Number(_) | Value::Json(Json::Number(_)) => Kind::Number,
        Value::Text(_) => Kind::Text,
        Value::Json(_) | Value::List(_) => Kind::Compound,
    }
}

fn is_number(value: &Value<'_>) -> bool {
    kind(value) == Kind::Number
}

#[expect(clippy::float_cmp, reason = "JavaScript compares exactly")]
fn same(a: f64, b: f64) -> bool {
    a == b
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(a: &Json, b: &Json, loose: bool, strict: bool) {
        let (x, y) = (Value::from(a), Value::from(b));
        assert_eq!((equal(&x, &y), identical(&x, &y)), (loose, strict), "{a} {b}");
        assert_eq!((equal(&y, &x), identical(&y, &x)), (loose, strict), "{b} {a}");
    }

    #[test]
    fn equality() {
        check(&json!(1), &json!(1.0), true, true);
        check(&json!(1), &json!("1"), true, false);
        check(&json!(1), &json!(true), true, false);
        check(&json!(0), &json!(""), true, false);
        check(&json!(0), &json!(false), true, false);
        check(&json!(0), &json!(null), false, false);
        check(&json!(""), &json!(null), false, false);
        check(&json!(null), &json!(null), true, true);
        check(&json!("a"), &json!("b"), false, false);
        check(&json!("true"), &json!(true), false, false);
        check(&json!([1]), &json!(1), true, false);
        check(&json!([1, 2]), &json!("1,2"), true, false);
        check(&json!([1]), &json!([1]), true, true);
        check(&json!([1]), &json!(["1"]), false, false);
        check(&json!({"a": [1]}), &json!({"a": [1]}), true, true);
        check(&json!({"a": 1}), &json!({"b": 1}), false, false);
        check(&json!({}), &json!("[object Object]"), true, false);
        check(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_995_u64), false, false);
    }

    #[test]
    fn orders() {
        let check = |a: Json, b: Json, expected: Option<Ordering>| {
            assert_eq!(order(&Value::from(&a), &Value::from(&b)), expected, "{a} {b}");
        };
        check(json!("10"), json!("9"), Some(Ordering::Less));
        check(json!("10"), json!(9), Some(Ordering::Greater));
        check(json!(null), json!(1), Some(Ordering::Less));
        check(json!("x"), json!(1), None);
        check(json!(true), json!(0), Some(Ordering::Greater));
    }
}
