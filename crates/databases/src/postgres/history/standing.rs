//! How each migration stands: what the folder has, what the tool remembers and what Ripcord
//! remembers, laid side by side. Pure: everything comes in as data.

use crate::formats::{Format, Migration, MigrationKind, MigrationSet};
use crate::postgres::history::{Memory, Row};
use crate::postgres::own::{Applied, Run, State};
use serde::Serialize;
use std::collections::BTreeSet;

/// How one migration stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The version as the tool writes it; of a repeatable one, its name.
    pub version: String,
    /// What its author called it.
    pub name: String,
    /// How often it runs.
    pub kind: MigrationKind,
    /// How it stands.
    pub stand: Stand,
    /// What else there is to say.
    pub remarks: BTreeSet<Remark>,
    /// When it was applied, by whoever knows.
    pub applied_at: Option<String>,
    /// When it was taken back last.
    pub undone_at: Option<String>,
    /// Where it is in the folder.
    #[serde(skip)]
    pub index: Option<usize>,
    /// Its number among what Ripcord ran, if it did.
    pub run: Option<i64>,
}

/// The ways to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// It is yet to run.
    Pending,
    /// It is in force.
    Applied,
    /// It was in force, and Ripcord took it back.
    Undone,
    /// The tool says that it did not get through.
    Failed,
    /// Ripcord did not get through with it yet.
    Unfinished,
    /// Ripcord did not get through with taking it back yet.
    HalfUndone,
    /// It need not run, because the database began with a later state.
    Covered,
}

/// What there may be to say of a migration beside how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// The file is not what was applied; a repeatable one will run again.
    Changed,
    /// The tool ran it, and Ripcord knows nothing of how.
    AppliedElsewhere,
    /// Ripcord ran it, and somebody else took it back.
    TakenBackElsewhere,
    /// No file of the folder is it.
    FileMissing,
    /// A later one is in force already.
    OutOfOrder,
}

impl Remark {
    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            Remark::Changed => "changed since",
            Remark::AppliedElsewhere => "applied without Ripcord",
            Remark::TakenBackElsewhere => "taken back without Ripcord",
            Remark::FileMissing => "file missing",
            Remark::OutOfOrder => "out of order",
        }
    }
}

impl Stand {
    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            Stand::Pending => "pending",
            Stand::Applied => "applied",
            Stand::Undone => "undone",
            Stand::Failed => "failed",
            Stand::Unfinished => "unfinished",
            Stand::HalfUndone => "half undone",
            Stand::Covered => "covered",
        }
    }
}

impl Standing {
    /// Whether it is yet to run.
    pub fn is_open(&self) -> bool {
        let stale = self.kind == MigrationKind::Repeatable && self.says(Remark::Changed);
        matches!(self.stand, Stand::Pending | Stand::Undone) || stale
    }

    /// Whether this is to be said of it.
    pub fn says(&self, remark: Remark) -> bool {
        self.remarks.contains(&remark)
    }
}

/// Lays the three side by side: first the folder's migrations in its order, then what is
/// remembered of others.
pub(crate) fn standing(set: &MigrationSet, memory: &Memory, applied: &[Applied]) -> Vec<Standing> {
    let begin = begin(set, memory, applied);
    let mut all: Vec<Standing> = Vec::with_capacity(set.migrations.len());
    for (index, migration) in set.migrations.iter().enumerate() {
        let identity = Run::identity(migration);
        let run = applied.iter().rev().find(|one| one.run.version == identity);
        let seen = seen(set.format, memory, run, &identity, migration.kind);
        let mut one = judged(identity, migration.name.clone(), migration.kind, run, &seen);
        one.index = Some(index);
        if changed(migration, run, &seen) && one.stand != Stand::Pending {
            one.remarks.insert(Remark::Changed);
        }
        if one.stand == Stand::Pending && begin.covers(migration) {
            one.stand = Stand::Covered;
        }
        all.push(one);
    }
    out_of_order(&mut all);
    missing(set, memory, applied, &mut all);
    all
}

/// Where the database began, if not with the first migration.
struct Begin {
    /// Up to this version nothing runs.
    baseline: Option<Vec<u64>>,
    /// The script that is to run instead, by its version.
    script: Option<Vec<u64>>,
}

fn begin(set: &MigrationSet, memory: &Memory, applied: &[Applied]) -> Begin {
    let rows = match memory {
        Memory::Each(rows) => rows.as_slice(),
        Memory::Reached { .. } | Memory::Nothing => &[],
    };
    let found = rows.iter().filter(|row| row.kind == MigrationKind::Baseline);
    if let Some(baseline) = found.map(|row| parts(&row.version)).max() {
        return Begin { baseline: Some(baseline), script: None };
    }
    let scripts = set.migrations.iter().filter(|one| one.kind == MigrationKind::Baseline);
    let fresh = rows.iter().all(|row| row.kind == MigrationKind::Repeatable)
        && applied.iter().all(|one| one.state == State::Undone);
    let script = scripts.map(|one| parts(&one.version)).max().filter(|_| fresh);
    Begin { baseline: script.clone(), script }
}

impl Begin {
    fn covers(&self, migration: &Migration) -> bool {
        let version = parts(&migration.version);
        match migration.kind {
            MigrationKind::Repeatable => false,
            MigrationKind::Baseline => self.script.as_ref() != Some(&version),
            MigrationKind::Versioned => self.baseline.as_ref().is_some_and(|b| version <= *b),
        }
    }
}

