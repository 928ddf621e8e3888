//! The documents that are measured with.

use serde_json::{Map, Value, json};

/// How many flags a usual document has.
pub(crate) const USUAL: usize = 350;

/// A document with many flags, of which each third has no rules, rules, or a share of users.
pub(crate) fn document(flags: usize, is_on: bool) -> String {
    let mut all = Map::new();
    for number in 0..flags {
        let mut flag = json!({"state": "ENABLED", "defaultVariant": "off",
            "variants": {"on": true, "off": false},
            "metadata": {"owner": "team-of-the-shop", "purpose": "a usual length of words here"}});
        match number % 3 {
            0 => {}
            1 => flag["targeting"] = targeting(),
            _ => flag["targeting"] = fractional(),
        }
        all.insert(format!("flag-{number:05}"), flag);
    }
    let switch = if is_on { "on" } else { "off" };
    all.insert(
        "switch".to_owned(),
        json!({"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": switch}),
    );
    json!({"metadata": {"flagSetId": "shop"}, "flags": all}).to_string()
}

fn targeting() -> Value {
    json!({"if": [
        {"and": [
            {"ends_with": [{"var": "email"}, "@example.com"]},
            {"in": [{"var": "country"}, ["ch", "de", "at"]]},
            {">=": [{"var": "age"}, 18]},
        ]},
        "on", "off"]})
}

fn fractional() -> Value {
    json!({"fractional": [["on", 10], ["off", 90]]})
}

/// A question of a usual user.
pub(crate) fn question(user: usize) -> String {
    json!({"context": {"targetingKey": format!("user-{user}"), "email": "somebody@example.com",
        "country": "ch", "age": 42, "plan": "pro"}})
    .to_string()
}
