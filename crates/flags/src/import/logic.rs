//! Rules as `JsonLogic` writes them.

use serde_json::{Value, json};

/// The attribute of a user by its name.
pub(super) fn attribute(name: &str) -> Value {
    json!({"var": name})
}

/// One value at hand inside [`any_of`].
pub(super) fn element() -> Value {
    json!({"var": ""})
}

/// Whether a condition holds for the attribute, or, where that is a list, for one of its elements.
pub(super) fn any_of(attribute: &Value, condition: &Value) -> Value {
    json!({"some": [{"merge": [attribute]}, condition]})
}

/// All of them; none is true.
pub(super) fn all(mut conditions: Vec<Value>) -> Value {
    match conditions.len() {
        0 => json!(true),
        1 => conditions.remove(0),
        _ => json!({"and": conditions}),
    }
}

/// One of them; none is false.
pub(super) fn any(mut conditions: Vec<Value>) -> Value {
    match conditions.len() {
        0 => json!(false),
        1 => conditions.remove(0),
        _ => json!({"or": conditions}),
    }
}

/// Not.
pub(super) fn not(condition: &Value) -> Value {
    json!({"!": [condition]})
}

/// The first answer whose condition holds, or else the last.
pub(super) fn first(cases: Vec<(Value, Value)>, otherwise: Value) -> Value {
    if cases.is_empty() {
        return otherwise;
    }
    let mut list: Vec<Value> = cases.into_iter().flat_map(|(when, then)| [when, then]).collect();
    list.push(otherwise);
    json!({"if": list})
}
