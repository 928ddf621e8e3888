//! Holding the database against what clients were told, and against how it was before.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value;

use super::expect::{ExpectedRow, Presence, expected_rows, has_column};
use super::record::Record;
use super::snapshot::{Baseline, Row};
use crate::{Place, Schema, ShopError};

/// Audit entries up to this id are deleted by migration 3.
const AUDIT_DELETED_BY_V3: i64 = 100;

/// What the comparison found. Everything in a list is wrong, and nothing else is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataReport {
    /// The generation that the database was expected to have.
    pub expected: Schema,
    /// Rows that clients were promised.
    pub rows_written: u64,
    /// Promised rows that are not there.
    pub rows_lost: Vec<RowName>,
    /// Promised rows with other content than promised, one entry per cell.
    pub rows_differing: Vec<Difference>,
    /// Rows that are there more than once.
    pub rows_duplicated: Vec<RowName>,
    /// Rows that were refused and are there nevertheless.
    pub rows_refused_but_present: Vec<RowName>,
    /// Promised rows of a table that the expected generation does not have.
    pub rows_hidden: u64,
    /// Rows of unknown outcome that are there.
    pub ambiguous_present: u64,
    /// Rows of unknown outcome that are not.
    pub ambiguous_absent: u64,
    /// Rows in the baseline.
    pub baseline_rows: u64,
    /// Rows of the baseline that are gone.
    pub baseline_rows_lost: Vec<RowName>,
    /// Cells of the baseline that changed, other than by clients or by migration 3.
    pub baseline_rows_changed: Vec<Difference>,
}

/// A row in a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowName {
    /// The table.
    pub table: String,
    /// What finds the row.
    pub key: String,
    /// The request that wrote it, where the record knows it.
    pub request: Option<String>,
}

/// A cell in a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The row.
    pub row: RowName,
    /// The column; in the audit log, the message whose entries were counted.
    pub column: String,
    /// Any of these would be right.
    pub expected: Vec<Value>,
    /// What is there; absent where the column itself is missing.
    pub found: Option<Value>,
}

/// Compares the database with the record, and with the baseline where there is one.
///
/// `expected` is the generation that the database is supposed to have at the end. A baseline of
/// an earlier generation is compared as migration 3 leaves it, if `expected` is 3.
///
/// # Errors
/// When the database cannot be read.
pub fn verify(
    database: impl Into<Place>,
    record: &Record,
    baseline: Option<&Baseline>,
    expected: Schema,
) -> Result<DataReport, ShopError> {
    Ok(compare(&Baseline::take(database)?, record, baseline, expected))
}

impl DataReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.rows_lost.is_empty()
            && self.rows_differing.is_empty()
            && self.rows_duplicated.is_empty()
            && self.rows_refused_but_present.is_empty()
            && self.baseline_rows_lost.is_empty()
            && self.baseline_rows_changed.is_empty()
    }
}

fn compare(
    current: &Baseline,
    record: &Record,
    baseline: Option<&Baseline>,
    expected: Schema,
) -> DataReport {
    let mut comparison = Comparison::new(current, expected);
    let rows = expected_rows(record, expected);
    for row in &rows {
        comparison.written(row);
    }
    if let Some(baseline) = baseline {
        comparison.baseline(baseline, &rows);
    }
    comparison.report
}

struct Comparison<'a> {
    current: &'a Baseline,
    /// Rows by table and value of the column that finds them.
    by_key: HashMap<(&'static str, &'a str), Vec<&'a Row>>,
    /// Number of audit entries by order and message.
    audited: HashMap<(i64, &'a str), u64>,
    report: DataReport,
}

impl<'a> Comparison<'a> {
    fn new(current: &'a Baseline, expected: Schema) -> Self {
        let mut by_key: HashMap<_, Vec<&Row>> = HashMap::new();
        for (table, column) in
            [("orders", "client_key"), ("customers", "name"), ("reviews", "body")]
        {
            for row in current.tables.get(table).into_iter().flat_map(BTreeMap::values) {
                if let Some(key) = row.get(column).and_then(Value::as_str) {
                    by_key.entry((table, key)).or_default().push(row);
                }
            }
        }
        let mut audited = HashMap::new();
        for row in current.tables.get("audit_log").into_iter().flat_map(BTreeMap::values) {
            let order = row.get("order_id").and_then(Value::as_i64);
            let message = row.get("message").and_then(Value::as_str);
            if let Some(entry) = order.zip(message) {
                *audited.entry(entry).or_default() += 1;
            }
        }
        let report = DataReport {
            expected,
            rows_written: 0,
            rows_lost: Vec::new(),
            rows_differing: Vec::new(),
            rows_duplicated: Vec::new(),
            rows_refused_but_present: Vec::new(),
            rows_hidden: 0,
            ambiguous_present: 0,
            ambiguous_absent: 0,
            baseline_rows: 0,
            baseline_rows_lost: Vec::new(),
            baseline_rows_changed: Vec::new(),
        };
        Self { current, by_key, audited, report }
    }

