//! A set of flags ready to be asked: compiled once, immutable, shared between threads without
//! locks. It knows no revisions, releases or clients.

use crate::context::Context;
use crate::error::{FlagsError, PROBLEMS_MAX, Problem};
use crate::evaluation::{Evaluation, EvaluationError, Reason};
use crate::form::{FlagForm, FlagState, Form, Source};
use crate::logic::{Bucketing, Evaluators, Rule, Run, Value, compile};
use crate::text::{Kind, Member, quote};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A compiled set of flags.
#[derive(Debug)]
pub struct FlagSet {
    /// In the order of their keys.
    flags: Vec<Flag>,
    evaluators: Vec<Rule>,
    metadata: Arc<str>,
    bucketing: Bucketing,
    problems: Vec<Problem>,
}

/// How a document is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The generation of bucketing, whatever the document says.
    pub bucketing: Option<Bucketing>,
    /// What becomes of a flag whose rules cannot be compiled.
    pub broken_rules: BrokenRules,
}

/// What becomes of a flag whose rules cannot be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BrokenRules {
    /// The whole document is refused: for what is about to be put in force.
    #[default]
    Refuse,
    /// The flag answers with an error, the others as usual: for what is in force already.
    Serve,
}

#[derive(Debug)]
struct Flag {
    key: Box<str>,
    state: FlagState,
    variants: Vec<Variant>,
    default: Option<usize>,
    rules: Rules,
    metadata: Arc<str>,
}

#[derive(Debug)]
struct Variant {
    name: Box<str>,
    value: Box<str>,
}

#[derive(Debug)]
enum Rules {
    None,
    Some(Rule),
    Broken(String),
}

impl FlagSet {
    /// Reads, checks and compiles a document.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when the document is not of flagd's form, or a rule cannot be compiled.
    pub fn parse(text: &str) -> Result<FlagSet, FlagsError> {
        FlagSet::parse_with(text, &Options::default())
    }

    /// The same in another way.
    ///
    /// # Errors
    ///
    /// As of [`FlagSet::parse`]; what is wrong with rules is no error where they are to be served.
    pub fn parse_with(text: &str, options: &Options) -> Result<FlagSet, FlagsError> {
        let source = Source::parse(text.to_owned())?;
        let form = source.form()?;
        let pinned = pinned(&form, &source.text)?;
        let (evaluators, mut faults) = Evaluators::compile(form.evaluators, &source.text);
        let shared: Arc<str> = merged(&[], form.metadata, &source.text).into();
        let mut flags = Vec::with_capacity(form.flags.len());
        for flag in &form.flags {
            let compiled = flag.targeting.map(|rules| compile(rules, &source.text, &evaluators));
            let rules = match compiled {
                None => Rules::None,
                Some(Ok(compiled)) => Rules::Some(compiled.rule),
                Some(Err(fault)) => {
                    let why = fault.what.clone();
                    faults.push(fault);
                    Rules::Broken(why)
                }
            };
            flags.push(Flag::new(flag, rules, &form, &shared, &source.text));
        }
        let told = faults.iter().take(PROBLEMS_MAX);
        let mut problems: Vec<Problem> = told.map(|fault| fault.problem(&source.text)).collect();
        if options.broken_rules == BrokenRules::Refuse && !problems.is_empty() {
            return Err(problems.swap_remove(0).into());
        }
        flags.sort_by(|a, b| a.key.cmp(&b.key));
        let bucketing = options.bucketing.or(pinned).unwrap_or_default();
        Ok(FlagSet { flags, evaluators: evaluators.rules, metadata: shared, bucketing, problems })
    }

