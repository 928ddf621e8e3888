//! The way back of one run, as far as it happens in one transaction: the schema becomes what it
//! would be without the run, and what the run destroyed returns around what users wrote since.
//!
//! Nothing here begins or ends a transaction; whoever calls it does, and is asked under which
//! settings.

use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::connection::Connection;
use crate::postgres::diff::diff;
use crate::postgres::inverse::{Sql, WayBack, way_back};
use crate::postgres::keep::{Keeper, Retyping};
use crate::postgres::kind::Kind;
use crate::postgres::outcome::{Conflict, Outcome};
use crate::postgres::own::{Delta, Kept, KeptItem};
use crate::postgres::snapshot::{Identities, Scope, snapshot_here};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use crate::postgres::undo::{
    Manner, Marked, Net, Rebuild, Rows, Side, Values, count_conflicts, mark_values, net, quietly,
    rename_back, rows, run_converting, set_position, to_rename, values, wanted_rebuilds,
};
use crate::sql::literal;
use std::collections::{BTreeMap, BTreeSet};

const ABOUT: &str = "way back";

/// What has to be known before anything moves.
pub(crate) struct Back<'a> {
    /// What the run changed.
    pub(crate) delta: &'a Delta,
    /// What the schema is to become.
    pub(crate) target: &'a Catalogue,
    /// What the run set aside, in the order in which it did.
    pub(crate) pieces: &'a [Kept],
    /// Which object had which number before any script ran.
    numbers: &'a Identities,
    nets: Vec<Net>,
    marked: BTreeMap<i64, Marked>,
}

impl<'a> Back<'a> {
    /// Looks what users left as the run had made it. `now` is the schema of now.
    pub(crate) fn look(
        connection: &mut Connection,
        delta: &'a Delta,
        target: &'a Catalogue,
        (now, numbers): (&Catalogue, &'a Identities),
        pieces: &'a [Kept],
    ) -> Result<Back<'a>, PostgresError> {
        let side = Side { catalogue: now, delta, before: false };
        lock(connection, side, pieces)?;
        let mut nets = nets(connection, pieces)?;
        for one in &mut nets {
            let emptied = pieces.iter().any(|piece| {
                piece.ordinal > one.ordinal
                    && piece.relation == one.relation()
                    && matches!(piece.item, KeptItem::Rows { .. })
            });
            if !emptied {
                one.mark(connection, side)?;
            }
        }
        let mut marked = BTreeMap::new();
        for piece in pieces {
            let KeptItem::Values { lossy: true, .. } = &piece.item else { continue };
            let Some(kept) = values_of(piece) else { continue };
            if let Some(mark) = mark_values(connection, side, kept, piece.id)? {
                marked.insert(piece.id, mark);
            }
        }
        Ok(Back { delta, target, pieces, numbers, nets, marked })
    }

