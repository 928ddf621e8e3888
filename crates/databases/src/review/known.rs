//! What earlier statements tell about the schema: which tables this script created, which types
//! columns have, which of them are never NULL. What no script said is unknown, never assumed.

use crate::statement::{
    Column, Constraint, ConstraintKind, Name, Statement, TypeChange, type_change,
};
use std::collections::{BTreeMap, BTreeSet};

/// Knowledge of a schema, growing statement by statement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// What the present script created.
    born: BTreeSet<Name>,
    /// Those of them into which it wrote rows.
    filled: BTreeSet<Name>,
    tables: BTreeMap<Name, BTreeMap<String, KnownColumn>>,
    /// Columns that a CHECK demands to be not NULL: table, constraint, column, and whether all
    /// rows were checked.
    proofs: Vec<Proof>,
    /// Constraints that the present script added without checking rows.
    unchecked: BTreeSet<(Name, String)>,
    /// Whether the present script bounds how long it waits for locks.
    patient: bool,
}

#[derive(Debug, Clone)]
struct KnownColumn {
    type_name: String,
    not_null: bool,
}

#[derive(Debug, Clone)]
struct Proof {
    table: Name,
    constraint: String,
    column: String,
    valid: bool,
}

impl Known {
    /// Begins another script: what exists now is in use.
    pub(crate) fn begin(&mut self) {
        self.born.clear();
        self.filled.clear();
        self.unchecked.clear();
        self.patient = false;
    }

    /// Whether the present script created it, so that nobody uses it yet.
    pub(crate) fn is_born(&self, name: &Name) -> bool {
        self.born.contains(&name.key())
    }

    /// Whether it is new and has no rows.
    pub(crate) fn is_empty(&self, table: &Name) -> bool {
        self.is_born(table) && !self.filled.contains(&table.key())
    }

    /// Whether the script has set a bound on waiting for locks.
    pub(crate) fn bounds_waiting(&self) -> bool {
        self.patient
    }

    /// What a new type of a column means, given what its type was.
    pub(crate) fn type_change(&self, table: &Name, column: &str, to: &str) -> TypeChange {
        let known = self.column(table, column);
        type_change(known.map(|known| known.type_name.as_str()), to)
    }

    /// The type that a column is known to have.
    pub(crate) fn type_of(&self, table: &Name, column: &str) -> Option<&str> {
        self.column(table, column).map(|known| known.type_name.as_str())
    }

    /// Whether all rows are known to have a value there.
    pub(crate) fn never_null(&self, table: &Name, column: &str) -> bool {
        let proven = |proof: &Proof| proof.valid && proof.is_of(table, column);
        self.proofs.iter().any(proven)
            || self.column(table, column).is_some_and(|known| known.not_null)
    }

    /// Whether rows written must have a value there already.
    pub(crate) fn demands_value(&self, table: &Name, column: &str) -> bool {
        self.proofs.iter().any(|proof| proof.is_of(table, column))
            || self.column(table, column).is_some_and(|known| known.not_null)
    }

    /// Whether the present script added this constraint without checking rows.
    pub(crate) fn is_unchecked(&self, table: &Name, constraint: &str) -> bool {
        self.unchecked.contains(&(table.key(), constraint.to_owned()))
    }

    fn column(&self, table: &Name, column: &str) -> Option<&KnownColumn> {
        self.tables.get(&table.key())?.get(column)
    }

    /// Takes note of a statement, after it was judged.
    pub(crate) fn learn(&mut self, statement: &Statement) {
        use Statement as S;
        match statement {
            S::CreateTable(definition) => {
                let key = definition.table.key();
                if definition.if_not_exists && self.tables.contains_key(&key) {
                    return;
                }
                // It may exist already, so that it is not known to be new.
                if !definition.if_not_exists || definition.temporary {
                    self.born.insert(key.clone());
                }
                if definition.from_query {
                    self.filled.insert(key.clone());
                }
                self.tables.insert(key, BTreeMap::new());
                for column in &definition.columns {
                    self.add_column(&definition.table, column);
                }
                for constraint in &definition.constraints {
                    self.constrain(&definition.table, constraint);
                }
            }
            S::CreateMaterializedView { view } | S::CreateView { view, replace: false } => {
                self.born.insert(view.key());
            }
            S::CreateRoutine(routine) if !routine.replace => {
                self.born.insert(routine.name.key());
            }
            S::Create { object } => {
                self.born.insert(object.name.key());
            }
            S::AddColumn { table, column } => self.add_column(table, column),
            S::Insert { table } | S::Merge { table } => {
                self.filled.insert(table.key());
            }
            S::AddConstraint { table, constraint } => self.constrain(table, constraint),
            S::ValidateConstraint { table, constraint } => {
                let mine = |proof: &&mut Proof| {
                    proof.table == table.key() && proof.constraint == *constraint
                };
                self.proofs.iter_mut().filter(mine).for_each(|proof| proof.valid = true);
            }
            S::Setting { name, value: Some(value) } if name == "lock_timeout" => {
                self.patient = value != "0";
            }
            _ => self.forget(statement),
        }
    }