    /// The answer for one flag.
    pub fn evaluate(&self, key: &str, context: &Context<'_>) -> Evaluation<'_> {
        match self.flags.binary_search_by(|flag| (*flag.key).cmp(key)) {
            Ok(at) => self.answer(&self.flags[at], context),
            Err(_) => failed(EvaluationError::FlagNotFound, &self.metadata),
        }
    }

    /// The answers for all flags, in the order of their keys, disabled ones included.
    pub fn evaluate_all<'a>(
        &'a self,
        context: &'a Context<'_>,
    ) -> impl Iterator<Item = (&'a str, Evaluation<'a>)> + 'a {
        self.flags.iter().map(|flag| (&*flag.key, self.answer(flag, context)))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.flags.iter().map(|flag| &*flag.key)
    }

    /// How many flags there are.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// The place of a flag in the order of keys, by which answers can be counted or cached.
    pub fn position(&self, key: &str) -> Option<usize> {
        self.flags.binary_search_by(|flag| (*flag.key).cmp(key)).ok()
    }

    /// The names and values of the variants of the flag at a place, values as JSON.
    pub fn variants(&self, position: usize) -> impl Iterator<Item = (&str, &str)> {
        let flag = self.flags.get(position);
        let variants = flag.map_or(&[][..], |flag| &flag.variants);
        variants.iter().map(|variant| (&*variant.name, &*variant.value))
    }

    /// What is said of the set, as a JSON object.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// Which generation of bucketing decides.
    pub fn bucketing(&self) -> Bucketing {
        self.bucketing
    }

    /// Whether any answer may change by time alone.
    pub fn uses_time(&self) -> bool {
        let flags = self.flags.iter().filter_map(|flag| match &flag.rules {
            Rules::Some(rule) => Some(rule),
            Rules::None | Rules::Broken(_) => None,
        });
        flags.chain(&self.evaluators).any(Rule::uses_time)
    }

    /// The paths of the attributes by which a flag splits users.
    pub(crate) fn split_by(&self, key: &str) -> BTreeSet<Box<[Box<str>]>> {
        let mut paths = BTreeSet::new();
        let flag = self.position(key).map(|at| &self.flags[at].rules);
        let own = match flag {
            Some(Rules::Some(rule)) => Some(rule),
            _ => None,
        };
        // Shared rules are few; which of them the flag uses does not matter here.
        own.into_iter().chain(&self.evaluators).for_each(|rule| rule.split_by(&mut paths));
        paths
    }

    /// The rules that could not be compiled; none, unless they were to be served.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn answer<'s>(&'s self, flag: &'s Flag, context: &Context<'_>) -> Evaluation<'s> {
        let rule = match (flag.state, &flag.rules) {
            (FlagState::Disabled, _) => return flag.chosen(None, Reason::Disabled),
            (FlagState::Enabled, Rules::None) => return flag.fallback(Reason::Static),
            (FlagState::Enabled, Rules::Broken(why)) => {
                return failed(EvaluationError::Rules(why.clone()), &flag.metadata);
            }
            (FlagState::Enabled, Rules::Some(rule)) => rule,
        };
        // The run borrows from the context and from the set; only indices leave it.
        let mut run = Run::new(*context, Some(&flag.key), &self.evaluators, self.bucketing);
        match run.decide(rule) {
            Ok(Value::Null) => flag.fallback(Reason::Default),
            Ok(value) => match flag.variant(&value) {
                Some(at) => flag.chosen(Some(at), Reason::TargetingMatch),
                None => failed(EvaluationError::General(flag.no_such(&value)), &flag.metadata),
            },
            Err(halt) => failed(EvaluationError::General(halt.to_string()), &flag.metadata),
        }
    }
}

impl Flag {
    fn new(
        flag: &FlagForm<'_>,
        rules: Rules,
        form: &Form<'_>,
        shared: &Arc<str>,
        text: &str,
    ) -> Flag {
        let float = is_float(flag.variants, text);
        let variants: Vec<Variant> = flag
            .variants
            .iter()
            .map(|member| {
                let lexeme = member.value.lexeme(text);
                let point = float && !lexeme.contains(['.', 'e', 'E']);
                let value = if point { format!("{lexeme}.0") } else { lexeme.to_owned() };
                Variant { name: member.key.clone(), value: value.into() }
            })
            .collect();
        let default = flag.default.and_then(|name| variants.iter().position(|v| &*v.name == name));
        let metadata = if flag.metadata.is_empty() {
            Arc::clone(shared)
        } else {
            merged(form.metadata, flag.metadata, text).into()
        };
        Flag { key: flag.key.into(), state: flag.state, variants, default, rules, metadata }
    }

    fn fallback(&self, reason: Reason) -> Evaluation<'_> {
        // Without a default the code decides, and that is no fixed answer.
        let reason = if self.default.is_none() { Reason::Default } else { reason };
        self.chosen(self.default, reason)
    }

    fn chosen(&self, at: Option<usize>, reason: Reason) -> Evaluation<'_> {
        let variant = at.map(|at| &self.variants[at]);
        Evaluation {
            variant: variant.map(|variant| &*variant.name),
            value: variant.map(|variant| &*variant.value),
            reason,
            error: None,
            metadata: &self.metadata,
        }
    }

    /// The variant that a value of the rules names.
    fn variant(&self, value: &Value<'_>) -> Option<usize> {
        if matches!(value, Value::List(_) | Value::Json(_)) {
            return None;
        }
        let name = value.text();
        self.variants.iter().position(|variant| *variant.name == *name)
    }

    fn no_such(&self, value: &Value<'_>) -> String {
        let shown: String = value.to_json().to_string().chars().take(100).collect();
        let known: Vec<&str> = self.variants.iter().map(|variant| &*variant.name).collect();
        format!("the rules chose {shown}, which is no variant; there are: {}", known.join(", "))
    }
}

