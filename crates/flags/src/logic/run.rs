//! Evaluating a compiled rule over a context. The work is counted, so that no rule can hold a
//! server up; the depth of rules was bounded when they were compiled.

use crate::context::Context;
use crate::logic::rule::Path;
use crate::logic::{Bucketing, Operator, Rule, Value, compare, list, sem_ver, string};
use std::borrow::Cow;
use std::cmp::Ordering;
use thiserror::Error;

/// The most steps of one evaluation: some milliseconds.
const WORK_MAX: usize = 200_000;

/// One evaluation.
pub(crate) struct Run<'a> {
    pub(crate) context: Context<'a>,
    /// The flag that is evaluated; none where a rule is tried by itself.
    pub(crate) flag: Option<&'a str>,
    pub(crate) evaluators: &'a [Rule],
    pub(crate) bucketing: Bucketing,
    work_left: usize,
}

/// Why an evaluation was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Halt {
    #[error("the rules need more than {WORK_MAX} steps for this context")]
    Work,
    #[error("the rules make lists that nest too deep")]
    Depth,
}

/// What attributes are looked up in: the context, or an element of a list that is walked.
#[derive(Clone, Copy)]
pub(crate) enum Data<'d, 'a> {
    Context,
    Value(&'d Value<'a>),
    Reduce { current: &'d Value<'a>, accumulator: &'d Value<'a> },
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        context: Context<'a>,
        flag: Option<&'a str>,
        evaluators: &'a [Rule],
        bucketing: Bucketing,
    ) -> Run<'a> {
        Run { context, flag, evaluators, bucketing, work_left: WORK_MAX }
    }

    /// What a rule says of the context.
    pub(crate) fn decide(&mut self, rule: &'a Rule) -> Result<Value<'a>, Halt> {
        self.value(rule, Data::Context)
    }

    /// The value of a rule.
    pub(crate) fn value(&mut self, rule: &'a Rule, data: Data<'_, 'a>) -> Result<Value<'a>, Halt> {
        self.work(1)?;
        match rule {
            Rule::Constant(json) => Ok(Value::from(json)),
            Rule::List(rules) => self.list(rules, data),
            Rule::Attribute { path, otherwise } => match self.attribute(path, data)? {
                Some(value) => Ok(value),
                None => self.otherwise(otherwise.as_deref(), data),
            },
            Rule::Computed { path, otherwise } => {
                let path = self.value(path, data)?;
                self.charge(&path)?;
                match self.attribute_named(&path.added_text(), data)? {
                    Some(value) => Ok(value),
                    None => self.otherwise(otherwise.as_deref(), data),
                }
            }
            Rule::Call { operator, arguments } => self.call(*operator, arguments, data),
            Rule::Reference(at) => self.value(&self.evaluators[*at], data),
        }
    }

    fn otherwise(&mut self, rule: Option<&'a Rule>, data: Data<'_, 'a>) -> Result<Value<'a>, Halt> {
        rule.map_or(Ok(Value::Null), |rule| self.value(rule, data))
    }

    fn call(
        &mut self,
        operator: Operator,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        use Operator as O;
        match operator {
            O::If => self.choose(arguments, data),
            O::And => self.until(arguments, data, false),
            O::Or => self.until(arguments, data, true),
            O::Map | O::Filter | O::All | O::None | O::Some => self.each(operator, arguments, data),
            O::Reduce => self.reduce(arguments, data),
            O::Merge => self.merge(arguments, data),
            O::Missing => self.missing(arguments, data),
            O::MissingSome => self.missing_some(arguments, data),
            O::Fractional => self.fractional(arguments, data),
            O::Not => Ok(Value::Bool(!self.argument(arguments, 0, data)?.truth())),
            O::Truth => Ok(Value::Bool(self.argument(arguments, 0, data)?.truth())),
            O::Log => self.argument(arguments, 0, data),
            O::Concatenate => self.concatenate(arguments, data),
            O::Add | O::Multiply | O::Least | O::Greatest => self.fold(operator, arguments, data),
            O::Less | O::LessOrEqual => self.between(operator, arguments, data),
            O::StartsWith | O::EndsWith if arguments.len() != 2 => Ok(Value::Null),
            O::Version => self.version(arguments, data),
            _ => self.pair(operator, arguments, data),
        }
    }

    /// Operators of two arguments.
    fn pair(
        &mut self,
        operator: Operator,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        use Operator as O;
        let a = self.operand(arguments, 0, data)?;
        let b = self.operand(arguments, 1, data)?;
        let order = || compare::order(&a, &b);
        Ok(match operator {
            O::Equal => Value::Bool(compare::equal(&a, &b)),
            O::Unequal => Value::Bool(!compare::equal(&a, &b)),
            O::Identical => Value::Bool(compare::identical(&a, &b)),
            O::Different => Value::Bool(!compare::identical(&a, &b)),
            O::Greater => Value::Bool(order() == Some(Ordering::Greater)),
            O::GreaterOrEqual => Value::Bool(order().is_some_and(Ordering::is_ge)),
            O::Subtract if arguments.len() < 2 => Value::finite(-a.number()),
            O::Subtract => Value::finite(a.number() - b.number()),
            O::Divide => Value::finite(a.number() / b.number()),
            O::Remainder => Value::finite(a.number() % b.number()),
            O::In => Value::Bool(list::contains(&a, &b)),
            O::StartsWith => string::affix(&a, &b, |text, part| text.starts_with(part)),
            O::EndsWith => string::affix(&a, &b, |text, part| text.ends_with(part)),
            O::Part => {
                let length = match arguments.get(2) {
                    Some(rule) => Some(self.value(rule, data)?.number()),
                    None => None,
                };
                string::part(&a, b.number(), length)
            }
            // Everything else is taken by `call`.
            _ => Value::Null,
        })
    }

    /// `if`: conditions and consequences in turn, and what holds otherwise.
    fn choose(&mut self, arguments: &'a [Rule], data: Data<'_, 'a>) -> Result<Value<'a>, Halt> {
        let (branches, rest) = arguments.as_chunks::<2>();
        for [condition, consequence] in branches {
            if self.value(condition, data)?.truth() {
                return self.value(consequence, data);
            }
        }
        self.otherwise(rest.first(), data)
    }

    /// `and`, `or`: the first that decides, else the last.
    fn until(
        &mut self,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
        decides: bool,
    ) -> Result<Value<'a>, Halt> {
        let mut last = Value::Null;
        for rule in arguments {
            last = self.value(rule, data)?;
            if last.truth() == decides {
                break;
            }
        }
        Ok(last)
    }

    /// `+`, `*`, `min`, `max`.
    fn fold(
        &mut self,
        operator: Operator,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let mut total: Option<f64> = None;
        for at in 0..arguments.len() {
            let value = self.operand(arguments, at, data)?;
            let number = match operator {
                Operator::Add | Operator::Multiply => value.leading_number(),
                _ => value.number(),
            };
            total = Some(match (total, operator) {
                (None, _) => number,
                (Some(total), Operator::Add) => total + number,
                (Some(total), Operator::Multiply) => total * number,
                // What is no number makes the whole none; Rust's own minimum would pass it over.
                (Some(total), _) if total.is_nan() || number.is_nan() => f64::NAN,
                (Some(total), Operator::Least) => total.min(number),
                (Some(total), _) => total.max(number),
            });
        }
        Ok(match (total, operator) {
            (Some(total), _) => Value::finite(total),
            (None, Operator::Add) => Value::Number(0.0),
            (None, _) => Value::Null,
        })
    }

    /// `<`, `<=`, also between two bounds.
    fn between(
        &mut self,
        operator: Operator,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let holds = |a: &Value<'_>, b: &Value<'_>| {
            let order = compare::order(a, b);
            order.is_some_and(|order| match operator {
                Operator::Less => order.is_lt(),
                _ => order.is_le(),
            })
        };
        let a = self.operand(arguments, 0, data)?;
        let b = self.operand(arguments, 1, data)?;
        if !holds(&a, &b) {
            return Ok(Value::Bool(false));
        }
        if arguments.len() < 3 {
            return Ok(Value::Bool(true));
        }
        let c = self.operand(arguments, 2, data)?;
        Ok(Value::Bool(holds(&b, &c)))
    }

    fn concatenate(
        &mut self,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let mut whole = String::new();
        for at in 0..arguments.len() {
            let value = self.operand(arguments, at, data)?;
            whole.push_str(&value.added_text());
        }
        self.work(whole.len() / 64)?;
        Ok(Value::Text(Cow::Owned(whole)))
    }

    fn version(&mut self, arguments: &'a [Rule], data: Data<'_, 'a>) -> Result<Value<'a>, Halt> {
        if arguments.len() != 3 {
            return Ok(Value::Null);
        }
        let left = self.operand(arguments, 0, data)?;
        let operator = self.operand(arguments, 1, data)?;
        let right = self.operand(arguments, 2, data)?;
        Ok(sem_ver::compare(&left, &operator, &right).map_or(Value::Null, Value::Bool))
    }

    /// The value of an argument; null where it is not given.
    pub(crate) fn argument(
        &mut self,
        arguments: &'a [Rule],
        at: usize,
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        self.otherwise(arguments.get(at), data)
    }

    /// The same, where the operator will read the whole of it.
    fn operand(
        &mut self,
        arguments: &'a [Rule],
        at: usize,
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let value = self.argument(arguments, at, data)?;
        self.charge(&value)?;
        Ok(value)
    }

    /// The attribute at a path.
    fn attribute(&mut self, path: &Path, data: Data<'_, 'a>) -> Result<Option<Value<'a>>, Halt> {
        self.walk(path.0.iter().map(|name| &**name), data)
    }

    /// The attribute at a path that is only now known.
    pub(crate) fn attribute_named(
        &mut self,
        path: &str,
        data: Data<'_, 'a>,
    ) -> Result<Option<Value<'a>>, Halt> {
        if path.is_empty() {
            return self.walk(std::iter::empty(), data);
        }
        self.walk(path.split('.'), data)
    }

    fn walk<'n>(
        &mut self,
        mut names: impl Iterator<Item = &'n str>,
        data: Data<'_, 'a>,
    ) -> Result<Option<Value<'a>>, Halt> {
        let mut found = match data {
            Data::Value(value) => Some(value.clone()),
            Data::Context | Data::Reduce { .. } => match names.next() {
                None if matches!(data, Data::Context) => Some(self.root()),
                None => None,
                Some(name) => self.first(name, &mut names, data),
            },
        };
        for name in names {
            self.work(1)?;
            found = match found {
                Some(value) => value.member(name),
                None => return Ok(None),
            };
        }
        // Lists of rules' own making are copied.
        self.work(found.as_ref().map_or(0, Value::weight))?;
        Ok(found)
    }

    /// What stands under the first name of a path.
    fn first<'n>(
        &self,
        name: &str,
        names: &mut impl Iterator<Item = &'n str>,
        data: Data<'_, 'a>,
    ) -> Option<Value<'a>> {
        match (data, name) {
            (Data::Reduce { current, .. }, "current") => Some(current.clone()),
            (Data::Reduce { accumulator, .. }, "accumulator") => Some(accumulator.clone()),
            (Data::Context, "$flagd") if self.flag.is_some() => match names.next() {
                Some("flagKey") => self.flag.map(|key| Value::Text(Cow::Borrowed(key))),
                #[expect(clippy::cast_precision_loss, reason = "exact for 285 million years")]
                Some("timestamp") => {
                    self.context.unix_seconds.map(|seconds| Value::Number(seconds as f64))
                }
                _ => None,
            },
            (Data::Context, _) => self.root().member(name),
            (Data::Reduce { .. } | Data::Value(_), _) => None,
        }
    }

    /// All attributes.
    pub(crate) fn root(&self) -> Value<'a> {
        Value::from(self.context.attributes)
    }

    /// The key of the flag; where a rule is tried by itself, the one that the data name.
    pub(crate) fn flag_key(&self) -> Cow<'a, str> {
        if let Some(key) = self.flag {
            return Cow::Borrowed(key);
        }
        let named = self.root().member("$flagd").and_then(|flagd| flagd.member("flagKey"));
        match named {
            Some(Value::Text(key)) => key,
            _ => Cow::Borrowed(""),
        }
    }

    /// Counts the reading of a whole value.
    pub(crate) fn charge(&mut self, value: &Value<'_>) -> Result<(), Halt> {
        self.work(value.size())
    }

    /// Counts steps, and stops where there were too many.
    pub(crate) fn work(&mut self, steps: usize) -> Result<(), Halt> {
        self.work_left = self.work_left.checked_sub(steps).ok_or(Halt::Work)?;
        Ok(())
    }
}
