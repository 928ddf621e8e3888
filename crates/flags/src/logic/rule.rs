//! A compiled rule: a tree of operators, with everything looked up that can be before evaluation.

use serde_json::Value as Json;

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
        let otherwise = |rule: &Option<Box<Rule>>| rule.as_ref().is_some_and(|it| it.uses_time());
        match self {
            Rule::Constant(_) | Rule::Reference(_) => false,
            Rule::List(rules) => rules.iter().any(Rule::uses_time),
            Rule::Call { arguments, .. } => arguments.iter().any(Rule::uses_time),
            Rule::Attribute { path, otherwise: rule } => path.is_time() || otherwise(rule),
            // What is computed may come out as anything.
            Rule::Computed { .. } => true,
        }
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
