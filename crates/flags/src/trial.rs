//! Trying a rule by itself, over any data: for people who write rules, and for suites of rules.

use crate::context::Context;
use crate::error::{FlagsError, Problem};
use crate::form::Source;
use crate::logic::{Bucketing, Evaluators, Run, compile};
use serde_json::Value;

/// The value of a rule, given as JSON, over some data.
///
/// # Errors
///
/// [`FlagsError`] when the rule cannot be compiled, or is too much work.
pub fn try_rule(rule: &str, data: &Value, bucketing: Bucketing) -> Result<Value, FlagsError> {
    let source = Source::parse(rule.to_owned())?;
    let compiled = compile(&source.root, &source.text, &Evaluators::none());
    let compiled = compiled.map_err(|fault| fault.problem(rule))?;
    let context = Context { attributes: data, unix_seconds: None };
    let mut run = Run::new(context, None, &[], bucketing);
    let found = run.decide(&compiled.rule);
    let found = found.map_err(|halt| Problem::new(rule, &source.root.span(), halt.to_string()))?;
    Ok(found.to_json())
}
