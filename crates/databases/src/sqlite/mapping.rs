//! Which table and column before a change is which after it: names are followed through renames,
//! and what was dropped and made again under the same name is taken for the same.

use crate::sqlite::catalogue::{Catalogue, Table};
use crate::sqlite::statement::Statement;
use ripcord_core::schema::Column;
use serde::{Deserialize, Serialize};

/// A table that is there before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) before: String,
    pub(crate) after: String,
    /// The columns with values of their own that are there before and after.
    pub(crate) columns: Vec<(String, String)>,
}

impl Pair {
    /// The same seen from the other side.
    pub(crate) fn reversed(&self) -> Pair {
        let columns = self.columns.iter().map(|(before, after)| (after.clone(), before.clone()));
        Pair { before: self.after.clone(), after: self.before.clone(), columns: columns.collect() }
    }

    /// The name afterwards of a column from before.
    pub(crate) fn after_of(&self, before: &str) -> Option<&str> {
        let same = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(before);
        self.columns.iter().find(same).map(|(_, after)| after.as_str())
    }

    /// The name before of a column from afterwards.
    pub(crate) fn before_of(&self, after: &str) -> Option<&str> {
        let same = |(_, name): &&(String, String)| name.eq_ignore_ascii_case(after);
        self.columns.iter().find(same).map(|(before, _)| before.as_str())
    }
}

/// Follows the names of a catalogue through a script.
#[derive(Debug, Clone)]
pub(crate) struct Tracker {
    pub(crate) tables: Vec<Tracked>,
}

/// What became of one table so far.
#[derive(Debug, Clone)]
pub(crate) struct Tracked {
    pub(crate) before: String,
    pub(crate) now: Option<String>,
    /// Names before and now.
    pub(crate) columns: Vec<(String, Option<String>)>,
}

impl Tracker {
    pub(crate) fn new(catalogue: &Catalogue) -> Tracker {
        let tracked = |table: &Table| Tracked {
            before: table.name.clone(),
            now: Some(table.name.clone()),
            columns: table.stored().map(|c| (c.name.clone(), Some(c.name.clone()))).collect(),
        };
        Tracker { tables: catalogue.tables.iter().map(tracked).collect() }
    }

    /// Takes one statement into account.
    pub(crate) fn apply(&mut self, statement: &Statement) {
        match statement {
            Statement::DropTable { table } => self.with(table, |tracked| tracked.now = None),
            Statement::RenameTable { from, to } => {
                self.with(from, |tracked| tracked.now = Some(to.clone()));
            }
            Statement::DropColumn { table, column } => {
                self.with(table, |tracked| tracked.set(column, None));
            }
            Statement::RenameColumn { table, from, to } => {
                self.with(table, |tracked| tracked.set(from, Some(to.clone())));
            }
            _ => {}
        }
    }

    /// The tracked table that now has this name.
    pub(crate) fn now(&self, name: &str) -> Option<&Tracked> {
        self.tables.iter().find(|tracked| tracked.is_now(name))
    }

    fn with(&mut self, name: &str, act: impl FnOnce(&mut Tracked)) {
        if let Some(tracked) = self.tables.iter_mut().find(|tracked| tracked.is_now(name)) {
            act(tracked);
        }
    }

    /// Names as they are now beside those of a target, for tables known to correspond to it by
    /// their names from before; what a script made under a name of the target is taken for it.
    pub(crate) fn carry(&self, known: &[Pair], now: &Catalogue, target: &Catalogue) -> Vec<Pair> {
        let to_now = self.pairs(now);
        let mut carried: Vec<Pair> = Vec::new();
        for known in known {
            let Some(step) = to_now.iter().find(|step| step.before == known.before) else {
                continue;
            };
            let through = |(before, after): &(String, String)| {
                Some((step.after_of(before)?.to_owned(), after.clone()))
            };
            let columns = known.columns.iter().filter_map(through).collect();
            let pair = Pair { before: step.after.clone(), after: known.after.clone(), columns };
            carried.push(pair);
        }
        for table in &target.tables {
            let known = carried.iter().any(|pair| pair.after == table.name);
            let taken = self.now(&table.name).is_some();
            if let Some(made) = now.table(&table.name).filter(|_| !known && !taken) {
                let (before, after) = (made.name.clone(), table.name.clone());
                carried.push(Pair { before, after, columns: Vec::new() });
            }
        }
        for pair in &mut carried {
            let here = now.table(&pair.before).map(|table| &table.columns);
            let wanted = target.table(&pair.after).into_iter().flat_map(Table::stored);
            let missing: Vec<&Column> =
                wanted.filter(|column| pair.before_of(&column.name).is_none()).collect();
            for column in missing {
                let free = |c: &&Column| {
                    c.name == column.name && !c.generated && pair.after_of(&c.name).is_none()
                };
                if let Some(made) = here.and_then(|columns| columns.iter().find(free)) {
                    pair.columns.push((made.name.clone(), column.name.clone()));
                }
            }
        }
        carried
    }

    /// The tables that are there before and after.
    pub(crate) fn pairs(&self, after: &Catalogue) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for tracked in &self.tables {
            let same_name =
                || after.table(&tracked.before).filter(|table| self.now(&table.name).is_none());
            let table = tracked.now.as_ref().and_then(|now| after.table(now)).or_else(same_name);
            if let Some(table) = table {
                pairs.push(tracked.pair(table));
            }
        }
        pairs
    }
}

impl Tracked {
    fn is_now(&self, name: &str) -> bool {
        self.now.as_ref().is_some_and(|now| now.eq_ignore_ascii_case(name))
    }

    fn set(&mut self, column: &str, to: Option<String>) {
        let same =
            |now: &Option<String>| now.as_ref().is_some_and(|now| now.eq_ignore_ascii_case(column));
        if let Some((_, now)) = self.columns.iter_mut().find(|(_, now)| same(now)) {
            *now = to;
        }
    }

    fn pair(&self, after: &Table) -> Pair {
        let kept_name = self.now.is_some();
        let mut columns = Vec::new();
        for (before, now) in &self.columns {
            let now = if kept_name { now.as_ref() } else { Some(before) };
            let taken = |name: &str| {
                let is = |now: &String| now.eq_ignore_ascii_case(name);
                kept_name && self.columns.iter().any(|(_, now)| now.as_ref().is_some_and(is))
            };
            let found = match now {
                Some(now) => after.column(now),
                None => after.column(before).filter(|column| !taken(&column.name)),
            };
            if let Some(column) = found.filter(|column| !column.generated) {
                columns.push((before.clone(), column.name.clone()));
            }
        }
        Pair { before: self.before.clone(), after: after.name.clone(), columns }
    }
}
