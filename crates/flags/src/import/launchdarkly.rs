//! `LaunchDarkly`: what `/sdk/latest-all` answers, or a file of its form. The form is documented as
//! internal, so that whatever is not known is refused.

use super::logic::{all, any, any_of, attribute, element, first, not};
use super::moved::{Split, Way};
use super::notes::{Notes, Read, deeper, entry, list};
use super::variants::Variants;
use super::{Flag, Flags, ImportError};
use serde_json::{Value, json};

/// All weights of a percentage together.
const WEIGHT_ALL: u32 = 100_000;

/// All flags of an export.
pub(super) fn flags(export: &Value) -> Result<Flags, ImportError> {
    let other = |why| ImportError::OtherForm { service: "LaunchDarkly", why };
    let flags = export.get("flags").and_then(Value::as_object);
    let flags = flags.ok_or_else(|| other("there is no object `flags`"))?;
    let reader = Reader { export };
    Ok(flags.keys().map(|key| (key.clone(), reader.flag(key))).collect())
}

struct Reader<'a> {
    export: &'a Value,
}

impl Reader<'_> {
    fn flag(&self, key: &str) -> Read<Flag> {
        let mut notes = Notes::default();
        let (variants, default_variant, targeting) = self.rules(key, &mut notes, 0)?;
        let Notes { because, splits } = notes;
        Ok(Flag { variants, default_variant, targeting, because, splits })
    }

    /// The variants of a flag, what it gives where no rule decides, and its rules.
    fn rules(
        &self,
        key: &str,
        notes: &mut Notes,
        depth: usize,
    ) -> Read<(Variants, Option<String>, Option<Value>)> {
        let flag = entry(self.export, "flags", key);
        let flag = flag.ok_or_else(|| format!("it needs the flag {key}, which is not there"))?;
        let variants = Variants::of(list(flag, "variations").iter().cloned())?;
        let named = |index: &Value| name(flag, &variants, index);
        let off = flag.get("offVariation").filter(|index| !index.is_null());
        let off = off.map(named).transpose()?;
        if flag.get("on") != Some(&json!(true)) {
            return Ok((variants, off, None));
        }
        let mut cases = Vec::new();
        for needed in list(flag, "prerequisites") {
            let met = self.met(needed, notes, depth)?;
            let off = off.clone().ok_or("it needs another flag and has no off variation")?;
            cases.push((not(&met), json!(off)));
        }
        for target in list(flag, "targets").iter().chain(list(flag, "contextTargets")) {
            user_only(target)?;
            let users = list(target, "values");
            if !users.is_empty() {
                let name = named(target.get("variation").unwrap_or(&Value::Null))?;
                cases.push((json!({"in": [attribute("targetingKey"), users]}), json!(name)));
            }
        }
        for rule in list(flag, "rules") {
            let clauses = list(rule, "clauses").iter();
            let clauses = clauses.map(|clause| self.clause(clause, notes, depth));
            let when = all(clauses.collect::<Read<Vec<Value>>>()?);
            cases.push((when, served(key, flag, rule, &variants, notes)?));
        }
        let fallthrough = flag.get("fallthrough").unwrap_or(&Value::Null);
        let otherwise = served(key, flag, fallthrough, &variants, notes)?;
        match otherwise.as_str() {
            Some(name) if cases.is_empty() => Ok((variants, Some(name.to_owned()), None)),
            _ => {
                // Where a percentage has nothing to go by, the first part gets everybody.
                let default = otherwise.as_str().map(str::to_owned);
                let default = default.or_else(|| first_part(&otherwise)).or(off);
                Ok((variants, default, Some(first(cases, otherwise))))
            }
        }
    }

    /// Whether another flag gives what this one needs.
    fn met(&self, needed: &Value, notes: &mut Notes, depth: usize) -> Read<Value> {
        let key = needed.get("key").and_then(Value::as_str).ok_or("it needs a flag without key")?;
        let flag = entry(self.export, "flags", key);
        let flag = flag.ok_or_else(|| format!("it needs the flag {key}, which is not there"))?;
        // A flag that is off gives its off variation and still meets nothing.
        if flag.get("on") != Some(&json!(true)) {
            return Ok(json!(false));
        }
        let (variants, default, rules) = self.rules(key, notes, deeper(depth)?)?;
        let wanted = name(flag, &variants, needed.get("variation").unwrap_or(&Value::Null))?;
        let given = rules.unwrap_or_else(|| json!(default));
        Ok(json!({"===": [given, wanted]}))
    }

    fn clause(&self, clause: &Value, notes: &mut Notes, depth: usize) -> Read<Value> {
        let op = clause.get("op").and_then(Value::as_str).unwrap_or_default();
        let negate = clause.get("negate") == Some(&json!(true));
        let values = list(clause, "values");
        if op == "segmentMatch" {
            let inside = values.iter().map(|key| self.segment(key, notes, depth));
            let inside = any(inside.collect::<Read<Vec<Value>>>()?);
            return Ok(if negate { not(&inside) } else { inside });
        }
        user_only(clause)?;
        let name = clause.get("attribute").and_then(Value::as_str).unwrap_or_default();
        let name = match name {
            "key" => "targetingKey",
            "" | "kind" => return Err(format!("a rule asks for the attribute `{name}`")),
            _ if name.contains(['/', '.', '~']) => {
                return Err(format!("a rule asks for the attribute `{name}`, which has parts"));
            }
            name => name,
        };
        let attribute = attribute(name);
        let tests = values.iter().map(|value| test(op, value, notes));
        let holds = any_of(&attribute, &any(tests.collect::<Read<Vec<Value>>>()?));
        if !negate {
            return Ok(holds);
        }
        // Who has no such attribute matches neither way.
        Ok(all(vec![json!({"!=": [attribute, null]}), not(&holds)]))
    }

    /// Whether a user belongs to a segment.
    fn segment(&self, key: &Value, notes: &mut Notes, depth: usize) -> Read<Value> {
        let key = key.as_str().unwrap_or_default();
        let segment = entry(self.export, "segments", key);
        let segment = segment.ok_or_else(|| format!("the segment {key} is not there"))?;
        if segment.get("unbounded") == Some(&json!(true)) {
            return Err(format!("the segment {key} is kept at the service, not in the export"));
        }
        if !list(segment, "includedContexts").is_empty()
            || !list(segment, "excludedContexts").is_empty()
        {
            return Err(format!("the segment {key} is of other things than users"));
        }
        let depth = deeper(depth)?;
        let among = |name| json!({"in": [attribute("targetingKey"), list(segment, name)]});
        let mut rules = Vec::new();
        for rule in list(segment, "rules") {
            if rule.get("weight").is_some_and(|weight| weight != WEIGHT_ALL) {
                return Err(format!("the segment {key} is a percentage"));
            }
            let clauses = list(rule, "clauses").iter();
            let clauses = clauses.map(|clause| self.clause(clause, notes, depth));
            rules.push(all(clauses.collect::<Read<Vec<Value>>>()?));
        }
        let not_excluded = all(vec![not(&among("excluded")), any(rules)]);
        Ok(any(vec![among("included"), not_excluded]))
    }
}