fn failed(error: EvaluationError, metadata: &str) -> Evaluation<'_> {
    Evaluation { variant: None, value: None, reason: Reason::Error, error: Some(error), metadata }
}

/// Whether a flag holds numbers with a point: then all its numbers are written with one, since
/// clients of some languages keep the two apart.
fn is_float(variants: &[Member], text: &str) -> bool {
    variants.iter().any(|member| {
        matches!(member.value.kind, Kind::Number(_))
            && member.value.lexeme(text).contains(['.', 'e', 'E'])
    })
}

/// The generation that a document pins.
fn pinned(form: &Form<'_>, text: &str) -> Result<Option<Bucketing>, Problem> {
    let Some(member) = form.metadata.iter().find(|member| &*member.key == "bucketing") else {
        return Ok(None);
    };
    if let Some(bucketing) = member.value.as_str().and_then(Bucketing::of) {
        return Ok(Some(bucketing));
    }
    let what = "this generation of bucketing is not known";
    let problem = Problem::new(text, &member.value.span(), what);
    Err(problem.hint("it is \"v2\" or \"v3\"; a change re-assigns users"))
}

/// Two objects as one; the second one holds where both say something.
fn merged(first: &[Member], second: &[Member], text: &str) -> String {
    let own = |member: &&Member| !second.iter().any(|other| other.key == member.key);
    let members: Vec<String> = first
        .iter()
        .filter(own)
        .chain(second)
        .map(|member| format!("{}:{}", quote(&member.key), member.value.lexeme(text)))
        .collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(flag: &str, context: &serde_json::Value, expected: &str) {
        let text = format!(r#"{{"flags":{{"f":{flag}}}}}"#);
        let options = Options { broken_rules: BrokenRules::Serve, ..Options::default() };
        let set = FlagSet::parse_with(&text, &options).expect("a good document");
        let context = Context::new(context, 1000).expect("a good context");
        let found = set.evaluate("f", &context);
        let error = found.error.as_ref().map_or("", EvaluationError::code);
        let (variant, value) = (found.variant.unwrap_or("-"), found.value.unwrap_or("-"));
        assert_eq!(format!("{variant} {value} {} {error}", found.reason.as_str()).trim(), expected);
    }

    #[test]
    fn answers() {
        let on = r#""variants":{"on":true,"off":false}"#;
        let ask = |rest: &str, expected: &str| {
            check(
                &format!(r#"{{"state":"ENABLED",{on}{rest}}}"#),
                &json!({"a": "b", "n": 1}),
                expected,
            );
        };
        ask("", "- - DEFAULT");
        ask(r#","defaultVariant":"off""#, "off false STATIC");
        ask(r#","defaultVariant":"off","targeting":{}"#, "off false STATIC");
        ask(r#","defaultVariant":"off","targeting":{"if":[true,null]}"#, "off false DEFAULT");
        ask(r#","targeting":{"var":"missing"}"#, "- - DEFAULT");
        ask(r#","targeting":{"if":[{"==":[{"var":"a"},"b"]},"on"]}"#, "on true TARGETING_MATCH");
        ask(r#","targeting":{"cat":"x"}"#, "- - ERROR GENERAL");
        ask(r#","targeting":{"nope":1}"#, "- - ERROR PARSE_ERROR");
        ask(
            r#","targeting":{"if":[{"==":[{"var":"$flagd.flagKey"},"f"]},"on"]}"#,
            "on true TARGETING_MATCH",
        );
        ask(
            r#","targeting":{"if":[{"==":[{"var":"$flagd.timestamp"},1000]},"on"]}"#,
            "on true TARGETING_MATCH",
        );
        let off = format!(r#"{{"state":"DISABLED",{on},"defaultVariant":"on"}}"#);
        check(&off, &json!({}), "- - DISABLED");
    }

    #[test]
    fn values_that_are_no_text_name_variants_too() {
        let ask = |rule: &str, expected: &str| {
            let variants = r#"{"true":1,"2":2,"2.5":3,"[1]":4}"#;
            let flag = format!(r#"{{"state":"ENABLED","variants":{variants},"targeting":{rule}}}"#);
            check(&flag, &json!({"one": [1]}), expected);
        };
        ask(r#"{"==":[1,1]}"#, "true 1 TARGETING_MATCH");
        ask(r#"{"+":[1,1]}"#, "2 2 TARGETING_MATCH");
        ask(r#"{"+":[1,1.5]}"#, "2.5 3 TARGETING_MATCH");
        ask(r#"{"var":"one"}"#, "- - ERROR GENERAL");
    }

    #[test]
    fn numbers_are_served_as_they_were_written() {
        let ask = |variants: &str, expected: &str| {
            let flag =
                format!(r#"{{"state":"ENABLED","variants":{variants},"defaultVariant":"a"}}"#);
            check(&flag, &json!({}), expected);
        };
        ask(r#"{"a":1}"#, "a 1 STATIC");
        ask(r#"{"a":1.0}"#, "a 1.0 STATIC");
        ask(r#"{"a":1.50}"#, "a 1.50 STATIC");
        ask(r#"{"a":12345678901234567890}"#, "a 12345678901234567890 STATIC");
        ask(r#"{"a":10,"b":0.5}"#, "a 10.0 STATIC");
        ask(r#"{"a":-3,"b":1e3}"#, "a -3.0 STATIC");
        ask(r#"{"a":{"x":1}}"#, "a {\"x\":1} STATIC");
    }

    #[test]
    fn metadata_of_the_flag_comes_before_that_of_the_set() {
        let text = r#"{"metadata":{"a":1,"b":"x"},"flags":{
            "f":{"state":"ENABLED","variants":{"x":1},"metadata":{"b":2.50,"c":true}},
            "g":{"state":"ENABLED","variants":{"x":1}}}}"#;
        let set = FlagSet::parse(text).expect("a good document");
        let empty = json!({});
        let context = Context::new(&empty, 0).expect("a good context");
        let check = |key: &str, expected: &str| {
            assert_eq!(set.evaluate(key, &context).metadata, expected);
        };
        check("f", r#"{"a":1,"b":2.50,"c":true}"#);
        check("g", r#"{"a":1,"b":"x"}"#);
        check("h", r#"{"a":1,"b":"x"}"#);
        assert_eq!(set.metadata(), r#"{"a":1,"b":"x"}"#);
        let all: Vec<&str> = set.evaluate_all(&context).map(|(key, _)| key).collect();
        assert_eq!(all, ["f", "g"]);
    }

    #[test]
    fn time_is_seen_wherever_it_is_used() {
        let check = |rule: &str, expected: bool| {
            let text = format!(
                r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"x":1}},"targeting":{rule}}}}},
                    "$evaluators":{{"e":{{"var":"a"}}}}}}"#
            );
            assert_eq!(FlagSet::parse(&text).map(|set| set.uses_time()), Ok(expected), "{rule}");
        };
        check(r#"{"if":[{"<":[{"var":"$flagd.timestamp"},1]},"x"]}"#, true);
        check(r#"{"var":["a",{"var":["$flagd.timestamp"]}]}"#, true);
        check(r#"{"var":{"cat":["$flagd.","timestamp"]}}"#, true);
        check(r#"{"cat":[["x",{"var":"$flagd.timestamp"}]]}"#, true);
        check(r#"{"if":[{"$ref":"e"},{"var":"$flagd.flagKey"},{"var":"timestamp"}]}"#, false);
    }

    #[test]
    fn broken_rules_and_generations_are_refused() {
        let refused = |text: &str, part: &str| match FlagSet::parse(text) {
            Ok(_) => panic!("{text} is taken"),
            Err(error) => assert!(format!("{error:#}").contains(part), "{error:#}"),
        };
        let rule = |rule: &str| {
            format!(
                r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"x":1}},"targeting":{rule}}}}}}}"#
            )
        };
        refused(&rule(r#"{"starts-with":[1]}"#), "did you mean `starts_with`?");
        refused(&rule(r#"{"$ref":"x"}"#), "no rule `x`");
        refused(r#"{"flags":{},"metadata":{"bucketing":"v1"}}"#, "it is \"v2\" or \"v3\"");
        refused(
            r#"{"flags":{},"$evaluators":{"a":{"!":{"$ref":"b"}},"b":{"$ref":"a"}}}"#,
            "refers to itself",
        );
        let pinned = r#"{"flags":{},"metadata":{"bucketing":"v2"}}"#;
        assert_eq!(FlagSet::parse(pinned).map(|set| set.bucketing()), Ok(Bucketing::V2));
        let forced = Options { bucketing: Some(Bucketing::V3), ..Options::default() };
        let forced = FlagSet::parse_with(pinned, &forced).map(|set| set.bucketing());
        assert_eq!(forced, Ok(Bucketing::V3));
    }
}
