//! What is allowed in a document and probably not meant. It says, and refuses nothing.

mod finding;
mod outcome;
mod time;

pub use finding::{Finding, Known, Severity};

use crate::document::Document;
use crate::error::{Fault, PROBLEMS_MAX};
use crate::form::{FlagForm, FlagState};
use crate::logic::{Evaluators, Rule, compile};
use crate::schema::{Schema, check_schema};
use crate::text::Node;
use outcome::Outcomes;

/// What is worth a look, in the order of the document; of very many things the first ones.
pub fn lint(document: &Document, known: &Known) -> Vec<Finding> {
    let form = document.form();
    let text = document.text();
    let (evaluators, faults) = Evaluators::compile(form.evaluators, text);
    let mut linter = Linter { text, known, evaluators: &evaluators, found: Vec::new() };
    for fault in faults {
        linter.add(Severity::Error, None, &fault);
    }
    for flag in &form.flags {
        linter.flag(flag);
    }
    let refusals: Vec<_> =
        linter.found.iter().map(|finding| finding.problem.place.span.clone()).collect();
    for problem in check_schema(text, Schema::Flagd) {
        // What cannot be read at all was said already.
        if refusals.iter().any(|span| {
            span.start <= problem.place.span.start && problem.place.span.end <= span.end
        }) {
            continue;
        }
        let problem =
            problem.hint("Ripcord and flagd understand it; editors and other tools may not");
        linter.found.push(Finding { severity: Severity::Note, flag: None, problem });
    }
    linter.found.sort_by_key(|finding| finding.problem.place.span.start);
    linter.found
}

struct Linter<'a> {
    text: &'a str,
    known: &'a Known,
    evaluators: &'a Evaluators,
    found: Vec<Finding>,
}

