//! What every verb knows: where the configuration and the state are, and who is asking.

use crate::api::Client;
use crate::config::Config;
use crate::failure::{Code, Failure};
use ripcord_core::model::ReleaseId;
use std::path::{Path, PathBuf};

/// The resolved global options.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: PathBuf,
    pub(crate) json: bool,
    pub(crate) by: String,
    state: Option<PathBuf>,
    environment: Option<String>,
}

impl Context {
    pub(crate) fn new(
        config: PathBuf,
        state: Option<PathBuf>,
        environment: Option<String>,
        json: bool,
        by: Option<String>,
    ) -> Context {
        let user = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
        let by = by.or_else(user).unwrap_or_else(|| "somebody".to_owned());
        Context { config, json, by, state, environment }
    }

    /// The state directory, absolute, so that it means the same to every process.
    pub(crate) fn state(&self) -> PathBuf {
        let beside = || {
            let directory = self.config.parent().unwrap_or(Path::new(""));
            directory.join(".ripcord")
        };
        let state = self.state.clone().unwrap_or_else(beside);
        std::path::absolute(&state).unwrap_or(state)
    }

    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Client::of(&self.state())
    }

    /// The environment, if one was named.
    pub(crate) fn environment_named(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// The environment that was named, or the only one.
    pub(crate) fn environment(&self) -> Result<String, Failure> {
        if let Some(name) = &self.environment {
            return Ok(name.clone());
        }
        let config = Config::load(&self.config)?;
        Ok(config.environment(None)?.name.to_string())
    }
}

/// A release as people write it.
pub(crate) fn release_id(text: &str) -> Result<ReleaseId, Failure> {
    let id = ReleaseId::from(text);
    if id.number().is_some() {
        return Ok(id);
    }
    let shown: String = text.chars().flat_map(char::escape_default).take(80).collect();
    Err(Failure::new(Code::InvalidReleaseName, format!("`{shown}` is not the name of a release"))
        .hint("releases are named v1, v2 and so on; see `ripcord release list`"))
}
