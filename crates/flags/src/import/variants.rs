//! The values of a flag under names, since flagd's rules answer with names.

use serde_json::{Map, Value};

/// The most values of one flag.
const VARIANTS_MAX: usize = 1_000;

/// Values with their names, in order.
pub(super) struct Variants(Vec<(String, Value)>);

impl Variants {
    /// Names for values: `on` and `off` for the two truths, `value_0`… for others.
    pub(super) fn of(values: impl IntoIterator<Item = Value>) -> Result<Variants, String> {
        let mut named: Vec<(String, Value)> = Vec::new();
        for value in values {
            if named.iter().any(|(_, known)| *known == value) {
                continue;
            }
            let name = match &value {
                Value::Bool(true) => "on".to_owned(),
                Value::Bool(false) => "off".to_owned(),
                _ => format!("value_{}", named.len()),
            };
            named.push((name, value));
            if named.len() > VARIANTS_MAX {
                return Err(format!("it has more than {VARIANTS_MAX} values"));
            }
        }
        let kind = |value: &Value| match value {
            Value::Bool(_) => "truth",
            Value::String(_) => "text",
            Value::Number(_) => "number",
            Value::Object(_) => "object",
            Value::Array(_) | Value::Null => "list or null",
        };
        let mut kinds: Vec<&str> = named.iter().map(|(_, value)| kind(value)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        match kinds.as_slice() {
            [] => Err("it has no values".to_owned()),
            ["list or null"] => {
                Err("its values are lists or null, which flagd's format does not have".to_owned())
            }
            [_] => Ok(Variants(named)),
            _ => Err(format!("its values are of different types: {}", kinds.join(", "))),
        }
    }

    /// The name of a value.
    pub(super) fn name(&self, value: &Value) -> Result<String, String> {
        let found = self.0.iter().find(|(_, known)| known == value);
        found.map(|(name, _)| name.clone()).ok_or_else(|| format!("it serves {value}, not listed"))
    }

    /// The name of what it gives when a release is turned off, where that is plain.
    pub(super) fn off(&self) -> Option<&str> {
        let off = self.0.iter().find(|(_, value)| *value == Value::Bool(false));
        off.map(|(name, _)| name.as_str())
    }

    pub(super) fn written(&self) -> Map<String, Value> {
        self.0.iter().cloned().collect()
    }
}
