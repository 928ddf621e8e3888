//! The simulated database: columns, rows, markers and tombstones, what was set aside, and
//! transactions that commit after their client stopped waiting.

use crate::catalogue::{Columns, Script, Statement, Values, digest};
use crate::controller::Controller;
use crate::fault::Protection;
use crate::state::State;
use ripcord_core::model::environment::SchemaState;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{AppliedMigration, ChangeId, Digest, digest_of};
use ripcord_core::run::Receipt;
use ripcord_core::schema::{
    Counted, Direction, MigrationScript, SchemaChange, SchemaForecast, SchemaPreview, Unit, Wanted,
};
use ripcord_engine::{Database, Failure, Result, Ticket};
use std::collections::{BTreeMap, BTreeSet};

/// How long a late transaction takes to commit.
const LATE_MS: Millis = 700;

/// The content of the database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) columns: Columns,
    pub(crate) rows: BTreeMap<u64, BTreeMap<String, String>>,
    /// Values by column that are not in the schema at present.
    pub(crate) vault: BTreeMap<String, Values>,
    pub(crate) applied: Vec<AppliedMigration>,
    /// Changes that were begun here: made or unmade.
    pub(crate) markers: BTreeMap<ChangeId, Wanted>,
    pub(crate) tombstones: BTreeSet<ChangeId>,
    pub(crate) fence: u64,
    /// How often each migration's data change is in force.
    pub(crate) bumps: BTreeMap<u64, i64>,
    pub(crate) backups: BTreeMap<String, usize>,
    pub(crate) late: Vec<Late>,
}

/// A transaction in flight without a client.
#[derive(Debug, Clone)]
pub(crate) struct Late {
    at: Millis,
    change: SchemaChange,
    fence: u64,
}

impl State {
    pub(crate) fn tick_store(&mut self) {
        let now = self.now_ms;
        let (due, left) =
            std::mem::take(&mut self.store.late).into_iter().partition(|late| late.at <= now);
        self.store.late = left;
        let due: Vec<Late> = due;
        for late in due {
            // Nobody is there to hear how it ended.
            drop(self.make(&late.change, late.fence));
        }
    }

    /// The whole transaction that makes a change.
    fn make(&mut self, change: &SchemaChange, fence: u64) -> Result<Receipt> {
        self.store.fence = self.admit("the database", self.store.fence, fence)?;
        if self.store.tombstones.contains(&change.id) {
            return Err(Failure::definite(format!("change {} was taken back", change.id)));
        }
        if self.store.markers.get(&change.id) == Some(&Wanted::Made) {
            return Ok(Receipt::of("made before"));
        }
        let receipt = self.run(change, change.direction)?;
        if self.protects(Protection::MarkerInTransaction) {
            self.store.markers.insert(change.id.clone(), Wanted::Made);
        }
        Ok(receipt)
    }

    /// The whole transaction that unmakes a change, or prevents it.
    fn unmake(&mut self, change: &SchemaChange, fence: u64) -> Result<Receipt> {
        self.store.fence = self.admit("the database", self.store.fence, fence)?;
        if self.protects(Protection::Tombstone) {
            self.store.tombstones.insert(change.id.clone());
        }
        match self.store.markers.get(&change.id) {
            Some(Wanted::Unmade) => return Ok(Receipt::of("taken back before")),
            None => return Ok(Receipt::of("never happened")),
            Some(Wanted::Made) => {}
        }
        let back = match change.direction {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
        let receipt = self.run(change, back)?;
        self.store.markers.insert(change.id.clone(), Wanted::Unmade);
        Ok(Receipt { what: "schema change taken back".to_owned(), ..receipt })
    }

    /// Runs scripts as one transaction: all or nothing.
    fn run(&mut self, change: &SchemaChange, direction: Direction) -> Result<Receipt> {
        let mut store = self.store.clone();
        let mut receipt = Receipt::default();
        let keeps = self.protects(Protection::Keep);
        let mut run_one = |script: &MigrationScript| {
            let version = script.migration.version.0;
            let forward = Script::parse(&script.up);
            let up = direction == Direction::Up;
            let statements = if up { forward } else { forward.inverse() };
            for statement in &statements.0 {
                store.execute(statement, version, keeps, &mut receipt)?;
            }
            if up {
                let migration = script.migration.clone();
                let at = jiff::Timestamp::UNIX_EPOCH;
                store.applied.push(AppliedMigration { migration, at });
            } else {
                store.applied.retain(|applied| applied.migration != script.migration);
            }
            Ok(())
        };
        match direction {
            Direction::Up => change.scripts.iter().try_for_each(&mut run_one)?,
            Direction::Down => change.scripts.iter().rev().try_for_each(&mut run_one)?,
        }
        self.store = store;
        Ok(receipt)
    }
}

impl Store {
    fn execute(
        &mut self,
        statement: &Statement,
        version: u64,
        keeps: bool,
        receipt: &mut Receipt,
    ) -> Result<()> {
        match statement {
            Statement::Add(column) => {
                if !self.columns.insert(column.clone()) {
                    return Err(Failure::definite(format!("column {column} exists")));
                }
                let values = self.vault.remove(column).unwrap_or_default();
                if !values.is_empty() {
                    receipt.restored.push(counted(column, values.len()));
                }
                for (id, value) in values {
                    self.rows.entry(id).or_default().insert(column.clone(), value);
                }
            }
            Statement::Drop(column) => {
                if !self.columns.remove(column) {
                    return Err(Failure::definite(format!("column {column} does not exist")));
                }
                let mut values = Values::new();
                for (id, row) in &mut self.rows {
                    if let Some(value) = row.remove(column) {
                        values.insert(*id, value);
                    }
                }
                if keeps && !values.is_empty() {
                    receipt.kept.push(counted(column, values.len()));
                    self.vault.insert(column.clone(), values);
                }
            }
            Statement::Bump => *self.bumps.entry(version).or_default() += 1,
            Statement::Unbump => *self.bumps.entry(version).or_default() -= 1,
            Statement::Fail => return Err(Failure::definite("syntax error in line 1")),
        }
        Ok(())
    }