    fn written(&mut self, row: &ExpectedRow) {
        let name = RowName {
            table: row.table.to_owned(),
            key: format!("{} = {}", row.key_column, row.key),
            request: Some(row.request.clone()),
        };
        let found = self.by_key.get(&(row.table, row.key.as_str())).cloned().unwrap_or_default();
        let hidden = self.hides(row.table);
        let report = &mut self.report;
        report.rows_written += u64::from(row.presence == Presence::Kept);
        if found.len() > 1 {
            report.rows_duplicated.push(name.clone());
        }
        match (row.presence, found.first()) {
            (Presence::Kept, None) if hidden => report.rows_hidden += 1,
            (Presence::Kept, None) => report.rows_lost.push(name),
            (Presence::Maybe, None) => report.ambiguous_absent += 1,
            (Presence::Never, None) => {}
            (Presence::Never, Some(_)) => report.rows_refused_but_present.push(name),
            (Presence::Maybe, Some(found)) => {
                report.ambiguous_present += 1;
                self.cells(row, &name, found);
            }
            (Presence::Kept, Some(found)) => {
                self.cells(row, &name, found);
                self.audit(row);
            }
        }
    }

    fn cells(&mut self, row: &ExpectedRow, name: &RowName, found: &Row) {
        for (column, permitted) in &row.cells {
            let value = found.get(*column);
            let wrong = match value {
                Some(value) => !permitted.contains(value),
                None => has_column(self.report.expected, row.table, column),
            };
            if wrong {
                self.report.rows_differing.push(Difference {
                    row: name.clone(),
                    column: (*column).to_owned(),
                    expected: permitted.clone(),
                    found: value.cloned(),
                });
            }
        }
    }

    /// The shop writes an audit entry with each order and change, in the same transaction.
    fn audit(&mut self, row: &ExpectedRow) {
        let Some(order) = row.id.filter(|_| row.table == "orders") else { return };
        for (message, (least, most)) in [("placed", (1, 1)), ("changed", row.changes)] {
            let found = self.audited.get(&(order, message)).copied().unwrap_or_default();
            if !(least..=most).contains(&found) {
                self.report.rows_differing.push(Difference {
                    row: RowName {
                        table: "audit_log".to_owned(),
                        key: format!("order_id = {order}"),
                        request: Some(row.request.clone()),
                    },
                    column: message.to_owned(),
                    expected: (least..=most).map(Value::from).collect(),
                    found: Some(found.into()),
                });
            }
        }
    }

    fn hides(&self, table: &str) -> bool {
        !has_column(self.report.expected, table, "id") && !self.current.tables.contains_key(table)
    }

    fn baseline(&mut self, baseline: &Baseline, rows: &[ExpectedRow]) {
        let touched: HashMap<(&str, &str), &ExpectedRow> =
            rows.iter().map(|row| ((row.table, row.key.as_str()), row)).collect();
        let passage = Passage::between(baseline, self.report.expected);
        for (table, before) in &baseline.tables {
            if self.hides(table) {
                continue;
            }
            for (id, row) in before {
                self.report.baseline_rows += 1;
                let name =
                    RowName { table: table.clone(), key: format!("id = {id}"), request: None };
                let now = self.current.tables.get(table).and_then(|rows| rows.get(id));
                let Some(now) = now else {
                    if !passage.deletes(table, *id) {
                        self.report.baseline_rows_lost.push(name);
                    }
                    continue;
                };
                let by_clients = key(table, row).and_then(|key| touched.get(&(table, key)));
                for (column, value) in row {
                    let spoken_for =
                        by_clients.is_some_and(|row| row.cells.contains_key(column.as_str()));
                    if !spoken_for {
                        self.baseline_cell(&name, column, passage, value, now);
                    }
                }
            }
        }
    }

    fn baseline_cell(
        &mut self,
        name: &RowName,
        column: &str,
        passage: Passage,
        before: &Value,
        now: &Row,
    ) {
        let Some(expected) = passage.rewrites(&name.table, column, before) else { return };
        let found = now.get(column);
        let wrong = match found {
            Some(found) => *found != expected,
            None => has_column(self.report.expected, &name.table, column),
        };
        if wrong {
            self.report.baseline_rows_changed.push(Difference {
                row: name.clone(),
                column: column.to_owned(),
                expected: vec![expected],
                found: found.cloned(),
            });
        }
    }
}

/// Whether migration 3 lies between the baseline and the end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Passage {
    Neither,
    IntoV3,
    OutOfV3,
}

impl Passage {
    fn between(baseline: &Baseline, expected: Schema) -> Self {
        match (baseline.has_column("orders", "gift"), expected) {
            (false, Schema::V3) => Passage::IntoV3,
            (true, Schema::V1 | Schema::V2) => Passage::OutOfV3,
            (true, Schema::V3) | (false, Schema::V1 | Schema::V2) => Passage::Neither,
        }
    }

    fn deletes(self, table: &str, id: i64) -> bool {
        self == Passage::IntoV3 && table == "audit_log" && id <= AUDIT_DELETED_BY_V3
    }

    /// The value that must be there now; none where the baseline cannot tell.
    fn rewrites(self, table: &str, column: &str, before: &Value) -> Option<Value> {
        let before = before.clone();
        Some(match (self, table, column, &before) {
            (Passage::OutOfV3, "products", "price_cents", _)
            | (Passage::OutOfV3, "customers", "email", _) => return None,
            (Passage::IntoV3, "products", "price_cents", Value::Number(cents)) => {
                (cents.as_i64()? * 119 / 100).into()
            }
            (Passage::IntoV3, "customers", "email", Value::String(email)) => {
                email.to_ascii_lowercase().into()
            }
            _ => before,
        })
    }
}

fn key<'a>(table: &str, row: &'a Row) -> Option<&'a str> {
    let column = match table {
        "orders" => "client_key",
        "customers" => "name",
        "reviews" => "body",
        _ => return None,
    };
    row.get(column).and_then(Value::as_str)
}
