//! From the record of writes to the rows that must be in the database.
//!
//! Pure. Where a write's outcome is unknown, a cell has more than one permitted value.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::record::{Change, Record, Sent, Told, Write};
use crate::Schema;

/// Whether a row must be there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Presence {
    /// It was acknowledged.
    Kept,
    /// Nobody knows.
    Maybe,
    /// It was refused.
    Never,
}

/// A row as clients know it.
#[derive(Debug)]
pub(super) struct ExpectedRow {
    pub(super) table: &'static str,
    /// The column that finds the row, and its value.
    pub(super) key_column: &'static str,
    pub(super) key: String,
    pub(super) request: String,
    pub(super) presence: Presence,
    /// Permitted values by column.
    pub(super) cells: BTreeMap<&'static str, Vec<Value>>,
    /// The id that clients were told.
    pub(super) id: Option<i64>,
    /// Least and most `changed` entries in the audit log.
    pub(super) changes: (u64, u64),
}

/// The rows of all writes, as a shop at generation `schema` has them at the end.
pub(super) fn expected_rows(record: &Record, schema: Schema) -> Vec<ExpectedRow> {
    let mut rows: Vec<ExpectedRow> = Vec::new();
    let mut orders: HashMap<&str, usize> = HashMap::new();
    for write in &record.writes {
        match &write.sent {
            Sent::Order { client_key, .. } => {
                orders.insert(client_key, rows.len());
                rows.push(created(write, schema));
            }
            Sent::Customer { .. } | Sent::Review { .. } => rows.push(created(write, schema)),
            Sent::Change { client_key, change, .. } => {
                // Only orders of the same run are changed, after their acknowledgement.
                let row = orders.get(client_key.as_str()).and_then(|index| rows.get_mut(*index));
                if let Some(row) = row {
                    row.change(change, &write.told);
                }
            }
        }
    }
    rows
}

/// Whether the tables of a generation have this column.
pub(super) fn has_column(schema: Schema, table: &str, column: &str) -> bool {
    match (table, column) {
        ("orders", "note") => schema.has_note(),
        ("orders", "channel") => schema.has_channel(),
        ("orders", "gift") => schema.has_gift(),
        ("reviews", _) => schema.has_reviews(),
        _ => true,
    }
}

impl ExpectedRow {
    fn change(&mut self, change: &Change, told: &Told) {
        let (column, value, ignored) = match (change, told) {
            (Change::Quantity(quantity), _) => ("quantity", Value::from(*quantity), false),
            (Change::Note(note), Told::Acknowledged { schema, .. }) => {
                ("note", Value::from(note.as_str()), !schema.has_note())
            }
            (Change::Note(note), _) => ("note", Value::from(note.as_str()), false),
        };
        let permitted = self.cells.entry(column).or_default();
        match told {
            Told::Acknowledged { .. } => {
                self.changes = (self.changes.0 + 1, self.changes.1 + 1);
                if !ignored {
                    *permitted = vec![value];
                }
            }
            Told::Unknown { .. } => {
                self.changes.1 += 1;
                permitted.push(value);
            }
            Told::Refused { .. } => {}
        }
    }
}

fn created(write: &Write, schema: Schema) -> ExpectedRow {
    let (presence, id, by) = match &write.told {
        Told::Acknowledged { id, schema, .. } => (Presence::Kept, Some(*id), Some(*schema)),
        Told::Unknown { .. } => (Presence::Maybe, None, None),
        Told::Refused { .. } => (Presence::Never, None, None),
    };
    let (table, key_column, key, mut cells) = match &write.sent {
        Sent::Customer { name, email } => {
            ("customers", "name", name, customer_cells(email, by, schema))
        }
        Sent::Review { product, stars, body } => (
            "reviews",
            "body",
            body,
            BTreeMap::from([
                ("product_id", vec![Value::from(*product)]),
                ("stars", vec![Value::from(*stars)]),
            ]),
        ),
        Sent::Order { client_key, .. } | Sent::Change { client_key, .. } => {
            ("orders", "client_key", client_key, order_cells(&write.sent, by))
        }
    };
    if let Some(id) = id {
        cells.insert("id", vec![id.into()]);
    }
    let (key, request) = (key.clone(), write.request.clone());
    ExpectedRow { table, key_column, key, request, presence, cells, id, changes: (0, 0) }
}