    fn count(&self, column: &str) -> usize {
        self.rows.values().filter(|row| row.contains_key(column)).count()
    }
}

fn counted(column: &str, count: usize) -> Counted {
    Counted { what: column.to_owned(), unit: Unit::Values, count: count as u64 }
}

impl Database for Controller<'_> {
    fn observe(&self) -> Result<SchemaState> {
        self.look(|state| {
            let applied = state.store.applied.clone();
            Ok(SchemaState { digest: digest(&state.store.columns), applied })
        })
    }

    fn preview(&self, direction: Direction, scripts: &[MigrationScript]) -> Result<SchemaPreview> {
        self.look(|state| {
            let mut columns = state.store.columns.clone();
            let parsed: Vec<Script> =
                scripts.iter().map(|script| Script::parse(&script.up)).collect();
            match direction {
                Direction::Up => parsed.iter().for_each(|script| script.shape(&mut columns)),
                Direction::Down => {
                    parsed.iter().rev().for_each(|script| script.inverse().shape(&mut columns));
                }
            }
            let leaves = state.store.columns.difference(&columns);
            let leaves = leaves.map(|column| counted(column, state.store.count(column)));
            let leaves: Vec<Counted> = leaves.filter(|counted| counted.count > 0).collect();
            let (kept, hidden) = match direction {
                Direction::Up => (leaves, Vec::new()),
                Direction::Down => (Vec::new(), leaves),
            };
            let reviews = parsed.iter().zip(scripts);
            Ok(SchemaPreview {
                direction,
                scripts: scripts.to_vec(),
                from: digest(&state.store.columns),
                to: digest(&columns),
                reviews: reviews.map(|(one, script)| one.review(&script.migration)).collect(),
                forecast: SchemaForecast {
                    kept,
                    hidden,
                    gone: Vec::new(),
                    caveats: Vec::new(),
                    takes_ms: 20,
                    counted_at: state.wall_clock(),
                },
                can_be_copied: true,
            })
        })
    }

    fn back_up(&self, name: &str, _ticket: &Ticket<'_>) -> Result<Receipt> {
        self.effect("backup", || {
            self.change(|state| {
                let rows = state.store.rows.len();
                let rows = *state.store.backups.entry(name.to_owned()).or_insert(rows);
                Ok(Receipt::of(format!("{rows} rows copied as {name}")))
            })
        })
    }

    fn ensure(
        &self,
        change: &SchemaChange,
        wanted: Wanted,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let fence = ticket.fence.0;
        self.effect("schema", || {
            let receipt = self.change(|state| match wanted {
                Wanted::Made if state.is_late() => {
                    let at = state.now_ms + LATE_MS;
                    state.store.late.push(Late { at, change: change.clone(), fence });
                    Err(Failure::unknown("the connection broke before the answer"))
                }
                Wanted::Made => state.make(change, fence),
                Wanted::Unmade => state.unmake(change, fence),
            })?;
            if wanted == Wanted::Made && !self.protects(Protection::MarkerInTransaction) {
                self.point("marker")?;
                self.change(|state| {
                    state.store.markers.insert(change.id.clone(), Wanted::Made);
                    Ok(())
                })?;
            }
            Ok(receipt)
        })
    }

    fn integrity(&self) -> Result<()> {
        self.look(|_| Ok(()))
    }

    fn fingerprints(&self) -> Result<BTreeMap<String, Digest>> {
        self.look(|state| Ok(BTreeMap::from([("orders".to_owned(), digest_of(&state.store.rows))])))
    }
}
