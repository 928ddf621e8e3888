//! Texts that must fit their use: names, paths, variable names, commands. Impossible ones are
//! refused while the file is read, so that the error points at them.

use crate::config::placeholder;
use crate::config::problem::value_error;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::path::{Component, Path, PathBuf};

/// The longest name. Names become parts of paths, some of which the system keeps short.
const NAME_LENGTH_MAX: usize = 40;

/// The name of a service, an environment, a role, a source or a piece of infrastructure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub(crate) struct Name(#[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"))] String);

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins && text.chars().all(fits) && text.len() <= NAME_LENGTH_MAX {
            return Ok(Name(text));
        }
        Err(value_error(
            format!("`{}` is not a name", shown(&text)),
            format!(
                "a name has letters, digits, `-` and `_`, begins with a letter or digit, and is \
                 at most {NAME_LENGTH_MAX} long"
            ),
        ))
    }
}

/// Words for people, on one line.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub(crate) struct Words(#[schemars(length(min = 1, max = 200))] String);

impl Words {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Words, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !text.trim().is_empty() && text.len() <= 200 && !text.chars().any(char::is_control) {
            return Ok(Words(text));
        }
        Err(value_error(
            format!("`{}` does not describe anything", shown(&text)),
            "write up to 200 letters on one line".to_owned(),
        ))
    }
}

/// The key of a feature flag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub(crate) struct FlagKey(#[schemars(length(min = 1, max = 200))] String);

impl FlagKey {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FlagKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FlagKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control) {
            return Ok(FlagKey(text));
        }
        Err(value_error(
            format!("`{}` is not the key of a flag", shown(&text)),
            "write it as the flags document does".to_owned(),
        ))
    }
}

/// The name of an environment variable of the service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub(crate) struct VariableName(#[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))] String);

impl VariableName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for VariableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<VariableName, D::Error> {
        let text = String::deserialize(deserializer)?;
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(value_error(
                format!("`{}` is not the name of an environment variable", shown(&text)),
                "such a name has letters, digits and `_`".to_owned(),
            ));
        }
        if text == "PORT" || text.starts_with("RIPCORD_") {
            return Err(value_error(
                format!("`{text}` is set by Ripcord for each instance"),
                "leave it out; the service reads where to listen from PORT".to_owned(),
            ));
        }
        Ok(VariableName(text))
    }
}

/// A path, relative to the directory of the configuration file or absolute.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub(crate) struct AnyPath(#[schemars(length(min = 1))] PathBuf);

impl AnyPath {
    pub(crate) fn as_path(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for AnyPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AnyPath, D::Error> {
        path(deserializer).map(AnyPath)
    }
}

/// A path below the directory of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub(crate) struct InnerPath(#[schemars(length(min = 1))] PathBuf);

impl InnerPath {
    pub(crate) fn as_path(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for InnerPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<InnerPath, D::Error> {
        let path = path(deserializer)?;
        if path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(InnerPath(path));
        }
        Err(value_error(
            format!("`{}` leads out of the project's directory", path.display()),
            "name a file beside ripcord.toml or below, without `.` and `..`".to_owned(),
        ))
    }
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text = String::deserialize(deserializer)?;
    if !text.is_empty() && !text.chars().any(char::is_control) {
        return Ok(text.into());
    }
    Err(value_error(
        format!("`{}` is not a path", shown(&text)),
        "a path is not empty and has no control characters".to_owned(),
    ))
}

/// The path of a URL.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub(crate) struct UrlPath(#[schemars(regex(pattern = "^/[!-~]*$"))] String);

impl UrlPath {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for UrlPath {
    fn default() -> UrlPath {
        UrlPath("/up".to_owned())
    }
}

impl<'de> Deserialize<'de> for UrlPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UrlPath, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic()) {
            return Ok(UrlPath(text));
        }
        Err(value_error(
            format!("`{}` is not the path of a URL", shown(&text)),
            "write it like \"/up\": a leading slash, no spaces".to_owned(),
        ))
    }
}

/// A program and its arguments. No shell reads it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub(crate) struct Command(#[schemars(length(min = 1))] Vec<String>);

impl Command {
    pub(crate) fn words(&self) -> &[String] {
        &self.0
    }

    /// The program.
    pub(crate) fn program(&self) -> &str {
        self.0.first().map(String::as_str).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Command, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        if words.first().is_none_or(|program| program.trim().is_empty()) {
            return Err(value_error(
                "the command is empty".to_owned(),
                "write program and arguments, such as [\"./shop\", \"serve\"]".to_owned(),
            ));
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err(D::Error::custom("a command cannot contain the character NUL"));
        }
        for word in &words {
            placeholder::known(word)?;
        }
        Ok(Command(words))
    }
}

/// A text as it can be shown, whatever is in it.
pub(crate) fn shown(text: &str) -> String {
    let escaped = text.chars().take(80).flat_map(|character| {
        if character.is_control() {
            character.escape_default().collect::<Vec<char>>()
        } else {
            vec![character]
        }
    });
    escaped.collect()
}
