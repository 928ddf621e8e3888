//! What the last way back of a migration kept returns when the migration is made again: values
//! that users had written into its columns, rows into its tables.

use crate::postgres::connection::Connection;
use crate::postgres::own::{Applied, Kept, KeptItem, Run, State, anchor};
use crate::postgres::snapshot::{Scope, snapshot_here};
use crate::postgres::trouble::PostgresError;
use crate::postgres::undo::{
    Manner, Rows, Side, Values, mark_values, quietly, rows, set_position, values,
};
use std::collections::BTreeSet;

const ABOUT: &str = "kept data";

/// Puts back, at the end of a run's transaction, what the way back before it kept. To be called
/// under Ripcord's own settings, before what the run changed is written down. Says what came back.
pub(crate) fn redo(
    connection: &mut Connection,
    run: &Run,
    applied: i64,
) -> Result<Vec<String>, PostgresError> {
    let before = Applied::of(connection, &run.history)?;
    let same = |one: &&Applied| {
        one.id != applied && one.state == State::Undone && one.run.version == run.version
    };
    let Some(last) = before.iter().rev().find(same) else { return Ok(Vec::new()) };
    let Some(delta) = &last.delta else { return Ok(Vec::new()) };
    let pieces = Kept::of(connection, last.id, ripcord_core::schema::Direction::Down)?;
    let due = |piece: &Kept| piece.purged_at.is_none() && piece.restored_at.is_none();
    let pieces: Vec<Kept> = pieces.into_iter().filter(due).collect();
    if pieces.is_empty() {
        return Ok(Vec::new());
    }
    let (now, mut numbers) = snapshot_here(connection, &Scope::default())?;
    if delta.anchor != Some(anchor(connection)?) {
        numbers.objects.clear();
    }
    let side = Side { catalogue: &now, delta, before: false, numbers: &numbers };
    let tables: BTreeSet<String> = pieces.iter().filter_map(|piece| side.table(piece)).collect();
    let mut notes = Vec::new();
    let (mut quiet, mut stay) = (Vec::new(), vec!["0".to_owned()]);
    quietly(connection, &tables, &mut quiet, |connection| {
        for piece in pieces.iter().rev() {
            connection.run(ABOUT, "SAVEPOINT ripcord_redo")?;
            match give_back(connection, side, piece) {
                Ok(note) => {
                    notes.extend(note);
                    connection.run(ABOUT, "RELEASE SAVEPOINT ripcord_redo")?;
                }
                // Another script may have been written under the same version since.
                Err(error) if !error.is_lost() && !error.is_contention() => {
                    connection.run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_redo")?;
                    let relation = &piece.relation;
                    notes.push(format!("what was kept of {relation} stays kept: {error}"));
                    stay.push(piece.id.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })?;
    let sql = format!(
        "UPDATE ripcord.kept SET restored_at = now() WHERE applied = {} AND direction = 'down' \
         AND restored_at IS NULL AND id NOT IN ({})",
        last.id,
        stay.join(", ")
    );
    connection.run(ABOUT, &sql)?;
    Ok(notes)
}

fn give_back(
    connection: &mut Connection,
    side: Side<'_>,
    piece: &Kept,
) -> Result<Option<String>, PostgresError> {
    let relation = piece.relation.as_str();
    let said = |count: u64, what: &str| {
        (count > 0).then(|| format!("{count} {what} of {relation} are back as users had left them"))
    };
    Ok(match &piece.item {
        KeptItem::Rows { store, columns, .. } => {
            let kept = Rows { relation, store, columns };
            let count = rows(connection, side, &kept, Manner::Replace)?;
            count.and_then(|count| said(count, "rows"))
        }
        KeptItem::Values { store, key, columns, lossy } => {
            let kept = Values { relation, store, key, columns };
            let marked = match lossy {
                true => mark_values(connection, side, kept, piece.id)?,
                false => None,
            };
            let done = values(connection, side, kept, marked.as_ref())?;
            done.and_then(|(count, _)| said(count, "values"))
        }
        KeptItem::Position { last_value, is_called } => {
            set_position(connection, &side.sequence(relation), *last_value, *is_called)?;
            None
        }
        // What a script had done to rows was undone on the spot.
        KeptItem::Changes { .. } | KeptItem::Hidden { .. } | KeptItem::Deferred { .. } => None,
    })
}
