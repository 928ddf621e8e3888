//! The form of a document: which flags it has and of what each consists, with everything that may
//! not be refused at its place. Rules are not looked into here.

use crate::error::{FlagsError, Problem};
use crate::text::{Kind, Member, Node, parse};
use std::collections::{HashMap, HashSet};

/// The most bytes of a document.
const BYTES_MAX: usize = 16 << 20;
const FORM: &str =
    "the format is flagd's: { \"flags\": { \"NAME\": { \"state\": ..., \"variants\": ... } } }";

/// Whether a flag is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagState {
    /// It is.
    Enabled,
    /// Clients use what their code says.
    Disabled,
}

impl FlagState {
    /// As the document says it.
    pub fn as_str(self) -> &'static str {
        match self {
            FlagState::Enabled => "ENABLED",
            FlagState::Disabled => "DISABLED",
        }
    }
}

/// A text and the tree of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) root: Node,
}

/// What a document consists of.
pub(crate) struct Form<'a> {
    /// The flags in the order of the document.
    pub(crate) flags: Vec<FlagForm<'a>>,
    /// What is said of the whole set.
    pub(crate) metadata: &'a [Member],
    /// Rules to which flags refer.
    pub(crate) evaluators: &'a [Member],
    places: HashMap<&'a str, usize>,
}

impl<'a> Form<'a> {
    /// The flag of this key.
    pub(crate) fn find(&self, key: &str) -> Option<&FlagForm<'a>> {
        self.places.get(key).map(|at| &self.flags[*at])
    }
}

/// What a flag consists of.
#[derive(Clone, Copy)]
pub(crate) struct FlagForm<'a> {
    pub(crate) key: &'a str,
    pub(crate) node: &'a Node,
    pub(crate) state: FlagState,
    pub(crate) variants: &'a [Member],
    pub(crate) default: Option<&'a str>,
    /// Rules; an empty object is none.
    pub(crate) targeting: Option<&'a Node>,
    pub(crate) metadata: &'a [Member],
}

impl Source {
    /// The tree of a text.
    pub(crate) fn parse(text: String) -> Result<Source, FlagsError> {
        if text.len() > BYTES_MAX {
            return Err(FlagsError::TooLarge(text.len()));
        }
        match parse(&text) {
            Ok(root) => Ok(Source { text, root }),
            Err((what, span)) => Err(Problem::new(&text, &span, what).hint(FORM).into()),
        }
    }

    fn wrong(&self, node: &Node, what: impl Into<String>) -> Problem {
        Problem::new(&self.text, &node.span(), what)
    }

    fn wrong_key(&self, member: &Member, what: impl Into<String>) -> Problem {
        Problem::new(&self.text, &(member.key_start..member.key_end), what)
    }