/// A test of one element of an attribute against one value.
fn test(op: &str, value: &Value, notes: &mut Notes) -> Read<Value> {
    let element = element();
    let compared = |sign: &str, notes: &mut Notes| {
        notes.add("text that looks like a number is compared as one");
        json!({sign: [element, value]})
    };
    Ok(match op {
        "in" => json!({"===": [element, value]}),
        "startsWith" => json!({"starts_with": [element, value]}),
        "endsWith" => json!({"ends_with": [element, value]}),
        "contains" => json!({"in": [value, element]}),
        "lessThan" => compared("<", notes),
        "lessThanOrEqual" => compared("<=", notes),
        "greaterThan" => compared(">", notes),
        "greaterThanOrEqual" => compared(">=", notes),
        "before" | "after" if value.is_number() => {
            notes.add("moments are compared as milliseconds; written as dates they do not match");
            json!({if op == "before" { "<" } else { ">" }: [element, value]})
        }
        "semVerEqual" => json!({"sem_ver": [element, "=", value]}),
        "semVerLessThan" => json!({"sem_ver": [element, "<", value]}),
        "semVerGreaterThan" => json!({"sem_ver": [element, ">", value]}),
        _ => return Err(format!("a rule uses `{op}` with {value}, which flagd's format lacks")),
    })
}

