//! From the text of rules to compiled ones. What cannot be evaluated is refused here, with its
//! place, so that evaluation has nothing left to refuse.

use crate::error::Fault;
use crate::logic::rule::Path;
use crate::logic::{Operator, Rule};
use crate::text::{Kind, Member, Node};
use serde_json::Value as Json;
use std::collections::HashMap;

/// How deep rules may nest, named rules included: evaluation uses the stack.
const DEPTH_MAX: usize = 100;
const UNUSABLE: &str = "cannot be used:";

/// The named rules of a document.
pub(crate) struct Evaluators {
    names: HashMap<Box<str>, usize>,
    /// How deep each nests, or why it cannot be used.
    depths: Vec<Result<usize, String>>,
    pub(crate) rules: Vec<Rule>,
}

impl Evaluators {
    /// None.
    pub(crate) fn none() -> Evaluators {
        Evaluators { names: HashMap::new(), depths: Vec::new(), rules: Vec::new() }
    }

    /// Compiles the named rules. Those that cannot be used are found out by who refers to them,
    /// and told.
    pub(crate) fn compile(members: &[Member], text: &str) -> (Evaluators, Vec<Fault>) {
        let names: HashMap<Box<str>, usize> =
            members.iter().enumerate().map(|(at, member)| (member.key.clone(), at)).collect();
        let unknown = Err("is used before it is known".to_owned());
        let mut evaluators = Evaluators {
            depths: vec![unknown; members.len()],
            rules: vec![Rule::Constant(Json::Null); members.len()],
            names,
        };
        let mut faults = Vec::new();
        let mut states = vec![State::Waiting; members.len()];
        for at in 0..members.len() {
            evaluators.settle(at, members, text, &mut states, &mut faults);
        }
        (evaluators, faults)
    }

    /// Compiles one named rule after those that it refers to. Iterative, since a chain of names
    /// may be as long as the document.
    fn settle(
        &mut self,
        at: usize,
        members: &[Member],
        text: &str,
        states: &mut [State],
        faults: &mut Vec<Fault>,
    ) {
        let mut stack = vec![at];
        while let Some(&top) = stack.last() {
            if states[top] == State::Done {
                stack.pop();
                continue;
            }
            let mut needed = Vec::new();
            references(&members[top].value, &mut |name| needed.extend(self.place(name)));
            let circle = needed.iter().any(|other| states[*other] == State::Open || *other == top);
            let before = stack.len();
            if !circle {
                states[top] = State::Open;
                let waiting = needed.into_iter().filter(|other| states[*other] == State::Waiting);
                stack.extend(waiting);
            }
            if stack.len() == before {
                let compiled = if circle {
                    let span = members[top].value.span();
                    Err(Fault::new(span, "it refers to itself through `$ref`"))
                } else {
                    compile(&members[top].value, text, self)
                };
                self.store(top, compiled, faults);
                states[top] = State::Done;
                stack.pop();
            }
        }
    }

    fn store(&mut self, at: usize, compiled: Result<Compiled, Fault>, faults: &mut Vec<Fault>) {
        match compiled {
            Ok(compiled) => {
                self.depths[at] = Ok(compiled.depth);
                self.rules[at] = compiled.rule;
            }
            Err(fault) => {
                self.depths[at] = Err(fault.what.clone());
                faults.push(fault);
            }
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Open,
    Done,
}

/// A rule and how deep it nests.
pub(crate) struct Compiled {
    pub(crate) rule: Rule,
    depth: usize,
}

/// Compiles a rule.
pub(crate) fn compile(node: &Node, text: &str, evaluators: &Evaluators) -> Result<Compiled, Fault> {
    let mut compiler = Compiler { text, evaluators, depth: 0, deepest: 0 };
    let rule = compiler.rule(node)?;
    Ok(Compiled { rule, depth: compiler.deepest })
}

/// Tells every name that a rule refers to.
fn references(node: &Node, tell: &mut impl FnMut(&str)) {
    match &node.kind {
        Kind::List(elements) => elements.iter().for_each(|element| references(element, tell)),
        Kind::Object(members) => match members.as_slice() {
            [only] if &*only.key == "$ref" => {
                only.value.as_str().into_iter().for_each(tell);
            }
            _ => members.iter().for_each(|member| references(&member.value, tell)),
        },
        _ => {}
    }
}

struct Compiler<'a> {
    text: &'a str,
    evaluators: &'a Evaluators,
    depth: usize,
    deepest: usize,
}

impl Compiler<'_> {
    fn rule(&mut self, node: &Node) -> Result<Rule, Fault> {
        self.depth += 1;
        self.reach(node, 0)?;
        let rule = match &node.kind {
            Kind::List(elements) => {
                let rules = elements.iter().map(|node| self.rule(node));
                let rules = rules.collect::<Result<Vec<Rule>, Fault>>()?;
                list(rules)
            }
            Kind::Object(members) => match members.as_slice() {
                [only] => self.operation(only)?,
                // JSONLogic takes an object with no or several members for a value.
                _ => Rule::Constant(node.to_value(self.text)),
            },
            _ => Rule::Constant(node.to_value(self.text)),
        };
        self.depth -= 1;
        Ok(rule)
    }