    /// Takes note of what changes or removes what is known.
    fn forget(&mut self, statement: &Statement) {
        use Statement as S;
        match statement {
            S::DropTable { table, .. } => self.drop_table(table),
            S::Rename { object, to } => {
                let from = object.name.key();
                let to = Name { schema: from.schema.clone(), name: to.clone() };
                self.move_table(&from, &to);
            }
            S::SetSchema { object, schema } => {
                let from = object.name.key();
                let to = Name { schema: Some(schema.clone()), name: from.name.clone() };
                self.move_table(&from, &to.key());
            }
            S::DropColumn { table, column, .. } => {
                self.with(table, |columns| drop(columns.remove(column)));
                self.proofs.retain(|proof| !proof.is_of(table, column));
            }
            S::RenameColumn { table, from, to } => {
                self.with(table, |columns| {
                    if let Some(column) = columns.remove(from) {
                        columns.insert(to.clone(), column);
                    }
                });
                let mine = |proof: &&mut Proof| proof.is_of(table, from);
                self.proofs.iter_mut().filter(mine).for_each(|proof| proof.column.clone_from(to));
            }
            S::AlterType { table, column, to, .. } => self.with(table, |columns| {
                if let Some(column) = columns.get_mut(column) {
                    column.type_name.clone_from(to);
                }
            }),
            S::SetNotNull { table, column } => self.demand(table, column, true),
            S::DropNotNull { table, column } => self.demand(table, column, false),
            S::DropConstraint { table, constraint, .. } => {
                let table = table.key();
                self.proofs.retain(|p| p.table != table || p.constraint != *constraint);
            }
            // What it did to the schema is not known, so nothing is any more.
            S::Opaque { .. } | S::MetaCommand { .. } | S::DropSchema { .. } => {
                self.tables.clear();
                self.proofs.clear();
            }
            _ => {}
        }
    }

    fn with(&mut self, table: &Name, change: impl FnOnce(&mut BTreeMap<String, KnownColumn>)) {
        if let Some(columns) = self.tables.get_mut(&table.key()) {
            change(columns);
        }
    }

    fn demand(&mut self, table: &Name, column: &str, not_null: bool) {
        self.with(table, |columns| {
            if let Some(column) = columns.get_mut(column) {
                column.not_null = not_null;
            }
        });
    }

    fn drop_table(&mut self, table: &Name) {
        let key = table.key();
        self.tables.remove(&key);
        self.born.remove(&key);
        self.proofs.retain(|proof| proof.table != key);
    }

    fn move_table(&mut self, from: &Name, to: &Name) {
        if let Some(columns) = self.tables.remove(from) {
            self.tables.insert(to.clone(), columns);
        }
        if self.born.remove(from) {
            self.born.insert(to.clone());
        }
        let mine = |proof: &&mut Proof| proof.table == *from;
        self.proofs.iter_mut().filter(mine).for_each(|proof| proof.table = to.clone());
    }

    fn add_column(&mut self, table: &Name, column: &Column) {
        let known = KnownColumn { type_name: column.type_name.clone(), not_null: column.not_null };
        let columns = self.tables.entry(table.key()).or_default();
        if column.if_not_exists && columns.contains_key(&column.name) {
            return;
        }
        columns.insert(column.name.clone(), known);
        for constraint in &column.constraints {
            self.constrain(table, constraint);
        }
    }

    fn constrain(&mut self, table: &Name, constraint: &Constraint) {
        let name = constraint.name.clone().unwrap_or_default();
        if constraint.not_valid {
            self.unchecked.insert((table.key(), name.clone()));
        }
        let column = match &constraint.kind {
            ConstraintKind::Check { proves_not_null: Some(column) }
            | ConstraintKind::NotNull { column } => column.clone(),
            _ => return,
        };
        let (table, valid) = (table.key(), !constraint.not_valid);
        self.proofs.push(Proof { table, constraint: name, column, valid });
    }
}

impl Proof {
    fn is_of(&self, table: &Name, column: &str) -> bool {
        self.table == table.key() && self.column == column
    }
}
