//! Putting back, in the schema that is to be, what a run set aside: the last first, and what waits
//! for other rows once more when those are there.

use super::{ABOUT, Back};
use crate::postgres::connection::Connection;
use crate::postgres::kind::Kind;
use crate::postgres::outcome::{Conflict, Outcome};
use crate::postgres::own::{Kept, KeptItem};
use crate::postgres::trouble::PostgresError;
use crate::postgres::undo::{
    EDITED, Manner, Net, Rows, Side, TAKEN, Values, rows, set_position, values,
};
use std::collections::BTreeSet;

impl Back<'_> {
    /// Puts back what was kept, the last first.
    pub(super) fn put_back(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
        own: &[Kept],
        outcome: &mut Outcome,
    ) -> Result<(), PostgresError> {
        // What the way back itself destroyed although it is to be there comes first.
        let again = own.iter().rev().filter(|piece| !is_lossy(piece));
        for piece in again {
            // What does not go back as it is stays kept.
            attempt(connection, |it| self.restore(it, side, piece, outcome, true))?;
        }
        let mut waiting: Vec<Unit<'_>> = self.pieces.iter().map(Unit::Piece).collect();
        waiting.extend(self.nets.iter().map(Unit::Net));
        waiting.extend(self.damage.iter().map(Unit::Damage));
        waiting.sort_by_key(|unit| std::cmp::Reverse(unit.place()));
        for _ in 0..PASSES_MAX {
            let (mut held, mut blocked) = (Vec::new(), BTreeSet::new());
            let before = waiting.len();
            for unit in waiting {
                // Of one table everything is taken back in order.
                let free = !blocked.contains(unit.relation());
                if !free || !attempt(connection, |c| self.unit(c, side, unit, outcome))? {
                    blocked.insert(unit.relation());
                    held.push(unit);
                }
            }
            waiting = held;
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        // What only waits for other rows is no answer to the question what is in the way.
        let mut reasons = Vec::new();
        for unit in waiting {
            let failed = tried(connection, |c| self.unit(c, side, unit, outcome))?;
            reasons.extend(failed.map(|error| (error.code() == "23503", unit, error)));
        }
        reasons.sort_by_key(|(waits, ..)| *waits);
        if let Some((_, unit, error)) = reasons.into_iter().next() {
            return Err(stands(error, unit));
        }
        // What was referred to may be free by now.
        for _ in 0..PASSES_MAX {
            let mut gone = 0;
            for net in self.nets.iter().filter(|net| self.stands_alone(net)) {
                gone += net.delete(connection, side)?;
            }
            if gone == 0 {
                break;
            }
        }
        Ok(())
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
            Unit::Damage(net) => {
                let side = Side { numbers: self.numbers, ..side };
                let run = self.nets.iter().find(|run| run.relation() == net.relation());
                net.revert(connection, side, run).map(|_| ())
            }
            Unit::Net(net) => {
                net.move_back(connection, side)?;
                net.delete(connection, side)?;
                if !self.damage.is_empty() {
                    net.overwrite(connection, side)?;
                }
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
            KeptItem::Rows { store, columns, dropped } => {
                let dropped = *dropped;
                let side = if own { Side { numbers: self.numbers, ..side } } else { side };
                let Some(table) = side.table(piece) else { return Ok(()) };
                if own && (!self.has_table(&table) || dropped && !is_empty(connection, &table)?) {
                    return Ok(());
                }
                let kept = Rows { relation: &piece.relation, store, columns };
                let back = rows(connection, side, &kept, Manner::Yield)?;
                let held = piece.rows.saturating_sub(back.unwrap_or(piece.rows));
                if held > 0 {
                    let why = TAKEN.to_owned();
                    let what = piece.relation.clone();
                    outcome.conflicts.push(Conflict { what, why, count: held });
                }
            }
            KeptItem::Values { .. } => {
                let Some(kept) = values_of(piece) else { return Ok(()) };
                let done = values(connection, side, kept, self.marked.get(&piece.id))?;
                if let Some((_, held)) = done.filter(|(_, held)| *held > 0) {
                    let why = EDITED.to_owned();
                    let column = kept.columns.first().map_or("", |column| column.name.as_str());
                    let what = format!("{}.{column}", piece.relation);
                    outcome.conflicts.push(Conflict { what, why, count: held });
                }
            }
            KeptItem::Position { last_value, is_called } => {
                let name = side.sequence(&piece.relation);
                set_position(connection, &name, *last_value, *is_called)?;
            }
            KeptItem::Changes { .. } | KeptItem::Hidden { .. } | KeptItem::Deferred { .. } => {}
        }
        Ok(())
    }

    /// Whether no rows returned to a table that may bear the keys of those that the run inserted.
    fn stands_alone(&self, net: &Net) -> bool {
        let rows = |piece: &Kept| matches!(piece.item, KeptItem::Rows { .. });
        let same = |piece: &&Kept| rows(piece) && piece.relation == net.relation();
        !net.waits() && !self.pieces.iter().any(|piece| same(&piece))
    }

    fn has_table(&self, name: &str) -> bool {
        self.target.get(Kind::Table, name).is_some()
    }
}

