//! What is known of the one who asks: attributes as JSON, bounded, and the time, which comes in.

use serde_json::Value;
use thiserror::Error;

/// How deep attributes may nest.
const DEPTH_MAX: usize = 32;
/// How many values there may be, and how many bytes their texts may have in all.
const VALUES_MAX: usize = 20_000;
const BYTES_MAX: usize = 1 << 20;

/// The attributes of the one who asks, and when.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub(crate) attributes: &'a Value,
    /// None only where rules are tried without a flag.
    pub(crate) unix_seconds: Option<i64>,
}

/// Why attributes are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadContext {
    /// They are not an object.
    #[error("the context is not an object; send {{\"context\": {{\"targetingKey\": \"...\"}}}}")]
    NotAnObject,
    /// They nest too deep.
    #[error("the context nests deeper than {DEPTH_MAX} levels; send it flatter")]
    TooDeep,
    /// They are too many or too long.
    #[error("the context has more than {VALUES_MAX} values or {BYTES_MAX} bytes; send less")]
    TooLarge,
}

impl<'a> Context<'a> {
    /// Attributes, which must be an object, and the time.
    ///
    /// # Errors
    ///
    /// [`BadContext`] when they are no object, nest too deep, or are too large.
    pub fn new(attributes: &'a Value, unix_seconds: i64) -> Result<Context<'a>, BadContext> {
        if !attributes.is_object() {
            return Err(BadContext::NotAnObject);
        }
        let mut left = Left { values: VALUES_MAX, bytes: BYTES_MAX };
        left.take(attributes, DEPTH_MAX)?;
        Ok(Context { attributes, unix_seconds: Some(unix_seconds) })
    }
}

/// How much is still allowed.
struct Left {
    values: usize,
    bytes: usize,
}

impl Left {
    fn take(&mut self, value: &Value, depth: usize) -> Result<(), BadContext> {
        self.values = self.values.checked_sub(1).ok_or(BadContext::TooLarge)?;
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                let depth = depth.checked_sub(1).ok_or(BadContext::TooDeep)?;
                items.iter().try_for_each(|item| self.take(item, depth))
            }
            Value::Object(members) => {
                let depth = depth.checked_sub(1).ok_or(BadContext::TooDeep)?;
                members.iter().try_for_each(|(key, value)| {
                    self.text(key)?;
                    self.take(value, depth)
                })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), BadContext> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or(BadContext::TooLarge)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(value: &Value, expected: Result<(), BadContext>) {
        assert_eq!(Context::new(value, 0).map(|_| ()), expected);
    }

    #[test]
    fn bounds() {
        check(&json!({}), Ok(()));
        check(&json!({"targetingKey": "u1", "a": {"b": [1, 2, null]}}), Ok(()));
        for value in [json!(null), json!([]), json!("x"), json!(1)] {
            check(&value, Err(BadContext::NotAnObject));
        }
        let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
        check(&nested(DEPTH_MAX), Ok(()));
        check(&nested(DEPTH_MAX + 1), Err(BadContext::TooDeep));
        check(&json!({"a": vec![0; VALUES_MAX - 2]}), Ok(()));
        check(&json!({"a": vec![0; VALUES_MAX - 1]}), Err(BadContext::TooLarge));
        check(&json!({"a": "x".repeat(BYTES_MAX - 1)}), Ok(()));
        check(&json!({"a": "x".repeat(BYTES_MAX)}), Err(BadContext::TooLarge));
    }
}