    /// Makes the schema what it is to become, and puts everything back. `ran` when a script has
    /// already done what it could.
    pub(crate) fn go(
        self,
        connection: &mut Connection,
        keeper: &mut Keeper,
        own: &[Kept],
        terms: &Terms,
        ran: bool,
        outcome: &mut Outcome,
    ) -> Result<(), PostgresError> {
        let (now, numbers) = snapshot_here(connection, &Scope::default())?;
        let renamed = to_rename(self.delta, self.numbers, &numbers);
        let aside = rename_back(connection, &renamed, &self.delta.labels, &now, self.target)?;
        let (now, _) = snapshot_here(connection, &Scope::default())?;
        if !ran {
            // Values that only fit what is now go before the schema does.
            self.quiet(connection, &now, outcome, |back, connection, side, _| {
                for net in back.nets.iter().filter(|net| !net.waits()) {
                    net.delete(connection, side)?;
                    net.update(connection, side)?;
                }
                Ok(())
            })?;
        }
        let rebuilt = {
            let way = way_back(self.target, &now, &BTreeSet::new());
            wanted_rebuilds(connection, &way, self.target, &now, terms.rebuild_bytes_max)?
        };
        let way = way_back(self.target, &now, &rebuilt);
        if ran {
            let label = |statement: &Sql| statement.label.clone();
            outcome.repaired.extend(way.inverse.statements.iter().map(label));
        }
        let retypings = self.keep(connection, keeper, &way, &now, &rebuilt)?;
        name_as_before(connection, own, &aside)?;
        let side = Side { catalogue: &now, delta: self.delta, before: true };
        let mut fills = Vec::new();
        for (number, table) in rebuilt.iter().enumerate() {
            fills.push(Rebuild::set_aside(connection, side, &table.name, number)?);
        }
        let (late, early): (Vec<Sql>, Vec<Sql>) =
            way.inverse.statements.into_iter().partition(|statement| statement.late);
        let mut demands = Vec::new();
        for statement in &early {
            demands.extend(run_converting(connection, statement, self.target)?);
        }
        demands.extend(late);
        for retyping in retypings {
            retyping.after(keeper, connection)?;
        }
        let (now, _) = snapshot_here(connection, &Scope::default())?;
        let own = own.to_vec();
        self.quiet(connection, &now, outcome, |back, connection, side, outcome| {
            for fill in fills {
                fill.fill(connection, side)?;
            }
            back.put_back(connection, side, &own, outcome)
        })?;
        self.late(connection, &demands, outcome)?;
        for net in self.nets {
            outcome.conflicts.extend(net.conflicts(connection)?);
            net.finish(connection)?;
        }
        let (found, _) = snapshot_here(connection, &Scope::default())?;
        let differs = diff(self.target, &found);
        outcome.notes.extend(differs.iter().map(|one| format!("not as it was: {one}")));
        Ok(())
    }

