//! `ConfigCat`: a `config_v6.json`. Comparisons against hashes of secret values can be computed
//! but not written down as rules, so they are refused.

use super::logic::{all, any, attribute, element, first, not};
use super::moved::{Split, Way};
use super::notes::{Notes, Read, deeper, entry, list};
use super::variants::Variants;
use super::{Flag, Flags, ImportError};
use serde_json::{Value, json};

/// All settings of an export.
pub(super) fn flags(export: &Value) -> Result<Flags, ImportError> {
    let other = |why| ImportError::OtherForm { service: "ConfigCat", why };
    let flags = export.get("f").and_then(Value::as_object);
    let flags = flags.ok_or_else(|| other("there is no object `f`"))?;
    if export.pointer("/p").is_none_or(|p| !p.is_object()) {
        return Err(other("there is no object `p`, so it is not of version 6"));
    }
    let reader = Reader { export };
    Ok(flags.keys().map(|key| (key.clone(), reader.flag(key))).collect())
}

struct Reader<'a> {
    export: &'a Value,
}

impl Reader<'_> {
    fn flag(&self, key: &str) -> Read<Flag> {
        let mut notes = Notes::default();
        let (variants, default, targeting) = self.rules(key, &mut notes, 0)?;
        let Notes { because, splits } = notes;
        Ok(Flag { variants, default_variant: Some(default), targeting, because, splits })
    }

    /// The variants of a setting, what it gives where no rule decides, and its rules.
    fn rules(
        &self,
        key: &str,
        notes: &mut Notes,
        depth: usize,
    ) -> Read<(Variants, String, Option<Value>)> {
        let setting = entry(self.export, "f", key);
        let setting = setting.ok_or_else(|| format!("it needs the flag {key}, not there"))?;
        let default = value(setting)?;
        let parts = |of: &Value| list(of, "p").iter().map(value).collect::<Read<Vec<Value>>>();
        let mut values = vec![default.clone()];
        values.extend(parts(setting)?);
        for rule in list(setting, "r") {
            values.extend(rule.get("s").map(value).transpose()?);
            values.extend(parts(rule)?);
        }
        let variants = Variants::of(values)?;
        let default = variants.name(&default)?;

        let by = setting.get("a").and_then(Value::as_str).unwrap_or("Identifier");
        let mut cases = Vec::new();
        for rule in list(setting, "r") {
            let conditions = list(rule, "c").iter();
            let conditions = conditions.map(|one| self.condition(one, notes, depth));
            let when = all(conditions.collect::<Read<Vec<Value>>>()?);
            if let Some(served) = rule.get("s") {
                cases.push((when, json!(variants.name(&value(served)?)?)));
            } else {
                // Who has nothing to be divided by goes on to the next rule there.
                let split = divided(key, by, list(rule, "p"), &variants, notes)?;
                cases.push((all(vec![when, has(by)]), split));
            }
        }
        if !list(setting, "p").is_empty() {
            let split = divided(key, by, list(setting, "p"), &variants, notes)?;
            cases.push((has(by), split));
        }
        let targeting = (!cases.is_empty()).then(|| first(cases, json!(default)));
        Ok((variants, default, targeting))
    }

    fn condition(&self, condition: &Value, notes: &mut Notes, depth: usize) -> Read<Value> {
        if let Some(user) = condition.get("u") {
            return compared(user, notes);
        }
        if let Some(needed) = condition.get("p") {
            let key = needed.get("f").and_then(Value::as_str).unwrap_or_default();
            let (variants, default, rules) = self.rules(key, notes, deeper(depth)?)?;
            let wanted = needed.get("v").ok_or("it needs a flag without a value")?;
            let wanted = plain(wanted).ok_or("it needs a flag without a value")?;
            // A value that the flag never has is never met.
            let wanted = variants.name(&wanted).unwrap_or_default();
            let met = json!({"===": [rules.unwrap_or_else(|| json!(default)), wanted]});
            let equal = needed.get("c").and_then(Value::as_u64) == Some(0);
            return Ok(if equal { met } else { not(&met) });
        }
        let segment = condition.get("s").ok_or("a condition of an unknown sort")?;
        let at = segment.get("s").and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
        let found = at.and_then(|at| list(self.export, "s").get(at));
        let found = found.ok_or("it needs a segment that is not there")?;
        let tests = list(found, "r").iter().map(|user| compared(user, notes));
        let tests = tests.collect::<Read<Vec<Value>>>()?;
        if segment.get("c").and_then(Value::as_u64) == Some(0) {
            return Ok(all(tests));
        }
        // Who lacks an attribute of the segment is neither in it nor out of it.
        let names = list(found, "r").iter().filter_map(|user| user.get("a")?.as_str());
        let mut known: Vec<Value> = names.map(has).collect();
        known.push(not(&all(tests)));
        Ok(all(known))
    }
}

