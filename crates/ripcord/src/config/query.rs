//! What sources of metrics are asked: queries with placeholders, addresses, commands. What one
//! query language or another makes of it is not known here.

use crate::config::problem::value_error;
use crate::config::text::shown;
use ripcord_integrations::{Names, fill};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// The longest query.
const QUERY_BYTES_MAX: usize = 8_000;

/// A query to a source of metrics.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub(crate) struct Query(#[schemars(length(min = 1, max = 8000))] String);

/// An address of a source of metrics.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub(crate) struct Url(
    #[schemars(regex(pattern = "^https?://.+$"))]
    String,
);

/// A program and its arguments; `{query}` is the only placeholder.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub(crate) struct Argv(#[schemars(length(min = 1))] Vec<String>);

impl Query {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it asks about one release and not about all.
    pub(super) fn tells_releases_apart(&self) -> bool {
        let asked = |release: &str| fill(&self.0, &names(release)).ok();
        asked("a") != asked("b")
    }
}

fn names(release: &str) -> Names {
    Names {
        release: release.to_owned(),
        environment: "e".to_owned(),
        window: "1s".to_owned(),
        stable: "s".to_owned(),
    }
}

impl Url {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Argv {
    pub(crate) fn words(&self) -> &[String] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Query {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Query, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() || text.len() > QUERY_BYTES_MAX {
            return Err(value_error(
                "this is no query",
                format!("write what the source understands, at most {QUERY_BYTES_MAX} bytes"),
            ));
        }
        match fill(&text, &names("r")) {
            Ok(_) => Ok(Query(text)),
            Err(error) => Err(value_error(
                error,
                "there are {release}, {stable}, {environment}, {window}; double the braces of \
                 a word that is none: {{word}}",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let fits = rest.is_some_and(|rest| !rest.is_empty());
        if fits && text.chars().all(|c| c.is_ascii_graphic()) {
            return Ok(Url(text));
        }
        Err(value_error(
            format!("`{}` is not an address that can be asked", shown(&text)),
            "write it like \"http://127.0.0.1:9090\", without spaces",
        ))
    }
}

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Argv, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        let fits = words.first().is_some_and(|program| !program.trim().is_empty());
        if fits && !words.iter().any(|word| word.contains('\0')) {
            return Ok(Argv(words));
        }
        Err(value_error(
            "this is no command",
            "write program and arguments, such as [\"./queue-length.sh\", \"{query}\"]",
        ))
    }
}
