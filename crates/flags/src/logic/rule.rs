//! A compiled rule: a tree of operators, with everything looked up that can be before evaluation.

use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A compiled rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rule {
    /// A value that does not depend on anything.
    Constant(Json),
    /// A list with something in it to evaluate.
    List(Box<[Rule]>),
    /// An attribute, with what holds where it is absent.
    Attribute { path: Path, otherwise: Option<Box<Rule>> },
    /// An attribute whose name is itself computed.
    Computed { path: Box<Rule>, otherwise: Option<Box<Rule>> },
    /// An operator and its arguments.
    Call { operator: Operator, arguments: Box<[Rule]> },
    /// One of the named rules of the document.
    Reference(usize),
}

impl Rule {
    /// Whether it may look at the time. References are looked at where they are defined.
    pub(crate) fn uses_time(&self) -> bool {
        let own = match self {
            Rule::Attribute { path, .. } => path.is_time(),
            // What is computed may come out as anything.
            Rule::Computed { .. } => true,
            Rule::Constant(_) | Rule::Reference(_) | Rule::List(_) | Rule::Call { .. } => false,
        };
        own || self.children().any(Rule::uses_time)
    }
}

impl Rule {
    /// Gathers the attributes by which users are split.
    pub(crate) fn split_by(&self, paths: &mut BTreeSet<Box<[Box<str>]>>) {
        if let Rule::Call { operator: Operator::Fractional, arguments } = self
            && let Some(by) = arguments.first()
        {
            by.attributes(&mut |path| {
                // What the context gets by itself cannot be set.
                if path.0.first().is_none_or(|name| &**name != "$flagd") {
                    paths.insert(path.0.clone());
                }
            });
        }
        self.children().for_each(|rule| rule.split_by(paths));
    }

    /// Tells every attribute that is looked at.
    pub(crate) fn attributes(&self, tell: &mut impl FnMut(&Path)) {
        if let Rule::Attribute { path, .. } = self {
            tell(path);
        }
        // A closure that is handed down by reference stays one type.
        for rule in self.children() {
            rule.attributes(tell);
        }
    }

    /// The rules in it.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Rule> {
        let (several, one, other): (&[Rule], _, _) = match self {
            Rule::Constant(_) | Rule::Reference(_) => (&[], None, None),
            Rule::List(rules) => (rules, None, None),
            Rule::Call { arguments, .. } => (arguments, None, None),
            Rule::Attribute { otherwise, .. } => (&[], None, otherwise.as_deref()),
            Rule::Computed { path, otherwise } => (&[], Some(&**path), otherwise.as_deref()),
        };
        several.iter().chain(one).chain(other)
    }
}

/// The way to an attribute: the names between the dots. Empty means everything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path(pub(crate) Box<[Box<str>]>);

impl Path {
    pub(crate) fn new(text: &str) -> Path {
        if text.is_empty() {
            return Path(Box::default());
        }
        Path(text.split('.').map(Box::from).collect())
    }

    fn is_time(&self) -> bool {
        matches!(&*self.0, [first, second, ..] if &**first == "$flagd" && &**second == "timestamp")
    }
}

macro_rules! operators {
    ($($name:ident $($word:literal)|+,)*) => {
        /// What can be done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Operator {
            $($name,)*
        }

        impl Operator {
            /// The operator of this name. `var` is none: it is a rule of its own.
            pub(crate) fn of(word: &str) -> Option<Operator> {
                match word {
                    $($($word)|+ => Some(Operator::$name),)*
                    _ => None,
                }
            }

            /// Every word that is understood beside `var` and `$ref`.
            pub(crate) const WORDS: &[&str] = &[$($($word,)+)*];
        }
    };
}

operators! {
    If "if" | "?:",
    And "and",
    Or "or",
    Not "!",
    Truth "!!",
    Equal "==",
    Unequal "!=",
    Identical "===",
    Different "!==",
    Less "<",
    LessOrEqual "<=",
    Greater ">",
    GreaterOrEqual ">=",
    Add "+",
    Subtract "-",
    Multiply "*",
    Divide "/",
    Remainder "%",
    Least "min",
    Greatest "max",
    Concatenate "cat",
    Part "substr",
    In "in",
    Merge "merge",
    Missing "missing",
    MissingSome "missing_some",
    Map "map",
    Filter "filter",
    All "all",
    None "none",
    Some "some",
    Reduce "reduce",
    Log "log",
    StartsWith "starts_with",
    EndsWith "ends_with",
    Version "sem_ver",
    Fractional "fractional",
}