/// A comparison of an attribute. Who lacks it matches no comparison, the negative ones included.
fn compared(user: &Value, notes: &mut Notes) -> Read<Value> {
    let name = user.get("a").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.contains('.') {
        return Err(format!("a rule asks for the attribute `{name}`"));
    }
    let comparator = user.get("c").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let attribute = attribute(own(name));
    let listed = || list(user, "l");
    let each = |test: &dyn Fn(&Value) -> Value| any(listed().iter().map(test).collect());
    let single = user.get("s").or(user.get("d")).unwrap_or(&Value::Null);
    let number = |sign: &str, notes: &mut Notes| {
        notes
            .add("text that is no number is compared as nothing, where the service skips the rule");
        json!({sign: [attribute, single]})
    };
    let version = |sign: &str, wanted: &Value| json!({"sem_ver": [attribute, sign, wanted]});
    let among = || json!({"in": [attribute, listed()]});
    let contains = || each(&|part| json!({"in": [part, attribute]}));
    let starts = || each(&|part| json!({"starts_with": [attribute, part]}));
    let ends = || each(&|part| json!({"ends_with": [attribute, part]}));
    let shares = || json!({"some": [attribute, {"in": [element(), listed()]}]});
    let test = match comparator {
        0 => among(),
        1 => not(&among()),
        2 => contains(),
        3 => not(&contains()),
        4 => each(&|wanted| version("=", wanted)),
        5 => not(&each(&|wanted| version("=", wanted))),
        6 => version("<", single),
        7 => version("<=", single),
        8 => version(">", single),
        9 => version(">=", single),
        10 => number("==", notes),
        11 => number("!=", notes),
        12 | 18 => number("<", notes),
        13 => number("<=", notes),
        14 | 19 => number(">", notes),
        15 => number(">=", notes),
        28 => json!({"===": [attribute, single]}),
        29 => json!({"!==": [attribute, single]}),
        30 => starts(),
        31 => not(&starts()),
        32 => ends(),
        33 => not(&ends()),
        34 => shares(),
        35 => not(&shares()),
        16 | 17 | 20..=27 => {
            return Err("a rule compares with hashes of secret values, which cannot be read".into());
        }
        _ => return Err(format!("a rule uses the unknown comparator {comparator}")),
    };
    if comparator == 5 {
        notes.add("text that is no version matches «not one of», where the service skips the rule");
    }
    Ok(all(vec![has(name), test]))
}

/// A division of users by percentage.
fn divided(
    key: &str,
    by: &str,
    options: &[Value],
    variants: &Variants,
    notes: &mut Notes,
) -> Read<Value> {
    let mut parts = Vec::new();
    for option in options {
        let percent = option.get("p").and_then(Value::as_u64).unwrap_or(0);
        let percent = u32::try_from(percent).map_err(|_| "a percentage is too large")?;
        parts.push((variants.name(&value(option)?)?, percent));
    }
    if parts.iter().map(|(_, percent)| u64::from(*percent)).sum::<u64>() != 100 {
        return Err("its percentages do not add up to 100".to_owned());
    }
    let mut list = vec![json!({"cat": [key, attribute(own(by))]})];
    list.extend(parts.iter().map(|(name, percent)| json!([name, percent])));
    let rule = json!({"fractional": list});
    notes.add("users are divided by another hash, so some get another variant");
    if by == "Identifier" {
        let way = Way::ConfigCat { key: key.to_owned() };
        notes.splits.push(Split { way, parts, rule: rule.clone() });
    }
    Ok(rule)
}

/// Whether a user has an attribute: an empty text is none.
fn has(name: &str) -> Value {
    let attribute = attribute(own(name));
    all(vec![json!({"!==": [attribute, null]}), json!({"!==": [attribute, ""]})])
}

/// An attribute's name here.
fn own(name: &str) -> &str {
    if name == "Identifier" { "targetingKey" } else { name }
}

/// What a setting, a rule or a part serves.
fn value(of: &Value) -> Read<Value> {
    of.get("v").and_then(plain).ok_or_else(|| "it serves nothing".to_owned())
}

/// A value, whatever its type.
fn plain(value: &Value) -> Option<Value> {
    ["b", "s", "i", "d"].iter().find_map(|kind| value.get(*kind)).cloned()
}
