//! The way back of one run, as far as it happens in one transaction: the schema becomes what it
//! would be without the run, and what the run destroyed returns around what users wrote since.
//!
//! Nothing here begins or ends a transaction; whoever calls it does, and is asked under which
//! settings.

mod demands;
mod returning;

use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::connection::Connection;
use crate::postgres::diff::diff;
use crate::postgres::inverse::{Sql, WayBack, way_back};
use crate::postgres::keep::{Keeper, Retyping, short};
use crate::postgres::kind::Kind;
use crate::postgres::outcome::Outcome;
use crate::postgres::own::{AS_AFTER, Delta, Kept, KeptColumn, KeptItem, anchor};
use crate::postgres::snapshot::{Identities, Scope, snapshot_here};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use crate::postgres::undo::{
    Group, Marked, Net, PG_CLASS, Rebuild, Side, in_place_of_others, mark_values, net, quietly,
    rename_back, run_converting, to_rename, wanted_rebuilds,
};
use crate::sql::literal;
use returning::{attempt, values_of};
use ripcord_core::schema::Direction;
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
    /// The same where they still mean what they meant when the run was made, or else nothing.
    known: &'a Identities,
    nets: Vec<Net>,
    /// What a script that was to take the run back changed of rows.
    damage: Vec<Net>,
    marked: BTreeMap<i64, Marked>,
}

/// No numbers at all.
static NONE: Identities = Identities { objects: BTreeMap::new(), labels: BTreeMap::new() };

