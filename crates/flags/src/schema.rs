//! flagd's published schema, as code: what its editors and other tools refuse. Narrower than what
//! can be evaluated: shares inside shares are understood by every evaluator and not by the schema.

use crate::error::{PROBLEMS_MAX, Problem};
use crate::form::Source;
use crate::logic::{Operator, VERSION_OPERATORS, is_strict_version};
use crate::text::{Kind, Member, Node};
use std::ops::Range;

/// Which of the published schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// `flags.json`: documents of providers, flags by key.
    Flags,
    /// `flagd.json`: documents of the flagd daemon, flags by key or in a list.
    Flagd,
    /// `targeting.json`: rules by themselves.
    Targeting,
}

/// What a schema finds wrong in a text, of very many things the first ones; nothing, where it
/// agrees.
pub fn check_schema(text: &str, schema: Schema) -> Vec<Problem> {
    let source = match Source::parse(text.to_owned()) {
        Ok(source) => source,
        Err(error) => return vec![error.into_problem(text)],
    };
    let mut checker = Checker { text: &source.text, problems: Vec::new() };
    if schema == Schema::Targeting {
        checker.targeting(&source.root);
        return checker.problems;
    }
    let form = match source.form() {
        Ok(form) => form,
        Err(problem) => return vec![problem],
    };
    if let Some(list) = source.root.get("flags").filter(|flags| flags.elements().is_some())
        && schema == Schema::Flags
    {
        checker.wrong(list, "`flags` is a list, which only the flagd daemon reads");
    }
    for evaluator in form.evaluators {
        checker.targeting(&evaluator.value);
    }
    for flag in &form.flags {
        if let Some(rules) = flag.targeting {
            checker.targeting(rules);
        }
    }
    for name in ["flagSetId", "version"] {
        let given = form.metadata.iter().find(|member| &*member.key == name);
        if let Some(member) = given.filter(|member| member.value.as_str().is_none()) {
            checker.wrong(&member.value, &format!("`{name}` must be a string"));
        }
    }
    checker.problems
}

struct Checker<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn wrong(&mut self, node: &Node, what: &str) {
        self.add(&node.span(), what);
    }

    fn add(&mut self, span: &Range<usize>, what: &str) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem::new(self.text, span, what));
        }
    }

    /// Rules at the top: an operation, or nothing.
    fn targeting(&mut self, node: &Node) {
        match node.members() {
            Some([]) => {}
            Some(_) => self.rule(node),
            None => self.wrong(node, "rules must be an object"),
        }
    }

    /// An operation, and everything in it.
    fn rule(&mut self, node: &Node) {
        match node.members() {
            Some([only]) => self.operation(only),
            _ => self.wrong(node, "an operation must be an object with one member"),
        }
    }

    /// What may stand as an argument: an operation, a reference, a value, a list of anything.
    fn argument(&mut self, node: &Node) {
        match &node.kind {
            Kind::Object(members) => match members.as_slice() {
                [only] if &*only.key == "$ref" => {
                    if only.value.as_str().is_none() {
                        self.wrong(&only.value, "`$ref` must be a string");
                    }
                }
                _ => self.rule(node),
            },
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {}
        }
    }

    fn operation(&mut self, member: &Member) {
        if &*member.key == "var" {
            return self.attribute(&member.value);
        }
        let Some(operator) = Operator::of(&member.key).filter(|_| &*member.key != "?:") else {
            let span = member.key_start..member.key_end;
            let what = format!("the schema knows no operator `{}`", member.key);
            return self.add(&span, &what);
        };
        let unary = matches!(operator, Operator::Not | Operator::Truth);
        let Some(arguments) = member.value.elements() else {
            if unary {
                return self.argument(&member.value);
            }
            return self
                .wrong(&member.value, &format!("`{}` needs a list of arguments", member.key));
        };
        let (least, most) = arity(operator);
        if arguments.len() < least || arguments.len() > most {
            let what = match (least, most) {
                (least, most) if least == most => {
                    format!("`{}` needs {least} arguments", member.key)
                }
                (least, usize::MAX) => format!("`{}` needs at least {least} arguments", member.key),
                (least, most) => format!("`{}` needs {least} to {most} arguments", member.key),
            };
            return self.wrong(&member.value, &what);
        }
        match operator {
            Operator::Missing => self.names(arguments),
            Operator::MissingSome => self.missing_some(arguments),
            Operator::StartsWith | Operator::EndsWith => self.affixes(arguments),
            Operator::Version => self.versions(arguments),
            Operator::Fractional => self.shares(&member.value, arguments),
            Operator::Log => self.wrong(&member.value, "the schema knows no operator `log`"),
            _ => arguments.iter().for_each(|argument| self.argument(argument)),
        }
    }

    fn attribute(&mut self, node: &Node) {
        let known = |name: &str| matches!(name, "$flagd.timestamp" | "$flagd.flagKey");
        if let Some(name) = node.as_str()
            && name.starts_with("$flagd.")
            && !known(name)
        {
            self.wrong(node, "flagd sets only `$flagd.timestamp` and `$flagd.flagKey`");
        }
    }

    fn names(&mut self, nodes: &[Node]) {
        for node in nodes.iter().filter(|node| node.as_str().is_none()) {
            self.wrong(node, "this must be the name of an attribute");
        }
    }

    fn missing_some(&mut self, arguments: &[Node]) {
        if arguments[0].as_number().is_none() {
            self.wrong(&arguments[0], "this must be a number");
        }
        match arguments[1].elements() {
            Some(names) => self.names(names),
            None => self.wrong(&arguments[1], "this must be a list of names of attributes"),
        }
    }

    fn affixes(&mut self, arguments: &[Node]) {
        for argument in arguments {
            match argument.kind {
                Kind::Text(_) => {}
                Kind::Object(_) => self.rule(argument),
                _ => self.wrong(argument, "this must be a string or an operation"),
            }
        }
    }

    fn versions(&mut self, arguments: &[Node]) {
        for version in [&arguments[0], &arguments[2]] {
            match (&version.kind, version.members()) {
                (Kind::Text(text), _) if is_strict_version(text) => {}
                (_, Some([only])) if &*only.key == "var" => self.attribute(&only.value),
                _ => self.wrong(version, "this must be a version of three numbers, or `var`"),
            }
        }
        let operator = arguments[1].as_str().unwrap_or_default();
        if !VERSION_OPERATORS.contains(&operator) {
            let what = format!("this must be one of {}", VERSION_OPERATORS.join(" "));
            self.wrong(&arguments[1], &what);
        }
    }

    fn shares(&mut self, all: &Node, arguments: &[Node]) {
        let (by, shares) = match arguments {
            [first, rest @ ..] if first.elements().is_none() => (Some(first), rest),
            _ => (None, arguments),
        };
        if let Some(by) = by {
            self.rule(by);
        }
        if shares.len() < 2 {
            self.wrong(all, "`fractional` needs at least two shares");
        }
        for share in shares {
            match share.elements() {
                Some([name]) => self.share(name, None),
                Some([name, weight]) => self.share(name, Some(weight)),
                _ => self.wrong(share, "a share is a list of a variant and its weight"),
            }
        }
    }

    fn share(&mut self, name: &Node, weight: Option<&Node>) {
        if name.as_str().is_none() {
            self.wrong(name, "this must be the name of a variant");
        }
        if let Some(weight) = weight.filter(|weight| weight.as_number().is_none()) {
            self.wrong(weight, "this must be a weight, which is a number");
        }
    }
}

