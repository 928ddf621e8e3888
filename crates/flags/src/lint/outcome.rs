//! What rules may choose, as far as that can be told without a context.

use crate::logic::{Operator, Rule, Value};
use std::collections::BTreeSet;

/// What rules may choose.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// The names that stand in the rules.
    pub(crate) names: BTreeSet<String>,
    /// Whether anything else may be chosen: an attribute, something computed.
    pub(crate) open: bool,
    /// The splits of users, wherever they stand.
    pub(crate) shares: Vec<Split>,
    /// Whether lists are walked: attributes in there are those of elements.
    pub(crate) walks: bool,
}

/// A split of users whose variants and weights are written out.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) names: Vec<String>,
    pub(crate) weights: Vec<f64>,
}

impl Outcomes {
    /// The outcomes of a rule.
    pub(crate) fn of(rule: &Rule, evaluators: &[Rule]) -> Outcomes {
        let mut search = Search { evaluators, chosen: BTreeSet::new(), looked: BTreeSet::new() };
        let mut outcomes = Outcomes::default();
        search.choose(rule, &mut outcomes);
        search.look(rule, &mut outcomes);
        outcomes
    }
}

struct Search<'a> {
    evaluators: &'a [Rule],
    /// Shared rules that were followed already: each once is enough.
    chosen: BTreeSet<usize>,
    looked: BTreeSet<usize>,
}

impl Search<'_> {
    /// What a rule may come out as.
    fn choose(&mut self, rule: &Rule, outcomes: &mut Outcomes) {
        use Operator as O;
        match rule {
            Rule::Constant(json) => match Value::from(json) {
                Value::Null => {}
                value @ (Value::Bool(_) | Value::Number(_) | Value::Text(_)) => {
                    outcomes.names.insert(value.text().into_owned());
                }
                Value::Json(_) | Value::List(_) => outcomes.open = true,
            },
            Rule::Reference(at) if self.chosen.insert(*at) => {
                self.choose(&self.evaluators[*at], outcomes);
            }
            Rule::Reference(_) => {}
            Rule::Call { operator: O::If, arguments } => {
                let (branches, rest) = arguments.as_chunks::<2>();
                for then in branches.iter().map(|[_, then]| then).chain(rest) {
                    self.choose(then, outcomes);
                }
            }
            Rule::Call { operator: O::And | O::Or, arguments } => {
                // The first that decides may be false itself, which names a variant `false`.
                for rule in arguments {
                    self.choose(rule, outcomes);
                }
            }
            Rule::Call { operator: O::Fractional, arguments } => self.split(arguments, outcomes),
            Rule::Call { operator, .. } if says_yes_or_no(*operator) => {
                outcomes.names.extend(["true", "false"].map(str::to_owned));
            }
            Rule::List(_) | Rule::Attribute { .. } | Rule::Computed { .. } | Rule::Call { .. } => {
                outcomes.open = true;
            }
        }
    }

    fn split(&mut self, arguments: &[Rule], outcomes: &mut Outcomes) {
        for share in shares(arguments) {
            match share {
                Rule::Constant(json) => match json.get(0) {
                    Some(serde_json::Value::String(name)) => {
                        outcomes.names.insert(name.clone());
                    }
                    Some(name) if !name.is_null() => {
                        outcomes.names.insert(Value::from(name).text().into_owned());
                    }
                    _ => {}
                },
                Rule::List(parts) => {
                    if let Some(name) = parts.first() {
                        self.choose(name, outcomes);
                    }
                }
                _ => outcomes.open = true,
            }
        }
    }

    /// Finds splits and walks wherever they stand.
    fn look(&mut self, rule: &Rule, outcomes: &mut Outcomes) {
        use Operator as O;
        match rule {
            Rule::Reference(at) if self.looked.insert(*at) => {
                self.look(&self.evaluators[*at], outcomes);
            }
            Rule::Call { operator: O::Fractional, arguments } => {
                outcomes.shares.extend(read(arguments));
            }
            Rule::Call {
                operator: O::Map | O::Filter | O::All | O::None | O::Some | O::Reduce,
                ..
            } => {
                outcomes.walks = true;
            }
            _ => {}
        }
        rule.children().for_each(|rule| self.look(rule, outcomes));
    }
}

/// The shares of a split, without what it splits by.
fn shares(arguments: &[Rule]) -> &[Rule] {
    let list = |rule: &Rule| match rule {
        Rule::Constant(json) => json.is_array(),
        Rule::List(_) => true,
        _ => false,
    };
    match arguments {
        [first, rest @ ..] if !list(first) => rest,
        _ => arguments,
    }
}

/// A split whose shares are all written out.
fn read(arguments: &[Rule]) -> Option<Split> {
    let mut split = Split { names: Vec::new(), weights: Vec::new() };
    for share in shares(arguments) {
        let Rule::Constant(json) = share else { return None };
        split.names.push(Value::from(json.get(0)?).text().into_owned());
        split.weights.push(json.get(1).map_or(Some(1.0), serde_json::Value::as_f64)?);
    }
    (!split.names.is_empty()).then_some(split)
}

fn says_yes_or_no(operator: Operator) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::Not
            | O::Truth
            | O::Equal
            | O::Unequal
            | O::Identical
            | O::Different
            | O::Less
            | O::LessOrEqual
            | O::Greater
            | O::GreaterOrEqual
            | O::In
            | O::All
            | O::None
            | O::Some
            | O::StartsWith
            | O::EndsWith
            | O::Version
    )
}