/// The numbers of a version; what is no number sorts last.
fn parts(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

/// What the tool says of a version.
struct Seen<'a> {
    /// Whether it is in force.
    there: bool,
    failed: bool,
    row: Option<&'a Row>,
}

fn seen<'a>(
    tool: Format,
    memory: &'a Memory,
    run: Option<&Applied>,
    version: &str,
    kind: MigrationKind,
) -> Seen<'a> {
    match memory {
        Memory::Each(rows) => {
            let mut rows = rows.iter().rev();
            let row = rows.find(|row| row.version == version && row.kind == kind);
            Seen { there: row.is_some(), failed: row.is_some_and(|row| row.failed), row }
        }
        Memory::Reached { version: reached, dirty } => {
            let reached: Option<u64> = reached.as_ref().and_then(|reached| reached.parse().ok());
            let own: Option<u64> = version.parse().ok();
            let there = own.is_some() && own <= reached;
            Seen { there, failed: *dirty && own == reached, row: None }
        }
        Memory::Nothing => {
            debug_assert_eq!(tool, Format::Plain, "every tool remembers something");
            let there = run.is_some_and(|run| run.state == State::Applied);
            Seen { there, failed: false, row: None }
        }
    }
}

/// One migration, of which the file is not looked at.
fn judged(
    version: String,
    name: String,
    kind: MigrationKind,
    run: Option<&Applied>,
    seen: &Seen<'_>,
) -> Standing {
    let mut remarks = BTreeSet::new();
    let stand = match (run.map(|run| run.state), seen.there) {
        (Some(State::Running), _) => Stand::Unfinished,
        (Some(State::Undoing), _) => Stand::HalfUndone,
        (_, true) if seen.failed => Stand::Failed,
        (Some(State::Applied), true) => Stand::Applied,
        (None | Some(State::Undone), true) => {
            remarks.insert(Remark::AppliedElsewhere);
            Stand::Applied
        }
        (Some(State::Applied), false) => {
            remarks.insert(Remark::TakenBackElsewhere);
            Stand::Pending
        }
        (Some(State::Undone), false) => Stand::Undone,
        (None, false) => Stand::Pending,
    };
    let elsewhere = remarks.contains(&Remark::AppliedElsewhere);
    let by_ripcord = run.filter(|_| !elsewhere);
    let told = seen.row.and_then(|row| row.at.clone());
    Standing {
        version,
        name,
        kind,
        stand,
        remarks,
        applied_at: by_ripcord.map(|run| run.applied_at.clone()).or(told),
        undone_at: run.and_then(|run| run.undone_at.clone()),
        index: None,
        run: by_ripcord.map(|run| run.id),
    }
}

/// Whether the file is another than what was applied.
fn changed(migration: &Migration, run: Option<&Applied>, seen: &Seen<'_>) -> bool {
    let by_tool = || {
        let stored = seen.row?.checksum.as_ref()?;
        Some(stored != migration.checksum.as_ref()?)
    };
    let by_ripcord = || Some(run?.run.checksum != Run::digest(&migration.up.text));
    // What the tool would say comes first: a checksum of ours may be of an earlier time that it
    // was applied.
    by_tool().or_else(by_ripcord).unwrap_or(false)
}

pub(super) fn out_of_order(all: &mut [Standing]) {
    let in_force = |one: &Standing| one.stand == Stand::Applied;
    let versioned = |one: &Standing| one.kind == MigrationKind::Versioned;
    let last = all.iter().rposition(|one| versioned(one) && in_force(one)).unwrap_or(0);
    for one in &mut all[..last] {
        if versioned(one) && matches!(one.stand, Stand::Pending | Stand::Undone) {
            one.remarks.insert(Remark::OutOfOrder);
        }
    }
}

/// What is remembered of migrations that the folder lacks.
fn missing(set: &MigrationSet, memory: &Memory, applied: &[Applied], all: &mut Vec<Standing>) {
    let mut known: BTreeSet<(String, bool)> = BTreeSet::new();
    let is_baseline = |kind: MigrationKind| kind == MigrationKind::Baseline;
    known.extend(all.iter().map(|one| (one.version.clone(), is_baseline(one.kind))));
    let mut others: Vec<(String, String, MigrationKind)> = Vec::new();
    match memory {
        Memory::Each(rows) => others.extend(
            rows.iter()
                .map(|row| (row.version.clone(), row.name.clone().unwrap_or_default(), row.kind)),
        ),
        Memory::Reached { version: Some(version), .. } => {
            others.push((version.clone(), String::new(), MigrationKind::Versioned));
        }
        Memory::Reached { version: None, .. } | Memory::Nothing => {}
    }
    others.extend(
        applied
            .iter()
            .filter(|one| one.state != State::Undone)
            .map(|one| (one.run.version.clone(), one.run.name.clone(), one.run.kind())),
    );
    for (version, name, kind) in others {
        if !known.insert((version.clone(), is_baseline(kind))) {
            continue;
        }
        let run = applied.iter().rev().find(|one| one.run.version == version);
        let seen = seen(set.format, memory, run, &version, kind);
        let name = run.map_or(name, |run| run.run.name.clone());
        let mut one = judged(version, name, kind, run, &seen);
        // A baseline is a fact of the database; a file for it is the exception.
        if !is_baseline(kind) {
            one.remarks.insert(Remark::FileMissing);
        }
        all.push(one);
    }
}

#[cfg(test)]
mod tests;