fn customer_cells(
    email: &str,
    by: Option<Schema>,
    schema: Schema,
) -> BTreeMap<&'static str, Vec<Value>> {
    let lower = Value::from(Schema::V3.normalise_email(email));
    let permitted = match by {
        Some(by) if schema < Schema::V3 => vec![by.normalise_email(email).into()],
        // Migration 3 folded those that were there; code before it may have added more since.
        Some(by) => vec![by.normalise_email(email).into(), lower],
        None => vec![email.into(), lower],
    };
    BTreeMap::from([("email", permitted)])
}

/// What code of generation `by` makes of an order; of any generation where that is unknown.
fn order_cells(sent: &Sent, by: Option<Schema>) -> BTreeMap<&'static str, Vec<Value>> {
    let Sent::Order { customer, product, quantity, note, gift, .. } = sent else {
        return BTreeMap::new();
    };
    let by = by.map_or_else(|| vec![Schema::V1, Schema::V2, Schema::V3], |by| vec![by]);
    let cell = |make: &dyn Fn(Schema) -> Value| by.iter().map(|by| make(*by)).collect::<Vec<_>>();
    let note = Value::from(note.clone());
    BTreeMap::from([
        ("customer_id", vec![Value::from(*customer)]),
        ("product_id", vec![Value::from(*product)]),
        ("quantity", vec![Value::from(*quantity)]),
        ("note", cell(&|by| if by.has_note() { note.clone() } else { Value::Null })),
        ("channel", cell(&|by| if by.has_channel() { "web".into() } else { Value::Null })),
        ("gift", cell(&|by| Value::from(i64::from(by.has_gift() && *gift)))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(by: Option<Schema>) -> Write {
        let told = match by {
            Some(schema) => Told::Acknowledged { id: 7, release: "r".to_owned(), schema },
            None => Told::Unknown { because: "gone".to_owned() },
        };
        let sent = Sent::Order {
            client_key: "k".to_owned(),
            customer: 1,
            product: 2,
            quantity: 3,
            note: Some("ring".to_owned()),
            gift: true,
        };
        Write { request: "r-1".to_owned(), sent, told }
    }

    fn change(change: Change, by: Option<Schema>) -> Write {
        let sent = Sent::Change { id: 7, client_key: "k".to_owned(), change };
        Write { sent, ..order(by) }
    }

    fn check(writes: &[Write], column: &str, expected: &[&str]) {
        let rows = expected_rows(&Record { writes: writes.to_vec() }, Schema::V2);
        let found: Vec<String> = rows[0].cells[column].iter().map(Value::to_string).collect();
        assert_eq!(found, expected, "{column} of {writes:?}");
    }

    #[test]
    fn the_schema_that_accepted_an_order_decides_what_it_kept() {
        let note = |note: &str| Change::Note(note.to_owned());
        let (v2, v3) = (Some(Schema::V2), Some(Schema::V3));
        check(&[order(v2)], "note", &["\"ring\""]);
        check(&[order(v2)], "gift", &["0"]);
        check(&[order(v3)], "note", &["null"]);
        check(&[order(v3)], "gift", &["1"]);
        check(&[order(Some(Schema::V1))], "channel", &["null"]);
        check(&[order(v2), change(note("b"), v2)], "note", &["\"b\""]);
        check(&[order(v2), change(note("b"), v3)], "note", &["\"ring\""]);
        check(&[order(v2), change(note("b"), None)], "note", &["\"ring\"", "\"b\""]);
        check(&[order(v2), change(Change::Quantity(9), v3)], "quantity", &["9"]);
        check(&[order(v2), change(Change::Quantity(9), None)], "quantity", &["3", "9"]);
    }

    #[test]
    fn an_order_of_unknown_outcome_may_be_of_any_generation() {
        check(&[order(None)], "note", &["\"ring\"", "\"ring\"", "null"]);
        check(&[order(None)], "gift", &["0", "0", "1"]);
        let rows = expected_rows(&Record { writes: vec![order(None)] }, Schema::V2);
        assert_eq!(rows[0].presence, Presence::Maybe);
    }
}
