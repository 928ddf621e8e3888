//! How an instance of a release is started: command, directory and environment, with
//! placeholders filled in and secrets left as references.

use crate::config::{DatabasePlace, EnvironmentSettings, Places, Variable, fill, uses};
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
        let database = match &settings.database {
            None => None,
            Some(DatabasePlace::Sqlite(path)) => Some(Value::Plain(path.display().to_string())),
            Some(DatabasePlace::Postgres(Variable::Plain(url))) => Some(Value::Plain(url.clone())),
            Some(DatabasePlace::Postgres(Variable::Secret(reference))) => Some(secret(reference)?),
        };
        let places = Places {
            config: directory.join("config").display().to_string(),
            database: match &database {
                Some(Value::Plain(text)) => text.clone(),
                _ => String::new(),
            },
            environment: settings.name.to_string(),
            flags: environment.flags().display().to_string(),
            release: id.to_string(),
            state: layout.root().display().to_string(),
        };
        let mut variables: BTreeMap<String, Value> = BTreeMap::new();
        for (name, text) in &release.environment {
            let value = match (text.strip_prefix("secret:"), &database) {
                (Some(reference), _) => secret(reference)?,
                (None, Some(kept)) if text == "{database}" => kept.clone(),
                (None, _) => Value::Plain(open(text, database.as_ref(), &places)?),
            };
            variables.insert(name.clone(), value);
        }
        if let (Some(DatabasePlace::Postgres(_)), Some(address)) = (&settings.database, &database) {
            // What the service says itself holds.
            variables.entry("DATABASE_URL".into()).or_insert_with(|| address.clone());
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
        let words = |words: &[String]| -> Result<Vec<String>, String> {
            words.iter().map(|word| open(word, database.as_ref(), &places)).collect()
        };
        variables.insert("RIPCORD_RELEASE".into(), Value::Plain(id.to_string()));
        variables.insert("RIPCORD_ENVIRONMENT".into(), Value::Plain(settings.name.to_string()));
        Ok(UnitTemplate {
            command: words(&release.command)?,
            roles: release
                .roles
                .iter()
                .map(|(name, role)| Ok((name.clone(), words(&role.command)?)))
                .collect::<Result<_, String>>()?,
            working_directory: directory.join("artifact"),
            environment: variables,
            health: Health { path: settings.health_path.clone() },
            stop_ms: settings.stop_ms,
            limits: Limits { memory_bytes: settings.memory_bytes_max, ..Limits::default() },
        })
    })
}

/// Fills placeholders in where all of them may be seen by others.
fn open(text: &str, database: Option<&Value>, places: &Places) -> Result<String, String> {
    if uses(text, "database") && !matches!(database, Some(Value::Plain(_)) | None) {
        return Err(format!(
            "the address of the database is a secret, so `{{database}}` can only be the whole of \
             a variable of the environment, and not a part of {text:?}"
        ));
    }
    Ok(fill(text, places))
}

fn secret(reference: &str) -> Result<Value, String> {
    match reference.split_once(':') {
        Some(("file", path)) => Ok(Value::SecretFile(path.into())),
        Some(("env", name)) => Ok(Value::SecretEnv(name.to_owned())),
        _ => Err(format!("`{reference}` is no reference to a secret")),
    }
}