    /// Does something with rows while nothing of users acts on them.
    fn quiet(
        &self,
        connection: &mut Connection,
        now: &Catalogue,
        outcome: &mut Outcome,
        act: impl FnOnce(&Self, &mut Connection, Side<'_>, &mut Outcome) -> Result<(), PostgresError>,
    ) -> Result<(), PostgresError> {
        let side = Side { catalogue: now, delta: self.delta, before: true };
        let touched = |piece: &Kept| side.table(&piece.relation);
        let tables: BTreeSet<String> = self.pieces.iter().filter_map(touched).collect();
        let mut notes = std::mem::take(&mut outcome.notes);
        let done = quietly(connection, &tables, &mut notes, |connection| {
            act(self, connection, side, outcome)
        });
        outcome.notes = notes;
        done
    }

    /// Sets aside what the statements are about to destroy.
    fn keep(
        &self,
        connection: &mut Connection,
        keeper: &mut Keeper,
        way: &WayBack,
        now: &Catalogue,
        rebuilt: &BTreeSet<Name>,
    ) -> Result<Vec<Retyping>, PostgresError> {
        let mut gone: BTreeMap<u32, Vec<i32>> = BTreeMap::new();
        for name in way.drops.difference(&way.creates) {
            let Some(object) = now.objects.get(name) else { continue };
            let of = object.of.as_deref().unwrap_or_default();
            match name.kind {
                Kind::Table if !object.facts.contains_key("partition_key") => {
                    if let Some(oid) = number(connection, &name.name)? {
                        Keeper::lock(connection, oid)?;
                        keeper.rows(connection, oid, true)?;
                    }
                }
                Kind::Sequence => {
                    if let Some(oid) = number(connection, &name.name)? {
                        keeper.position(connection, oid)?;
                    }
                }
                Kind::Column if Self::loses_values(way, now, of, name) => {
                    if let Some((oid, column)) = column(connection, of, &object.local)? {
                        gone.entry(oid).or_default().push(column);
                    }
                }
                _ => {}
            }
        }
        for (oid, columns) in gone {
            Keeper::lock(connection, oid)?;
            keeper.values(connection, oid, &columns)?;
        }
        let mut retypings = Vec::new();
        for name in way.alters.iter().filter(|name| name.kind == Kind::Column) {
            let (Some(old), Some(new)) = (self.target.objects.get(name), now.objects.get(name))
            else {
                continue;
            };
            let of = old.of.as_deref().unwrap_or_default();
            let table = Name { kind: Kind::Table, name: of.to_owned() };
            let held = now.objects.contains_key(&table) && !rebuilt.contains(&table);
            if old.word("type") == new.word("type") || !held || old.flag("inherited") {
                continue;
            }
            if let Some(oid) = number(connection, of)? {
                let (column, to) = (&old.local, old.word("type"));
                retypings.extend(Retyping::before(keeper, connection, oid, column, to, false)?);
            }
        }
        Ok(retypings)
    }

    /// Whether the values of a column go without their table.
    fn loses_values(way: &WayBack, now: &Catalogue, of: &str, name: &Name) -> bool {
        let table = Name { kind: Kind::Table, name: of.to_owned() };
        let column = now.objects.get(name);
        now.objects.contains_key(&table)
            && (!way.drops.contains(&table) || way.creates.contains(&table))
            && column.is_some_and(|column| {
                !column.flag("inherited") && !column.facts.contains_key("generated")
            })
    }

    /// Puts back what was kept, the last first.
    fn put_back(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
        own: &[Kept],
        outcome: &mut Outcome,
    ) -> Result<(), PostgresError> {
        // What the way back itself destroyed although it is to be there comes first.
        let again = own.iter().rev().filter(|piece| !is_lossy(piece));
        for piece in again {
            self.restore(connection, side, piece, outcome, true)?;
        }
        let mut waiting: Vec<Unit<'_>> = self.pieces.iter().map(Unit::Piece).collect();
        waiting.extend(self.nets.iter().map(Unit::Net));
        waiting.sort_by_key(|unit| std::cmp::Reverse(unit.ordinal()));
        for _ in 0..PASSES_MAX {
            let (mut held, mut blocked) = (Vec::new(), BTreeSet::new());
            for unit in waiting {
                // Of one table everything is taken back in order.
                let free = !blocked.contains(unit.relation());
                if !free || !attempt(connection, |c| self.unit(c, side, unit, outcome))? {
                    blocked.insert(unit.relation());
                    held.push(unit);
                }
            }
            waiting = held;
            if waiting.is_empty() {
                return Ok(());
            }
        }
        // The last word of the server says what is in the way.
        waiting.into_iter().try_for_each(|unit| self.unit(connection, side, unit, outcome))
    }

    fn unit(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
        unit: Unit<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), PostgresError> {
        match unit {
            Unit::Piece(piece) => self.restore(connection, side, piece, outcome, false),
            Unit::Net(net) => {
                net.delete(connection, side)?;
                net.insert(connection, side)?;
                net.update(connection, side).map(|_| ())
            }
        }
    }

    fn restore(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
        piece: &Kept,
        outcome: &mut Outcome,
        own: bool,
    ) -> Result<(), PostgresError> {
        match &piece.item {
            KeptItem::Rows { store, columns, .. } => {
                let Some(table) = side.table(&piece.relation) else { return Ok(()) };
                if own && (!self.has_table(&table) || !is_empty(connection, &table)?) {
                    return Ok(());
                }
                let kept = Rows { relation: &piece.relation, store, columns };
                let back = rows(connection, side, &kept, Manner::Yield)?;
                let held = piece.rows.saturating_sub(back.unwrap_or(piece.rows));
                if held > 0 {
                    let why = "users wrote rows in the place of kept ones; theirs stay".to_owned();
                    let what = piece.relation.clone();
                    outcome.conflicts.push(Conflict { what, why, count: held });
                }
            }
            KeptItem::Values { .. } => {
                let Some(kept) = values_of(piece) else { return Ok(()) };
                let done = values(connection, side, kept, self.marked.get(&piece.id))?;
                if let Some((_, held)) = done.filter(|(_, held)| *held > 0) {
                    let why = "users wrote another value since, which stays".to_owned();
                    let column = kept.columns.first().map_or("", |column| column.name.as_str());
                    let what = format!("{}.{column}", piece.relation);
                    outcome.conflicts.push(Conflict { what, why, count: held });
                }
            }
            KeptItem::Position { last_value, is_called } => {
                let name = side.sequence(&piece.relation);
                set_position(connection, &name, *last_value, *is_called)?;
            }
            KeptItem::Changes { .. } | KeptItem::Hidden { .. } => {}
        }
        Ok(())
    }

    fn has_table(&self, name: &str) -> bool {
        self.target.get(Kind::Table, name).is_some()
    }

    /// What checks rows, is made from them or acts on them comes when they are back.
    fn late(
        &self,
        connection: &mut Connection,
        statements: &[Sql],
        outcome: &mut Outcome,
    ) -> Result<(), PostgresError> {
        let mut conflicts = Vec::new();
        for statement in statements {
            connection.run(ABOUT, "SAVEPOINT ripcord_late")?;
            let failed = match run(connection, statement) {
                Ok(()) => {
                    connection.run(ABOUT, "RELEASE SAVEPOINT ripcord_late")?;
                    continue;
                }
                Err(error) if error.code().starts_with("23") => error,
                Err(error) => return Err(error),
            };
            connection.run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_late")?;
            let object = statement.object.as_ref();
            let object = object.and_then(|name| Some((name, self.target.objects.get(name)?)));
            let count = match object {
                Some((name, object)) => count_conflicts(connection, name, object)?,
                None => None,
            };
            conflicts.push(Conflict {
                what: object.map_or_else(|| statement.label.clone(), |(name, _)| name.to_string()),
                why: failed.to_string(),
                count: count.unwrap_or(1),
            });
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = conflicts
            .iter()
            .map(|one| format!("{} ({} rows of users): {}", one.what, one.count, one.why))
            .collect();
        outcome.conflicts.extend(conflicts);
        Err(PostgresError::Refused {
            place: connection.place().to_owned(),
            what: "the way back".to_owned(),
            why: format!(
                "rows that users wrote since stand against {}; change or move these rows, or give \
                 them values, and run it again",
                list.join("; ")
            ),
        })
    }
}

/// From here on nobody writes to what is put back, so that what was looked at stays as it is. What
/// is to change its shape is locked as that will need; a weaker lock would have to be raised.
fn lock(connection: &mut Connection, side: Side<'_>, pieces: &[Kept]) -> Result<(), PostgresError> {
    let tables: BTreeSet<String> =
        pieces.iter().filter_map(|piece| side.table(&piece.relation)).collect();
    for table in tables {
        let shaped = side.delta.objects.iter().any(|one| {
            let of = |object: &Option<Object>| {
                object.as_ref().is_some_and(|object| object.of.as_ref() == Some(&table))
            };
            one.name.name == table || of(&one.before) || of(&one.after)
        });
        let mode = if shaped { "ACCESS EXCLUSIVE" } else { "SHARE ROW EXCLUSIVE" };
        connection.run("lock", &format!("LOCK TABLE {table} IN {mode} MODE"))?;
    }
    Ok(())
}

/// What is put back as one.
#[derive(Clone, Copy)]
enum Unit<'a> {
    Piece(&'a Kept),
    Net(&'a Net),
}

impl<'a> Unit<'a> {
    fn ordinal(self) -> i32 {
        match self {
            Unit::Piece(piece) => piece.ordinal,
            Unit::Net(net) => net.ordinal,
        }
    }

    fn relation(self) -> &'a str {
        match self {
            Unit::Piece(piece) => &piece.relation,
            Unit::Net(net) => net.relation(),
        }
    }
}

/// How often what waits for other rows is tried again.
const PASSES_MAX: usize = 16;

/// Runs an act. False, and nothing happened, when a row that is referred to is not there yet.
fn attempt(
    connection: &mut Connection,
    act: impl FnOnce(&mut Connection) -> Result<(), PostgresError>,
) -> Result<bool, PostgresError> {
    connection.run(ABOUT, "SAVEPOINT ripcord_back")?;
    match act(connection) {
        Ok(()) => connection.run(ABOUT, "RELEASE SAVEPOINT ripcord_back").map(|()| true),
        Err(error) if ["23503", "23505"].contains(&error.code()) => {
            connection.run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_back").map(|()| false)
        }
        Err(error) => Err(error),
    }
}

fn run(connection: &mut Connection, statement: &Sql) -> Result<(), PostgresError> {
    connection.run("way back", &statement.sql)
}

fn is_lossy(piece: &Kept) -> bool {
    matches!(piece.item, KeptItem::Values { lossy: true, .. })
}

fn values_of(piece: &Kept) -> Option<Values<'_>> {
    let KeptItem::Values { store, key, columns, .. } = &piece.item else { return None };
    Some(Values { relation: &piece.relation, store, key, columns })
}

/// The changes of rows, those of one table together where they are of one form.
fn nets(connection: &mut Connection, pieces: &[Kept]) -> Result<Vec<Net>, PostgresError> {
    let mut nets = Vec::new();
    let mut done: BTreeSet<i64> = BTreeSet::new();
    // Of different forms the last is taken back first.
    for piece in pieces.iter().rev() {
        let KeptItem::Changes { key, columns, .. } = &piece.item else { continue };
        if done.contains(&piece.id) {
            continue;
        }
        // What was noted before the table was emptied is another story.
        let emptied = pieces.iter().filter(|other| {
            other.relation == piece.relation
                && other.ordinal < piece.ordinal
                && matches!(other.item, KeptItem::Rows { .. })
        });
        let from = emptied.map(|other| other.ordinal).max().unwrap_or(0);
        let alike = pieces.iter().filter(|other| {
            let same = other.ordinal > from
                && other.ordinal <= piece.ordinal
                && matches!(&other.item, KeptItem::Changes { key: k, columns: c, .. }
                if k == key && c == columns);
            same && other.relation == piece.relation
        });
        let mut stores = Vec::new();
        for other in alike {
            done.insert(other.id);
            stores.extend(other.item.store());
        }
        let number = (piece.id, piece.ordinal);
        nets.push(net(connection, &piece.relation, &stores, key, columns, number)?);
    }
    Ok(nets)
}

/// What had to make way is remembered under the name it had.
fn name_as_before(
    connection: &mut Connection,
    own: &[Kept],
    aside: &BTreeMap<String, String>,
) -> Result<(), PostgresError> {
    let from = own.iter().map(|piece| piece.id).max().unwrap_or(0);
    for (now, had) in aside {
        let sql = format!(
            "UPDATE ripcord.kept SET relation = {} WHERE relation = {} AND id > {from}",
            literal(had),
            literal(now)
        );
        connection.run(ABOUT, &sql)?;
    }
    Ok(())
}

fn is_empty(connection: &mut Connection, table: &str) -> Result<bool, PostgresError> {
    let sql = format!("SELECT (NOT EXISTS (SELECT FROM {table}))::text");
    Ok(connection.value(ABOUT, &sql)?.as_deref() == Some("true"))
}

/// The number of a relation at the server.
fn number(connection: &mut Connection, name: &str) -> Result<Option<u32>, PostgresError> {
    let sql = format!("SELECT pg_catalog.to_regclass({})::pg_catalog.oid", literal(name));
    Ok(connection.value(ABOUT, &sql)?.and_then(|oid| oid.parse().ok()))
}

/// The numbers of a table and a column at the server.
fn column(
    connection: &mut Connection,
    table: &str,
    local: &str,
) -> Result<Option<(u32, i32)>, PostgresError> {
    let sql = format!(
        "SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid = \
         pg_catalog.to_regclass({}) AND pg_catalog.quote_ident(a.attname) = {} AND NOT a.attisdropped",
        literal(table),
        literal(local)
    );
    let rows = connection.rows(ABOUT, &sql)?;
    let read = |row: &Vec<Option<String>>| {
        Some((row.first()?.as_deref()?.parse().ok()?, row.get(1)?.as_deref()?.parse().ok()?))
    };
    Ok(rows.first().and_then(read))
}