/// How many arguments the schema wants.
fn arity(operator: Operator) -> (usize, usize) {
    use Operator as O;
    match operator {
        O::Part | O::Less | O::LessOrEqual => (2, 3),
        O::Reduce | O::Version => (3, 3),
        O::Multiply | O::Fractional => (2, usize::MAX),
        O::Not | O::Truth => (1, 1),
        O::If
        | O::And
        | O::Or
        | O::Add
        | O::Subtract
        | O::Least
        | O::Greatest
        | O::Merge
        | O::Concatenate
        | O::Log => (1, usize::MAX),
        O::Missing => (0, usize::MAX),
        O::Equal
        | O::Unequal
        | O::Identical
        | O::Different
        | O::Greater
        | O::GreaterOrEqual
        | O::Divide
        | O::Remainder
        | O::In
        | O::MissingSome
        | O::Map
        | O::Filter
        | O::All
        | O::None
        | O::Some
        | O::StartsWith
        | O::EndsWith => (2, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, expected: &str) {
        let found: Vec<String> =
            check_schema(rule, Schema::Targeting).into_iter().map(|problem| problem.what).collect();
        assert!(found.join("; ").contains(expected), "{rule}: {found:?}");
        assert_eq!(found.is_empty(), expected.is_empty(), "{rule}: {found:?}");
    }

    #[test]
    fn rules() {
        for good in [
            "{}",
            r#"{"if":[{"$ref":"x"},"a",null]}"#,
            r#"{"!":{"var":["a",1]}}"#,
            r#"{"in":["a",["b",{"anything":1}]]}"#,
            r#"{"fractional":[{"var":"a"},["a",1],["b"]]}"#,
            r#"{"sem_ver":["1.2.3-a.1+b","^",{"var":"v"}]}"#,
            r#"{"missing_some":[1,["a"]]}"#,
        ] {
            check(good, "");
        }
        check("[]", "rules must be an object");
        check(r#"{"==":[1]}"#, "needs 2 arguments");
        check(r#"{"<":[1]}"#, "needs 2 to 3 arguments");
        check(r#"{"*":[1]}"#, "needs at least 2 arguments");
        check(r#"{"==":1}"#, "needs a list of arguments");
        check(r#"{"==":[1,{}]}"#, "with one member");
        check(r#"{"?:":[1,2,3]}"#, "no operator `?:`");
        check(r#"{"log":[1]}"#, "no operator `log`");
        check(r#"{"missing":[1]}"#, "name of an attribute");
        check(r#"{"missing_some":["1",["a"]]}"#, "must be a number");
        check(r#"{"missing_some":[1,"a"]}"#, "list of names");
        check(r#"{"sem_ver":["v1.2.3","=","1.2.3"]}"#, "three numbers");
        check(r#"{"sem_ver":["1.2","=","1.2.3"]}"#, "three numbers");
        check(r#"{"sem_ver":["1.2.3","==","1.2.3"]}"#, "must be one of");
        check(r#"{"fractional":[["a",1]]}"#, "at least 2 arguments");
        check(r#"{"fractional":[{"var":"a"},["a",1]]}"#, "at least two shares");
        check(r#"{"fractional":[["a",1],[{"var":"x"},1]]}"#, "name of a variant");
        check(r#"{"!":{"var":"$flagd.x"}}"#, "flagd sets only");
    }

    #[test]
    fn documents() {
        let list = r#"{"flags":[]}"#;
        assert_eq!(check_schema(list, Schema::Flagd), []);
        assert_eq!(check_schema(list, Schema::Flags).len(), 1);
        assert_eq!(check_schema("{", Schema::Flags).len(), 1);
        assert_eq!(
            check_schema(r#"{"flags":{},"metadata":{"version":1}}"#, Schema::Flags).len(),
            1
        );
        let rule = r#"{"flags":{},"$evaluators":{"a":{"==":[1]}}}"#;
        assert_eq!(check_schema(rule, Schema::Flags).len(), 1);
    }
}