    fn reach(&mut self, node: &Node, further: usize) -> Result<(), Fault> {
        let depth = self.depth + further;
        self.deepest = self.deepest.max(depth);
        if depth > DEPTH_MAX {
            let what = format!("the rules nest deeper than {DEPTH_MAX} levels");
            return Err(wrong(node, what));
        }
        Ok(())
    }

    fn operation(&mut self, member: &Member) -> Result<Rule, Fault> {
        match &*member.key {
            "var" => self.attribute(&member.value),
            "$ref" => self.reference(&member.value),
            word => {
                let Some(operator) = Operator::of(word) else {
                    let span = member.key_start..member.key_end;
                    let what = format!("there is no operator `{word}`");
                    let hint = match nearest(word) {
                        Some(known) => format!("did you mean `{known}`?"),
                        None => "operators are those of JSONLogic, and starts_with, ends_with, sem_ver, fractional".to_owned(),
                    };
                    return Err(Fault::new(span, what).hint(hint));
                };
                let arguments = self.arguments(&member.value)?;
                Ok(Rule::Call { operator, arguments: arguments.into() })
            }
        }
    }

    /// The arguments of an operator; a single one may stand without a list.
    fn arguments(&mut self, node: &Node) -> Result<Vec<Rule>, Fault> {
        match &node.kind {
            Kind::List(elements) => elements.iter().map(|element| self.rule(element)).collect(),
            _ => Ok(vec![self.rule(node)?]),
        }
    }

    fn attribute(&mut self, node: &Node) -> Result<Rule, Fault> {
        let mut arguments = self.arguments(node)?;
        arguments.truncate(2);
        let otherwise = if arguments.len() == 2 { arguments.pop().map(Box::new) } else { None };
        let path = match arguments.pop() {
            None | Some(Rule::Constant(Json::Null)) => Path::new(""),
            Some(Rule::Constant(Json::String(path))) => Path::new(&path),
            Some(Rule::Constant(Json::Number(number))) => Path::new(&number.to_string()),
            Some(other) => return Ok(Rule::Computed { path: Box::new(other), otherwise }),
        };
        Ok(Rule::Attribute { path, otherwise })
    }

    fn reference(&mut self, node: &Node) -> Result<Rule, Fault> {
        let Some(name) = node.as_str() else {
            return Err(wrong(node, "`$ref` must name a rule in `$evaluators`"));
        };
        let Some(at) = self.evaluators.place(name) else {
            let problem = wrong(node, format!("there is no rule `{name}` in `$evaluators`"));
            let mut known: Vec<&str> = self.evaluators.names.keys().map(|name| &**name).collect();
            known.sort_unstable();
            known.truncate(20);
            let hint = if known.is_empty() {
                "add it under `$evaluators`, beside `flags`".to_owned()
            } else {
                format!("there are: {}", known.join(", "))
            };
            return Err(problem.hint(hint));
        };
        match &self.evaluators.depths[at] {
            Ok(depth) => self.reach(node, *depth)?,
            // The root of the trouble, not the whole way to it.
            Err(why) if why.contains(UNUSABLE) => return Err(wrong(node, why.clone())),
            Err(why) => {
                return Err(wrong(node, format!("rule `{name}` {UNUSABLE} {why}")));
            }
        }
        Ok(Rule::Reference(at))
    }
}

fn wrong(node: &Node, what: impl Into<String>) -> Fault {
    Fault::new(node.span(), what)
}

/// A list: a constant, where everything in it is.
fn list(rules: Vec<Rule>) -> Rule {
    let constant = |rule: &Rule| matches!(rule, Rule::Constant(_));
    if !rules.iter().all(constant) {
        return Rule::List(rules.into());
    }
    let value = |rule| match rule {
        Rule::Constant(json) => Some(json),
        _ => None,
    };
    Rule::Constant(rules.into_iter().filter_map(value).collect())
}

/// The operator that somebody may have meant: the same letters in another case or with `-`.
fn nearest(word: &str) -> Option<&'static str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', '_'], "");
    let known = Operator::WORDS.iter().chain(&["var", "$ref"]);
    known.copied().find(|known| plain(known) == plain(word))
}