impl Linter<'_> {
    fn say(
        &mut self,
        severity: Severity,
        flag: &FlagForm<'_>,
        node: &Node,
        what: String,
        hint: &str,
    ) {
        self.add(severity, Some(flag), &Fault::new(node.span(), what).hint(hint));
    }

    fn add(&mut self, severity: Severity, flag: Option<&FlagForm<'_>>, fault: &Fault) {
        if self.found.len() < PROBLEMS_MAX {
            let flag = flag.map(|flag| flag.key.to_owned());
            self.found.push(Finding { severity, flag, problem: fault.problem(self.text) });
        }
    }

    fn flag(&mut self, flag: &FlagForm<'_>) {
        let key = flag.key;
        let head = flag.node.get("state").unwrap_or(flag.node);
        if flag.state == FlagState::Disabled {
            let what = format!(
                "flag `{key}` is disabled: clients use what their code says, which may be on"
            );
            self.say(
                Severity::Note,
                flag,
                head,
                what,
                "to turn it off for sure, serve the variant that is off",
            );
        }
        if let Err(why) = flag.off_variant() {
            let what = format!("flag `{key}` {why}");
            self.say(
                Severity::Warning,
                flag,
                head,
                what,
                "otherwise it cannot be forced off when a release is taken back",
            );
        }
        self.metadata(flag);
        let Some(rules) = flag.targeting else {
            if flag.default.is_none() && flag.state == FlagState::Enabled {
                let what = format!(
                    "flag `{key}` has neither rules nor a default variant: the code always decides"
                );
                self.say(
                    Severity::Warning,
                    flag,
                    head,
                    what,
                    "set `defaultVariant`, or remove the flag",
                );
            }
            return;
        };
        if flag.default.is_none() {
            let what = format!(
                "flag `{key}` has no default variant: where no rule decides, the code does"
            );
            self.say(
                Severity::Note,
                flag,
                rules,
                what,
                "set `defaultVariant` to be able to tell what is served",
            );
        }
        match compile(rules, self.text, self.evaluators) {
            Ok(compiled) => self.rules(flag, rules, &compiled.rule),
            Err(fault) => self.add(Severity::Error, Some(flag), &fault),
        }
    }

    fn rules(&mut self, flag: &FlagForm<'_>, node: &Node, rule: &Rule) {
        let key = flag.key;
        let outcomes = Outcomes::of(rule, &self.evaluators.rules);
        for name in outcomes.names.iter().filter(|name| flag.named(name).is_none()) {
            let what = format!(
                "the rules of flag `{key}` may choose `{name}`, which is none of its variants"
            );
            self.say(
                Severity::Error,
                flag,
                node,
                what,
                "users for whom they do get an error, and what the code says",
            );
        }
        let off = flag.off_variant().ok();
        for variant in flag.variants.iter().filter(|_| !outcomes.open) {
            let name = &*variant.key;
            let served =
                flag.default == Some(name) || off == Some(name) || outcomes.names.contains(name);
            if !served {
                let what = format!("variant `{name}` of flag `{key}` is never served");
                self.say(
                    Severity::Warning,
                    flag,
                    &variant.value,
                    what,
                    "name it in a rule, or remove it",
                );
            }
        }
        for share in outcomes.shares {
            self.share(flag, node, &share);
        }
        let Some(attributes) = &self.known.attributes else { return };
        let mut missing = Vec::new();
        rule.attributes(&mut |path| {
            let name = path.0.join(".");
            let first = path.0.first().map_or("", |name| &**name);
            let own = matches!(first, "" | "$flagd" | "targetingKey");
            if !own && !attributes.contains(&name) && !attributes.contains(first) {
                missing.push(name);
            }
        });
        // Inside lists names are those of the elements.
        if !outcomes.walks {
            for name in missing {
                let what = format!(
                    "the rules of flag `{key}` look at `{name}`, which no client was seen to send"
                );
                self.say(
                    Severity::Warning,
                    flag,
                    node,
                    what,
                    "check its spelling, or send it with the context",
                );
            }
        }
    }

    fn share(&mut self, flag: &FlagForm<'_>, node: &Node, share: &outcome::Split) {
        let key = flag.key;
        let sum: f64 = share.weights.iter().map(|weight| weight.max(0.0)).sum();
        if sum == 0.0 {
            let what = format!(
                "a share of flag `{key}` has no weight at all: the default holds for everybody"
            );
            self.say(Severity::Warning, flag, node, what, "give at least one variant a weight");
        }
        if sum > f64::from(i32::MAX) || share.weights.iter().any(|weight| weight.fract() != 0.0) {
            let what = format!(
                "the weights of flag `{key}` are not whole numbers up to 2,147,483,647 in all"
            );
            self.say(
                Severity::Error,
                flag,
                node,
                what,
                "the default holds for everybody: use smaller, whole weights",
            );
        }
        let old = share.names.iter().position(|name| Some(name.as_str()) == flag.default);
        if share.names.len() > 2 && old.is_some_and(|at| at + 1 < share.names.len()) {
            let what = format!("flag `{key}` splits users with its default variant before others");
            self.say(Severity::Warning, flag, node, what, "put new variants first and the default last: else a larger share also moves users between the new ones");
        }
    }

    fn metadata(&mut self, flag: &FlagForm<'_>) {
        let key = flag.key;
        for member in flag.metadata {
            let (name, value) = (&*member.key, &member.value);
            match name {
                "expires" => match (time::read(value, self.text), self.known.unix_seconds) {
                    (None, _) => {
                        let what = format!("`expires` of flag `{key}` is no date");
                        self.say(
                            Severity::Warning,
                            flag,
                            value,
                            what,
                            "write it as \"2030-12-31\", or as seconds since 1970",
                        );
                    }
                    (Some(expires), Some(now)) if expires <= now => {
                        let what = format!("flag `{key}` has expired");
                        self.say(Severity::Warning, flag, value, what, "take it out of the code, then out of the document; or give it more time");
                    }
                    _ => {}
                },
                "requires_schema" => {
                    let wanted = value.as_str().unwrap_or_else(|| value.lexeme(self.text));
                    let unknown =
                        self.known.schemas.as_ref().is_some_and(|all| !all.contains(wanted));
                    if unknown {
                        let what = format!(
                            "flag `{key}` requires schema `{wanted}`, which no migration brings"
                        );
                        self.say(
                            Severity::Error,
                            flag,
                            value,
                            what,
                            "name a migration of this release",
                        );
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
