//! How an instance of a release is started: command, directory and environment, with
//! placeholders filled in and secrets left as references.

use crate::config::{EnvironmentSettings, Places, fill};
use crate::controller::registry::Registry;
use crate::store::Store;
use crate::world::{EnvironmentLayout, Layout};
use ripcord_core::model::ReleaseId;
use ripcord_platforms::{Health, Limits, Template, UnitTemplate, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The template of one environment.
pub(crate) fn template(
    layout: &Layout,
    environment: &EnvironmentLayout,
    settings: &Arc<RwLock<EnvironmentSettings>>,
    registry: &Registry,
    store: &Store,
) -> Template {
    let (layout, environment) = (layout.clone(), environment.clone());
    let (settings, registry, store) = (Arc::clone(settings), registry.clone(), store.clone());
    Box::new(move |id: &ReleaseId| {
        let release = registry.get(id).ok_or_else(|| format!("there is no release {id}"))?;
        let directory = layout.release(id);
        store.materialise(&release, &directory).map_err(|failure| failure.to_string())?;
        let settings = settings.read().unwrap_or_else(PoisonError::into_inner).clone();
        let database = settings.database.as_ref().map(|path| path.display().to_string());
        let places = Places {
            config: directory.join("config").display().to_string(),
            database: database.unwrap_or_default(),
            environment: settings.name.to_string(),
            flags: environment.flags().display().to_string(),
            release: id.to_string(),
            state: layout.root().display().to_string(),
        };
        let mut variables: BTreeMap<String, Value> = BTreeMap::new();
        for (name, text) in &release.environment {
            let value = match text.strip_prefix("secret:") {
                Some(reference) => secret(reference)?,
                None => Value::Plain(fill(text, &places)),
            };
            variables.insert(name.clone(), value);
        }
        if let Some(server) = &settings.flags_server {
            // What the service says itself holds.
            let endpoint = Value::Plain(format!("http://{}", server.local()));
            variables.entry("OFREP_ENDPOINT".into()).or_insert(endpoint);
            if let Some(reference) = &server.headers {
                let headers = secret(reference)?;
                variables.entry("OFREP_HEADERS".into()).or_insert(headers);
            }
        }
        variables.insert("RIPCORD_RELEASE".into(), Value::Plain(id.to_string()));
        variables.insert("RIPCORD_ENVIRONMENT".into(), Value::Plain(settings.name.to_string()));
        Ok(UnitTemplate {
            command: release.command.iter().map(|word| fill(word, &places)).collect(),
            roles: release
                .roles
                .iter()
                .map(|(name, role)| {
                    (name.clone(), role.command.iter().map(|word| fill(word, &places)).collect())
                })
                .collect(),
            working_directory: directory.join("artifact"),
            environment: variables,
            health: Health { path: settings.health_path.clone() },
            stop_ms: settings.stop_ms,
            limits: Limits { memory_bytes: settings.memory_bytes_max, ..Limits::default() },
        })
    })
}

fn secret(reference: &str) -> Result<Value, String> {
    match reference.split_once(':') {
        Some(("file", path)) => Ok(Value::SecretFile(path.into())),
        Some(("env", name)) => Ok(Value::SecretEnv(name.to_owned())),
        _ => Err(format!("`{reference}` is no reference to a secret")),
    }
}