impl<'a> Back<'a> {
    /// Looks what users left as the run had made it. `now` is the schema of now.
    pub(crate) fn look(
        connection: &mut Connection,
        delta: &'a Delta,
        target: &'a Catalogue,
        (now, numbers): (&Catalogue, &'a Identities),
        pieces: &'a [Kept],
    ) -> Result<Back<'a>, PostgresError> {
        let trusted = delta.anchor == Some(anchor(connection)?);
        let known = if trusted { numbers } else { &NONE };
        let side = Side { catalogue: now, delta, before: false, numbers: known };
        lock(connection, side, pieces)?;
        let mut nets = nets(connection, pieces)?;
        for (one, (piece, _)) in nets.iter_mut().zip(groups(pieces)) {
            if !is_emptied(pieces, piece) {
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
        let damage = Vec::new();
        Ok(Back { delta, target, pieces, numbers, known, nets, damage, marked })
    }

    /// Makes the schema what it is to become, and puts everything back. `ran` when a script has
    /// already done what it could.
    pub(crate) fn go(
        mut self,
        connection: &mut Connection,
        keeper: &mut Keeper,
        own: &[Kept],
        terms: &Terms,
        ran: bool,
        outcome: &mut Outcome,
    ) -> Result<(), PostgresError> {
        let (now, numbers) = snapshot_here(connection, &Scope::default())?;
        let renamed = to_rename(self.delta, self.numbers, &numbers);
        let fresh = in_place_of_others(self.delta, self.numbers, &numbers);
        let names = (&renamed[..], &fresh[..]);
        rename_back(connection, names, &self.delta.labels, &now, self.target)?;
        let (now, _) = snapshot_here(connection, &Scope::default())?;
        if ran {
            self.damage = nets(connection, own)?;
        } else {
            self.forestall(connection, &now, outcome)?;
        }
        let way = way_back(self.target, &now, &BTreeSet::new());
        if ran {
            let label = |statement: &Sql| statement.label.clone();
            outcome.repaired.extend(way.inverse.statements.iter().map(label));
        }
        let retypings = self.keep(connection, keeper, &way, &now)?;
        let (late, early): (Vec<Sql>, Vec<Sql>) =
            way.inverse.statements.iter().cloned().partition(|statement| statement.late);
        let mut demands = Vec::new();
        for statement in &early {
            demands.extend(run_converting(connection, statement, self.target)?);
        }
        demands.extend(late);
        if ran {
            demands.extend(self.loosen(connection, &now)?);
        }
        for retyping in retypings {
            retyping.after(keeper, connection)?;
        }
        let (now, _) = snapshot_here(connection, &Scope::default())?;
        self.quiet(connection, &now, outcome, |back, connection, side, outcome| {
            back.put_back(connection, side, own, outcome)
        })?;
        if let Some(rest) = self.rebuild(connection, &way, &now, terms, outcome)? {
            demands = rest;
        }
        self.late(connection, &demands, outcome)?;
        self.name_as_after(connection, keeper)?;
        let (found, _) = snapshot_here(connection, &Scope::default())?;
        let side = self.side(&found);
        for net in &self.nets {
            outcome.conflicts.extend(net.conflicts(connection, side)?);
        }
        for net in self.nets.into_iter().chain(self.damage) {
            net.finish(connection)?;
        }
        let differs = diff(self.target, &found);
        outcome.notes.extend(differs.iter().map(|one| format!("not as it was: {one}")));
        Ok(())
    }

    /// The schema that is to be, or becomes it, with the names from before the run.
    fn side<'s>(&'s self, catalogue: &'s Catalogue) -> Side<'s> {
        Side { catalogue, delta: self.delta, before: true, numbers: self.known }
    }

    /// Values that only fit what is now go before the schema does. What the schema of now does not
    /// let in, as a value that must not be empty, waits until it is as it was.
    fn forestall(
        &self,
        connection: &mut Connection,
        now: &Catalogue,
        outcome: &mut Outcome,
    ) -> Result<(), PostgresError> {
        self.quiet(connection, now, outcome, |back, connection, side, _| {
            for (net, (piece, _)) in back.nets.iter().zip(groups(back.pieces)) {
                if is_emptied(back.pieces, piece) {
                    continue;
                }
                let done = attempt(connection, |connection| {
                    net.move_back(connection, side)?;
                    net.delete(connection, side)?;
                    net.update(connection, side).map(|_| ())
                })?;
                if done {
                    net.forestalled();
                }
            }
            Ok(())
        })
    }

    /// Columns that a script made anew may be empty until they are filled: rows come back without
    /// them. Answers what then has to be demanded again.
    fn loosen(
        &self,
        connection: &mut Connection,
        now: &Catalogue,
    ) -> Result<Vec<Sql>, PostgresError> {
        let (side, mut demands) = (self.side(now), Vec::new());
        for piece in self.pieces {
            let KeptItem::Values { columns, lossy: false, .. } = &piece.item else { continue };
            let Some(table) = side.table(piece) else { continue };
            for column in columns {
                let name = format!("{table}.{}", column.name);
                let name = Name { kind: Kind::Column, name };
                let old = self.target.objects.get(&name);
                if !old
                    .is_some_and(|old| old.flag("not_null") && !old.facts.contains_key("identity"))
                {
                    continue;
                }
                let alter = format!("ALTER TABLE {table} ALTER COLUMN {}", column.name);
                let loosened = attempt(connection, |connection| {
                    connection.run(ABOUT, &format!("{alter} DROP NOT NULL"))
                })?;
                if loosened {
                    demands.push(Sql {
                        label: format!("{name} is never empty"),
                        sql: format!("{alter} SET NOT NULL"),
                        apart: false,
                        caution: None,
                        late: true,
                        object: Some(name),
                    });
                }
            }
        }
        Ok(demands)
    }

    /// Makes tables anew whose columns would stand in another order, now that everything else is
    /// in its place. Answers what then has to come last.
    fn rebuild(
        &self,
        connection: &mut Connection,
        way: &WayBack,
        now: &Catalogue,
        terms: &Terms,
        outcome: &mut Outcome,
    ) -> Result<Option<Vec<Sql>>, PostgresError> {
        let max = terms.rebuild_bytes_max;
        let rebuilt = wanted_rebuilds(connection, way, self.target, now, max)?;
        if rebuilt.is_empty() {
            return Ok(None);
        }
        let way = way_back(self.target, now, &rebuilt);
        let side = self.side(now);
        let mut fills = Vec::new();
        for (number, table) in rebuilt.iter().enumerate() {
            fills.push(Rebuild::set_aside(connection, side, &table.name, number)?);
        }
        let (late, early): (Vec<Sql>, Vec<Sql>) =
            way.inverse.statements.into_iter().partition(|statement| statement.late);
        for statement in &early {
            run(connection, statement)?;
        }
        let (now, _) = snapshot_here(connection, &Scope::default())?;
        self.quiet(connection, &now, outcome, |_, connection, side, _| {
            fills.into_iter().try_for_each(|fill| fill.fill(connection, side))
        })?;
        Ok(Some(late))
    }

    /// What the way back set aside of what the run had made is remembered under the name that it
    /// has when the run is made again, whatever else bore that name before.
    fn name_as_after(
        &self,
        connection: &mut Connection,
        keeper: &mut Keeper,
    ) -> Result<(), PostgresError> {
        let made = |table: u32, column: i32| {
            let name = self.numbers.objects.get(&(PG_CLASS, table, column))?;
            self.delta.adds(name).then_some(&name.name)
        };
        for piece in Kept::of(connection, keeper.applied(), Direction::Down)? {
            let (mut item, mut relation) = (piece.item.clone(), piece.relation.clone());
            let table = piece.item.columns().first().map_or(0, |column| column.table);
            let whole = self.numbers.objects.get(&(PG_CLASS, table, 0));
            if let Some(name) = made(table, 0) {
                relation.clone_from(name);
                item.rename(|column| (column.table, column.number) = (0, AS_AFTER));
            }
            item.rename(|column| {
                let name = made(column.table, column.number).zip(whole);
                let local = name.and_then(|(name, whole)| {
                    name.strip_prefix(whole.name.as_str())?.strip_prefix('.')
                });
                if let Some(local) = local {
                    let full = |relation: &str, name: &str| format!("{}.{name}", short(relation));
                    keeper.rename(&full(&piece.relation, &column.name), full(&relation, local));
                    local.clone_into(&mut column.name);
                    column.number = AS_AFTER;
                }
            });
            keeper.rename(short(&piece.relation), short(&relation).to_owned());
            if item != piece.item || relation != piece.relation {
                Kept::describe(connection, piece.id, &relation, &item)?;
            }
        }
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
        let side = self.side(now);
        let touched = |piece: &Kept| side.table(piece);
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
        for (name, swapped) in Self::converted(way, self.target, now) {
            let (Some(old), Some(new)) = (self.target.objects.get(name), now.objects.get(name))
            else {
                continue;
            };
            let of = old.of.as_deref().unwrap_or_default();
            let table = Name { kind: Kind::Table, name: of.to_owned() };
            let same = old.word("type") == new.word("type") && !swapped;
            if same || !now.objects.contains_key(&table) || old.flag("inherited") {
                continue;
            }
            if let Some(oid) = number(connection, of)? {
                let (column, to) = (&old.local, old.word("type"));
                retypings.extend(Retyping::before(keeper, connection, oid, column, to, swapped)?);
            }
        }
        Ok(retypings)
    }

    /// The columns whose values are converted, and whether because another type takes the place of
    /// theirs under its name.
    fn converted<'n>(
        way: &'n WayBack,
        target: &'n Catalogue,
        now: &'n Catalogue,
    ) -> Vec<(&'n Name, bool)> {
        let own = way.alters.iter().filter(|name| name.kind == Kind::Column);
        let mut list: Vec<(&Name, bool)> = own.map(|name| (name, false)).collect();
        let lacking = |name: &&Name| {
            let labels = |catalogue: &'n Catalogue| catalogue.objects.get(*name);
            let (old, new) = (labels(target), labels(now));
            old.zip(new).is_some_and(|(old, new)| {
                let old = old.list("labels");
                new.list("labels").iter().any(|label| !old.contains(label))
            })
        };
        let enums = way.alters.iter().filter(|name| name.kind == Kind::Enum).filter(lacking);
        let mut types: Vec<Name> = enums.cloned().collect();
        // Values of a composite type lose what an attribute holds that goes.
        let parts = way.drops.difference(&way.creates).filter(|name| name.kind == Kind::Attribute);
        let wholes = parts.filter_map(|name| now.objects.get(name)?.of.clone());
        types.extend(wholes.map(|name| Name { kind: Kind::CompositeType, name }));
        let users = now.objects.iter().filter(|(name, object)| {
            name.kind == Kind::Column && types.iter().any(|kind| object.requires.contains(kind))
        });
        list.extend(users.map(|(name, _)| (name, true)));
        list
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
}

/// From here on nobody writes to what is put back, so that what was looked at stays as it is. What
/// is to change its shape is locked as that will need; a weaker lock would have to be raised.
fn lock(connection: &mut Connection, side: Side<'_>, pieces: &[Kept]) -> Result<(), PostgresError> {
    let tables: BTreeSet<String> = pieces.iter().filter_map(|piece| side.table(piece)).collect();
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

fn run(connection: &mut Connection, statement: &Sql) -> Result<(), PostgresError> {
    connection.run("way back", &statement.sql)
}

/// The changes of rows, those of one table together where they are of one form; each group with
/// the piece that it ends with. Of different forms the last is taken back first.
pub(crate) fn groups(pieces: &[Kept]) -> Vec<(&Kept, Group<'_>)> {
    let mut groups = Vec::new();
    let mut done: BTreeSet<i64> = BTreeSet::new();
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
                if alike(k, key) && alike(c, columns));
            same && other.relation == piece.relation
        });
        let mut stores = Vec::new();
        for other in alike {
            done.insert(other.id);
            stores.extend(other.item.store());
        }
        groups.push((piece, Group { relation: &piece.relation, stores, key, columns }));
    }
    groups
}