/// What is put back as one.
#[derive(Clone, Copy)]
enum Unit<'a> {
    Piece(&'a Kept),
    Net(&'a Net),
    /// What a script did on the way back.
    Damage(&'a Net),
}

impl<'a> Unit<'a> {
    /// Its place among what happened.
    fn place(self) -> (bool, i32) {
        match self {
            Unit::Piece(piece) => (false, piece.ordinal),
            Unit::Net(net) => (false, net.ordinal),
            Unit::Damage(net) => (true, net.ordinal),
        }
    }

    fn relation(self) -> &'a str {
        match self {
            Unit::Piece(piece) => &piece.relation,
            Unit::Net(net) | Unit::Damage(net) => net.relation(),
        }
    }
}

/// How often what waits for other rows is tried again.
const PASSES_MAX: usize = 16;

/// What the server said, as somebody wants to hear it who has to decide what to do.
fn stands(error: PostgresError, unit: Unit<'_>) -> PostgresError {
    let PostgresError::Query { place, why, code, .. } = error else { return error };
    if !code.starts_with("23") {
        return PostgresError::Query { place, about: ABOUT, why, code };
    }
    let table = unit.relation().strip_prefix("public.").unwrap_or(unit.relation());
    PostgresError::Refused {
        place,
        what: "the way back".to_owned(),
        why: format!(
            "rows that users wrote since stand against what comes back to {table}: {why}; nothing \
             was changed. Change or delete the row that is named, or give it another value, and \
             run it again; or write what is to be as a new migration"
        ),
    }
}

/// Runs an act. False, and nothing happened, when rows or values stand against it as things are
/// now, such as a row that is referred to and is not there yet.
pub(super) fn attempt(
    connection: &mut Connection,
    act: impl FnOnce(&mut Connection) -> Result<(), PostgresError>,
) -> Result<bool, PostgresError> {
    tried(connection, act).map(|failed| failed.is_none())
}

/// The same, with what stands against it.
fn tried(
    connection: &mut Connection,
    act: impl FnOnce(&mut Connection) -> Result<(), PostgresError>,
) -> Result<Option<PostgresError>, PostgresError> {
    connection.run(ABOUT, "SAVEPOINT ripcord_back")?;
    match act(connection) {
        Ok(()) => connection.run(ABOUT, "RELEASE SAVEPOINT ripcord_back").map(|()| None),
        Err(error) if is_against(&error) => {
            connection.run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_back").map(|()| Some(error))
        }
        Err(error) => Err(error),
    }
}

/// Whether rows, values, or a key that a column is part of, stand against a statement.
fn is_against(error: &PostgresError) -> bool {
    ["22", "23"].contains(&error.code().get(..2).unwrap_or_default())
        || ["42P16", "42703"].contains(&error.code())
}

fn is_lossy(piece: &Kept) -> bool {
    matches!(piece.item, KeptItem::Values { lossy: true, .. })
}

pub(super) fn values_of(piece: &Kept) -> Option<Values<'_>> {
    let KeptItem::Values { store, key, columns, .. } = &piece.item else { return None };
    Some(Values { relation: &piece.relation, store, key, columns })
}

fn is_empty(connection: &mut Connection, table: &str) -> Result<bool, PostgresError> {
    let sql = format!("SELECT (NOT EXISTS (SELECT FROM {table}))::text");
    Ok(connection.value(ABOUT, &sql)?.as_deref() == Some("true"))
}
