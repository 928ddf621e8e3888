//! Reading the file: all of it, within bounds, before anything is believed.

use crate::config::caret::caret;
use crate::config::contradiction;
use crate::config::document::Document;
use crate::config::problem;
use crate::config::settings::{self, EnvironmentSettings};
use crate::config::source::{ReadSecret, Source};
use crate::config::text::{Name, shown};
use crate::failure::{Code, Failure};
use ripcord_core::model::Role;
use ripcord_integrations::SourceConfig;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The largest file. A usual one has a thousandth of this.
const BYTES_MAX: u64 = 1 << 20;

/// A configuration that was read and found free of contradictions.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    document: Document,
    directory: PathBuf,
    name: String,
    text: String,
}

impl Config {
    /// Reads a configuration file.
    pub(crate) fn load(path: &Path) -> Result<Config, Failure> {
        let name = shown(&path.display().to_string());
        let text = read(path, &name)?;
        let absolute = std::path::absolute(path).map_err(|error| {
            Failure::new(Code::ConfigUnreadable, format!("{name} cannot be found: {error}"))
        })?;
        let directory = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        Config::parse(name, text, directory)
    }

    /// Reads a configuration whose text is known.
    pub(crate) fn parse(name: String, text: String, directory: PathBuf) -> Result<Config, Failure> {
        // An editor on another system may have put a byte order mark before the first letter.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        if text.trim().is_empty() {
            return Err(Failure::new(Code::ConfigMissingKey, format!("{name} is empty")).hint(
                "it needs at least `service`, [artifact] with `path` and `command`, and \
                 [environments.NAME] with `listen`",
            ));
        }
        let reader = toml::Deserializer::parse(&text)
            .map_err(|error| problem::syntax(&name, &text, &error))?;
        let document =
            Document::deserialize(reader).map_err(|error| problem::shape(&name, &text, &error))?;
        let config = Config { document, directory, name, text };
        contradiction::check(&config)?;
        Ok(config)
    }

    /// What the file says.
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// The directory of the file, absolute: the project.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path of the file, absolute.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }

    /// Shows a place in the file.
    pub(crate) fn show(&self, span: Range<usize>) -> String {
        caret(&self.name, &self.text, span)
    }

    /// The environment of this name; without a name, the only one.
    pub(crate) fn environment(&self, name: Option<&str>) -> Result<EnvironmentSettings, Failure> {
        let environments = self.document.environments.get_ref();
        let known = || {
            let names: Vec<&str> = environments.keys().map(Name::as_str).collect();
            names.join(", ")
        };
        let found = match name {
            Some(wanted) => {
                environments.iter().find(|(name, _)| name.as_str() == wanted).ok_or_else(|| {
                    let what = format!("there is no environment `{}`", shown(wanted));
                    let failure = Failure::new(Code::UnknownEnvironment, what);
                    failure.hint(format!("{} has: {}", self.name, known()))
                })?
            }
            None if environments.len() > 1 => {
                let what = format!("{} has several environments and none was named", self.name);
                return Err(Failure::new(Code::EnvironmentNeeded, what)
                    .hint(format!("name one with --environment: {}", known())));
            }
            None => environments.iter().next().ok_or_else(|| {
                Failure::new(Code::Bug, "a configuration without an environment was accepted")
            })?,
        };
        Ok(settings::of(self, found.0, found.1))
    }

    /// What runs beside the web, as releases name it.
    pub(crate) fn roles(&self) -> BTreeMap<String, Role> {
        settings::roles(&self.document)
    }

    /// The sources of metrics by name, for those who ask them.
    pub(crate) fn metric_sources(
        &self,
        secret: ReadSecret<'_>,
    ) -> Result<BTreeMap<String, SourceConfig>, Failure> {
        let sources = self.document.metrics.sources.iter();
        let resolve = |(name, source): (&Name, &Spanned<Source>)| {
            let resolved = source.get_ref().resolve(secret).map_err(|why| {
                let what = format!("the source of metrics `{}`: {why}", name.as_str());
                Failure::new(Code::ConfigValue, what).at(self.show(source.span()))
            })?;
            Ok((name.as_str().to_owned(), resolved))
        };
        sources.map(resolve).collect()
    }

    /// All environments, in the order of their names.
    pub(crate) fn environments(&self) -> Result<Vec<EnvironmentSettings>, Failure> {
        let names = self.document.environments.get_ref().keys();
        names.map(|name| self.environment(Some(name.as_str()))).collect()
    }
}

/// The text of a file, within bounds.
pub(super) fn read(path: &Path, name: &str) -> Result<String, Failure> {
    let unreadable = |why: String| Failure::new(Code::ConfigUnreadable, format!("{name} {why}"));
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Failure::new(Code::ConfigMissing, format!("there is no configuration file {name}"))
                .hint("go to the directory of the service, or name the file with --config")
        }
        _ => unreadable(format!("cannot be read: {error}")),
    })?;
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        return Err(unreadable("is not a file".to_owned()).hint("name the file itself"));
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(unreadable("has more than 1 MiB".to_owned())
            .hint("is this the right file? A usual configuration has about 30 lines"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        unreadable(format!("is not UTF-8 (line {line}, byte {at})")).hint("save it as UTF-8")
    })
}
