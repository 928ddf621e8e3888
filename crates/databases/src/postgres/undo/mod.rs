//! Putting back what runs set aside: rows, values, changes of rows, positions of sequences, names
//! and orders of columns. A value that users wrote since is never overwritten: each piece goes
//! back only where things are as the run left them.
//!
//! Nothing here decides what is to be undone, begins or ends a transaction, or keeps anything.

mod changes;
mod conflict;
mod convert;
mod group;
mod names;
mod place;
mod position;
mod quiet;
mod rebuild;
mod rows;
mod values;

pub(crate) use changes::{Net, net};
pub(crate) use conflict::{count as count_conflicts, some as some_conflicts};
pub(crate) use convert::run_converting;
pub(crate) use group::{EDITED, Group, TAKEN};
pub(crate) use names::{in_place_of_others, rename_back, to_rename};
pub(crate) use place::{PG_CLASS, Side};
pub(crate) use position::{set_position, stands};
pub(crate) use quiet::quietly;
pub(crate) use rebuild::{Rebuild, wanted as wanted_rebuilds};
pub(crate) use rows::{Manner, Rows, foresee_rows, rows};
pub(crate) use values::{Marked, Values, foresee_values, mark_values, unfilled, values};

/// What questions here are about, for messages.
const ABOUT: &str = "kept data";

/// Whether two expressions of one type are the same to the bit; NULL is the same as NULL.
fn same(one: &str, other: &str) -> String {
    // Without the cast it would be read as a comparison of column with column.
    format!("(ROW({one})::record OPERATOR(pg_catalog.*=) ROW({other})::record)")
}