/// Whether the same columns are meant, whatever they were called at the time.
fn alike(one: &[KeptColumn], other: &[KeptColumn]) -> bool {
    let same = |(one, other): (&KeptColumn, &KeptColumn)| {
        let known = one.table != 0 && (one.table, one.number) == (other.table, other.number);
        one == other || known && one.type_name == other.type_name && one.store == other.store
    };
    one.len() == other.len() && one.iter().zip(other).all(same)
}

/// Whether a table was emptied after its rows were changed, so that only the rows which then
/// return tell what became of them.
pub(crate) fn is_emptied(pieces: &[Kept], changes: &Kept) -> bool {
    pieces.iter().any(|piece| {
        piece.ordinal > changes.ordinal
            && piece.relation == changes.relation
            && piece.item.is_whole_table()
    })
}

/// The same, summed up.
fn nets(connection: &mut Connection, pieces: &[Kept]) -> Result<Vec<Net>, PostgresError> {
    let sum =
        |(piece, group): (&Kept, Group<'_>)| net(connection, &group, (piece.id, piece.ordinal));
    groups(pieces).into_iter().map(sum).collect()
}

/// The number of a relation at the server.
pub(crate) fn number(
    connection: &mut Connection,
    name: &str,
) -> Result<Option<u32>, PostgresError> {
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