/// What a rule or the fallthrough serves: a variant's name, or a division by percentage.
fn served(
    key: &str,
    flag: &Value,
    rule: &Value,
    variants: &Variants,
    notes: &mut Notes,
) -> Read<Value> {
    if let Some(index) = rule.get("variation").filter(|index| !index.is_null()) {
        return Ok(json!(name(flag, variants, index)?));
    }
    let rollout = rule.get("rollout").ok_or("a rule serves nothing")?;
    user_only(rollout)?;
    let mut parts: Vec<(String, u32)> = Vec::new();
    for part in list(rollout, "variations") {
        let index = part.get("variation").unwrap_or(&Value::Null);
        let weight = part.get("weight").and_then(Value::as_u64).unwrap_or(0);
        let weight = u32::try_from(weight).map_err(|_| "a weight is too large")?;
        parts.push((name(flag, variants, index)?, weight.min(WEIGHT_ALL)));
    }
    let whole = parts.iter().find(|(_, weight)| *weight == WEIGHT_ALL);
    if let Some((name, _)) = whole {
        return Ok(json!(name));
    }
    // Rounding at the service leaves something over, which is the last one's.
    let sum: u32 = parts.iter().map(|(_, weight)| weight).sum();
    let end = parts.last_mut().ok_or("a percentage has no parts")?;
    end.1 += WEIGHT_ALL.saturating_sub(sum);
    let by = rollout.get("bucketBy").and_then(Value::as_str).unwrap_or("key");
    let by = if by == "key" { "targetingKey" } else { by };
    let salt = flag.get("salt").and_then(Value::as_str).unwrap_or_default();
    let seed = rollout.get("seed").filter(|seed| !seed.is_null());
    let prefix = seed.map_or_else(|| format!("{key}.{salt}."), |seed| format!("{seed}."));
    let mut list = vec![json!({"cat": [prefix, attribute(by)]})];
    list.extend(parts.iter().map(|(name, weight)| json!([name, weight])));
    let rule = json!({"fractional": list});
    notes.add("users are divided by another hash, so some get another variant");
    if by == "targetingKey" {
        let way = Way::LaunchDarkly { prefix };
        notes.splits.push(Split { way, parts, rule: rule.clone() });
    }
    Ok(rule)
}

/// The first part of a division.
fn first_part(rule: &Value) -> Option<String> {
    Some(rule.get("fractional")?.get(1)?.get(0)?.as_str()?.to_owned())
}

/// The name of a variation by its number.
fn name(flag: &Value, variants: &Variants, index: &Value) -> Read<String> {
    let at = index.as_u64().and_then(|at| usize::try_from(at).ok());
    let value = at.and_then(|at| list(flag, "variations").get(at));
    variants.name(value.ok_or_else(|| format!("there is no variation {index}"))?)
}

/// Rules about anything but users cannot be said: a context of flagd's has no kinds.
fn user_only(part: &Value) -> Read<()> {
    match part.get("contextKind").and_then(Value::as_str) {
        None | Some("user" | "") => Ok(()),
        Some(kind) => Err(format!("it is about contexts of the kind `{kind}`, not about users")),
    }
}