    /// What it consists of, or what is wrong.
    pub(crate) fn form(&self) -> Result<Form<'_>, Problem> {
        let root = &self.root;
        if root.members().is_none() {
            let what = format!("the document is {} instead of an object", root.kind_name());
            return Err(self.wrong(root, what).hint(FORM));
        }
        let Some(flags) = root.get("flags") else {
            return Err(self.wrong(root, "the document has no member `flags`").hint(FORM));
        };
        let flags = match &flags.kind {
            Kind::Object(members) => {
                members.iter().map(|m| self.flag(&m.key, &m.value)).collect::<Result<_, _>>()?
            }
            Kind::List(elements) => self.listed(elements)?,
            _ => {
                let what = format!("`flags` is {} instead of an object", flags.kind_name());
                return Err(self.wrong(flags, what).hint(FORM));
            }
        };
        let evaluators = match root.get("$evaluators") {
            None => &[],
            Some(node) => node.members().ok_or_else(|| {
                self.wrong(node, "`$evaluators` must be an object of named rules")
            })?,
        };
        let flags: Vec<FlagForm<'_>> = flags;
        let places = flags.iter().enumerate().map(|(at, flag)| (flag.key, at)).collect();
        Ok(Form { flags, metadata: self.metadata(root)?, evaluators, places })
    }

    fn listed<'a>(&'a self, elements: &'a [Node]) -> Result<Vec<FlagForm<'a>>, Problem> {
        let mut names = HashSet::new();
        let mut flags = Vec::with_capacity(elements.len());
        for node in elements {
            let Some(key) = node.get("key").and_then(Node::as_str) else {
                return Err(self.wrong(node, "a flag in a list needs a `key`"));
            };
            if !names.insert(key) {
                return Err(self.wrong(node, format!("flag `{key}` is given twice")));
            }
            flags.push(self.flag(key, node)?);
        }
        Ok(flags)
    }

    fn flag<'a>(&'a self, key: &'a str, node: &'a Node) -> Result<FlagForm<'a>, Problem> {
        if key.is_empty() || key.chars().any(char::is_control) {
            return Err(self.wrong(node, format!("{key:?} cannot be the key of a flag")));
        }
        if node.members().is_none() {
            let what = format!("flag `{key}` is {} instead of an object", node.kind_name());
            return Err(self.wrong(node, what).hint(FORM));
        }
        let Some(state) = node.get("state") else {
            let problem = self.wrong(node, format!("flag `{key}` has no `state`"));
            return Err(problem.hint("add \"state\": \"ENABLED\""));
        };
        let state = match state.as_str() {
            Some("ENABLED") => FlagState::Enabled,
            Some("DISABLED") => FlagState::Disabled,
            _ => {
                let what = format!("flag `{key}` has an unknown state");
                return Err(self.wrong(state, what).hint("it is \"ENABLED\" or \"DISABLED\""));
            }
        };
        let variants = self.variants(key, node)?;
        let default = self.default(key, node, variants)?;
        let targeting = match node.get("targeting") {
            None => None,
            Some(rules) => match &rules.kind {
                Kind::Object(members) if members.is_empty() => None,
                Kind::Object(_) => Some(rules),
                _ => {
                    let what = format!("the targeting of flag `{key}` is not an object");
                    let hint = "a rule looks like { \"if\": [...] }; {} means none";
                    return Err(self.wrong(rules, what).hint(hint));
                }
            },
        };
        Ok(FlagForm {
            key,
            node,
            state,
            variants,
            default,
            targeting,
            metadata: self.metadata(node)?,
        })
    }

    fn variants<'a>(&self, key: &str, node: &'a Node) -> Result<&'a [Member], Problem> {
        let Some(variants) = node.member("variants") else {
            let problem = self.wrong(node, format!("flag `{key}` has no `variants`"));
            return Err(problem.hint("for example \"variants\": { \"on\": true, \"off\": false }"));
        };
        let Some(members) = variants.value.members() else {
            return Err(self.wrong(&variants.value, "`variants` must be an object of named values"));
        };
        let Some(first) = members.first() else {
            return Err(self.wrong_key(variants, format!("flag `{key}` has no variants")));
        };
        for member in members {
            if member.key.is_empty() {
                return Err(self.wrong_key(member, "the name of a variant cannot be empty"));
            }
            let kind = member.value.kind_name();
            if matches!(member.value.kind, Kind::Null | Kind::List(_)) {
                let what = format!("variant `{}` of flag `{key}` is {kind}", member.key);
                let hint = "variants are booleans, strings, numbers or objects";
                return Err(self.wrong(&member.value, what).hint(hint));
            }
            if kind != first.value.kind_name() {
                let what = format!("flag `{key}` has variants of different types");
                let hint = format!(
                    "`{}` is {}, `{}` is {kind}",
                    first.key,
                    first.value.kind_name(),
                    member.key
                );
                return Err(self.wrong(&member.value, what).hint(hint));
            }
        }
        Ok(members)
    }

    fn default<'a>(
        &self,
        key: &str,
        node: &'a Node,
        variants: &[Member],
    ) -> Result<Option<&'a str>, Problem> {
        let Some(default) = node.get("defaultVariant") else { return Ok(None) };
        match &default.kind {
            Kind::Null => Ok(None),
            Kind::Text(name) if variants.iter().any(|variant| variant.key == *name) => {
                Ok(Some(name))
            }
            Kind::Text(name) => {
                let known: Vec<&str> = variants.iter().map(|variant| &*variant.key).collect();
                let known = known.join(", ");
                let what =
                    format!("flag `{key}` has the default variant `{name}`, but only: {known}");
                Err(self
                    .wrong(default, what)
                    .hint("name one of its variants, or null for what the code says"))
            }
            _ => Err(self.wrong(default, "`defaultVariant` must be the name of a variant or null")),
        }
    }

    fn metadata<'a>(&self, node: &'a Node) -> Result<&'a [Member], Problem> {
        let Some(metadata) = node.get("metadata") else { return Ok(&[]) };
        let Some(members) = metadata.members() else {
            return Err(self.wrong(metadata, "`metadata` must be an object"));
        };
        for member in members {
            if matches!(member.value.kind, Kind::Null | Kind::List(_) | Kind::Object(_)) {
                let what =
                    format!("`{}` in `metadata` is {}", member.key, member.value.kind_name());
                let hint = "metadata holds booleans, strings and numbers only";
                return Err(self.wrong(&member.value, what).hint(hint));
            }
        }
        Ok(members)
    }
}
