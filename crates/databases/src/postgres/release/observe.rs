//! Which schema a database has and which migrations are in force there, by its own word and by
//! that of the folder's tool.

use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::history::{Stand, Standing};
use crate::postgres::kind::Kind;
use crate::postgres::own::Applied;
use crate::postgres::release::failure::Trouble;
use crate::postgres::release::{View, record};
use jiff::Timestamp;
use ripcord_core::model::environment::SchemaState;
use ripcord_core::model::{AppliedMigration, Digest, MigrationRef, MigrationVersion, digest_of};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads it.
pub(super) fn observe(view: &mut View) -> Result<SchemaState, Trouble> {
    let found = super::digest(view)?;
    let digest = record::name_of(&mut view.connection, found)?;
    let runs = view.history.applied(&mut view.connection)?;
    let standings = view.history.standing(&view.set, &mut view.connection)?;
    let in_force = standings
        .iter()
        .filter(|one| matches!(one.stand, Stand::Applied | Stand::Covered))
        .map(|standing| applied(view, &runs, standing));
    let mut applied = in_force.collect::<Result<Vec<_>, _>>()?;
    applied.sort_by(|one, other| one.migration.cmp(&other.migration));
    Ok(SchemaState { digest, applied })
}

/// The digest of a schema, the table in which the folder's tool remembers aside. Where a column
/// stands in its table is left out: what changes it is named beforehand, and code that asks for
/// columns by name does not see it.
pub(super) fn digest(catalogue: &Catalogue, history: &str) -> Digest {
    let bare = |name: &str| name.replace('"', "");
    let inner = format!("{history}.");
    let of_history = |name: &Name, object: &Object| {
        let is = |text: &str| bare(text) == history;
        let owned = |value: &Value| value.as_str().is_some_and(|at| bare(at).starts_with(&inner));
        is(&name.name)
            || object.of.as_deref().is_some_and(is)
            || name.kind == Kind::Sequence && object.facts.values().any(owned)
    };
    let rest = catalogue.objects.iter().filter(|(name, object)| !of_history(name, object));
    let facts: Vec<(&Name, BTreeMap<&String, &Value>)> = rest
        .map(|(name, object)| {
            (name, object.facts.iter().filter(|(fact, _)| *fact != "position").collect())
        })
        .collect();
    digest_of(&facts)
}

fn applied(
    view: &View,
    runs: &[Applied],
    standing: &Standing,
) -> Result<AppliedMigration, Trouble> {
    let run = standing.run.and_then(|id| runs.iter().find(|run| run.id == id));
    let file = standing.index.and_then(|index| view.set.migrations.get(index));
    let text = match (run, file) {
        (Some(run), _) => run.run.up.as_str(),
        (None, Some(file)) => file.up.text.as_str(),
        (None, None) => "",
    };
    let version = standing.version.parse().map_err(|_| {
        Trouble::refuse(format!(
            "version {} is in force in the database, and is no whole number: releases cannot \
             carry it",
            standing.version
        ))
    })?;
    let at = standing.applied_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    Ok(AppliedMigration {
        migration: MigrationRef {
            version: MigrationVersion(version),
            name: standing.name.clone(),
            checksum: Digest::of_bytes(text.as_bytes()),
        },
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
    })
}
