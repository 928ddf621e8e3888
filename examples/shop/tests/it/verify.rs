//! The comparison of the database with the record: clean when all is well, red when anything is not.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use ripcord_shop::Schema;
use ripcord_shop::load::{
    Baseline, Change, DataReport, Difference, Load, LoadOptions, Record, Sent, Told, verify,
};

use crate::world::World;

/// What one run of load over schemas 2 and 3 left behind, shared by the tests below.
struct Journey {
    world: World,
    /// A copy of the database as migration 3 found it.
    world_before: PathBuf,
    before: Baseline,
    record: Record,
}

/// Load on schema 2, then on 3 with the shop of 3.
fn journey() -> &'static Journey {
    static JOURNEY: OnceLock<Journey> = OnceLock::new();
    JOURNEY.get_or_init(|| {
        let world = World::at(2);
        let before = Baseline::take(world.database()).expect("a baseline");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let mut record = Record::default();
        let world_before = world.path("before.db");
        for generation in [2, 3] {
            if generation == 3 {
                world.copy_to(&world_before);
                world.migrate(3, "up");
            }
            let shop = runtime.block_on(world.serve(generation));
            let wanted = LoadOptions {
                url: shop.url.clone(),
                rps: 300,
                run: format!("run-{generation}"),
                ..Default::default()
            };
            let load = Load::start(wanted).expect("a load");
            std::thread::sleep(Duration::from_millis(1200));
            record.writes.extend(load.stop().expect("a report").1.writes);
            runtime.block_on(shop.stop());
        }
        Journey { world, world_before, before, record }
    })
}

/// A world with a copy of the journey's database.
fn copy() -> World {
    let copy = World::at(0);
    std::fs::remove_file(copy.database()).expect("the empty database");
    journey().world.copy_to(&copy.database());
    copy
}

/// Holds a database against the journey's record and baseline.
fn compare(world: &World, expected: Schema) -> DataReport {
    let journey = journey();
    verify(world.database(), &journey.record, Some(&journey.before), expected)
        .expect("a comparison")
}

/// What is found after `sql` was done to a copy.
fn after(sql: &str) -> DataReport {
    let copy = copy();
    copy.sql(sql);
    compare(&copy, Schema::V3)
}

/// The id of an acknowledged order for which `wanted` holds, from the end.
fn order(wanted: impl Fn(&Sent) -> bool) -> i64 {
    let writes = &journey().record.writes;
    let mut matching = writes.iter().rev().filter(|write| wanted(&write.sent));
    matching
        .find_map(|write| match &write.told {
            Told::Acknowledged { id, .. } => Some(*id),
            Told::Refused { .. } | Told::Unknown { .. } => None,
        })
        .expect("such an order")
}

#[test]
fn an_untouched_database_is_clean() {
    let report = after("SELECT 1");
    assert!(report.is_clean(), "{report:#?}");
    assert!(report.rows_written > 50, "{report:#?}");
    assert_eq!((report.baseline_rows, report.rows_hidden), (345, 0));
}

#[test]
fn a_lost_row_is_found() {
    let id = order(|sent| matches!(sent, Sent::Order { .. }));
    let report = after(&format!("DELETE FROM orders WHERE id = {id}"));
    assert_eq!(report.rows_lost.len(), 1, "{report:#?}");
    assert!(!report.is_clean());
}

#[test]
fn a_lost_review_customer_and_audit_entry_are_found() {
    let report = after("DELETE FROM reviews");
    assert!(!report.rows_lost.is_empty() && !report.is_clean());
    let report = after("DELETE FROM customers WHERE id > 25");
    assert!(!report.rows_lost.is_empty() && !report.is_clean());
    let id = order(|sent| matches!(sent, Sent::Order { .. }));
    let report = after(&format!("DELETE FROM audit_log WHERE order_id = {id}"));
    assert_eq!(report.rows_differing[0].row.table, "audit_log", "{report:#?}");
}

#[test]
fn a_changed_row_is_found() {
    let id = order(|sent| matches!(sent, Sent::Order { .. }));
    for change in ["quantity = quantity + 1", "product_id = 1 + product_id % 20", "gift = 7"] {
        let report = after(&format!("UPDATE orders SET {change} WHERE id = {id}"));
        assert_eq!(report.rows_differing.len(), 1, "{change}: {report:#?}");
        assert!(!report.is_clean());
    }
}

#[test]
fn a_column_that_is_not_there_is_found() {
    let report = after("ALTER TABLE orders DROP COLUMN channel");
    let missing = |cell: &Difference| cell.column == "channel" && cell.found.is_none();
    assert!(report.rows_differing.iter().any(missing), "{report:#?}");
    assert_eq!(report.baseline_rows_changed.iter().filter(|cell| missing(cell)).count(), 100);
}

#[test]
fn a_duplicated_row_is_found() {
    let report = after(
        "INSERT INTO reviews (product_id, stars, body)
         SELECT product_id, stars, body FROM reviews ORDER BY id LIMIT 1",
    );
    assert_eq!(report.rows_duplicated.len(), 1, "{report:#?}");
    assert!(!report.is_clean());
}

/// A baseline may be taken amid load: what clients change afterwards is theirs, the rest is not.
#[test]
fn a_baseline_may_hold_rows_that_clients_change_later() {
    let journey = journey();
    let amid = Baseline::take(&journey.world_before).expect("a baseline");
    let copy = copy();
    let report = |copy: &World| {
        verify(copy.database(), &journey.record, Some(&amid), Schema::V3).expect("a comparison")
    };
    let clean = report(&copy);
    assert!(clean.is_clean() && clean.baseline_rows > 345, "{clean:#?}");
    let own = "(SELECT min(id) FROM orders WHERE id > 100)";
    copy.sql(&format!("UPDATE orders SET created_at = '' WHERE id = {own}"));
    assert_eq!(report(&copy).baseline_rows_changed.len(), 1);
}

#[test]
fn an_overwritten_later_write_is_found() {
    let is_quantity =
        |sent: &Sent| matches!(sent, Sent::Change { change: Change::Quantity(_), .. });
    let id = order(is_quantity);
    let writes = &journey().record.writes;
    let first = writes.iter().find_map(|write| match (&write.sent, &write.told) {
        (Sent::Order { quantity, .. }, Told::Acknowledged { id: made, .. }) if *made == id => {
            Some(*quantity)
        }
        _ => None,
    });
    // A return that brings back the row as it was first written loses what came later.
    let first = first.expect("the order was made in this run");
    let report = after(&format!("UPDATE orders SET quantity = {first} WHERE id = {id}"));
    assert_eq!(report.rows_differing.len(), 1, "{report:#?}");
    assert_eq!(report.rows_differing[0].found, Some(first.into()));
}

#[test]
fn a_row_under_another_id_is_found() {
    let id = order(|sent| matches!(sent, Sent::Order { .. }));
    let report = after(&format!("UPDATE orders SET id = 99999 WHERE id = {id}"));
    assert!(report.rows_differing.iter().any(|cell| cell.column == "id"), "{report:#?}");
}

#[test]
fn a_changed_or_lost_seeded_row_is_found() {
    let check = |sql: &str, lost: usize, changed: usize| {
        let report = after(sql);
        let found = (report.baseline_rows_lost.len(), report.baseline_rows_changed.len());
        assert_eq!(found, (lost, changed), "{sql}: {report:#?}");
        assert!(!report.is_clean());
    };
    check("DELETE FROM audit_log WHERE id = 150", 1, 0);
    check("UPDATE products SET price_cents = 1 WHERE id = 5", 0, 1);
    check("UPDATE customers SET email = 'Customer.5@Example.COM' WHERE id = 5", 0, 1);
    check("UPDATE orders SET quantity = 77 WHERE id = 50", 0, 1);
    check("UPDATE orders SET created_at = '' WHERE id = 50", 0, 1);
}

#[test]
fn a_naive_return_loses_what_the_migration_destroyed() {
    let copy = copy();
    copy.migrate(3, "down");
    let report = compare(&copy, Schema::V2);
    let differs = |column: &str| report.rows_differing.iter().any(|cell| cell.column == column);
    let changed =
        |column: &str| report.baseline_rows_changed.iter().any(|cell| cell.column == column);
    assert!(differs("note") && differs("email"), "notes and addresses of the load came back");
    assert!(changed("note") && changed("price_cents") && changed("email"));
    assert_eq!(report.baseline_rows_lost.len(), 100);
    assert!(report.rows_lost.is_empty());
}

/// What migration 3 destroys is put aside before it, and comes back after it.
#[test]
fn a_return_that_brings_everything_back_is_clean() {
    let copy = copy();
    let before = journey().world_before.display().to_string();
    copy.migrate(3, "down");
    copy.sql_with(
        &format!("ATTACH '{before}' AS kept"),
        "UPDATE orders SET note = (SELECT note FROM kept.orders k WHERE k.id = orders.id);
         INSERT INTO audit_log SELECT * FROM kept.audit_log WHERE id <= 100;
         UPDATE products SET price_cents =
            (SELECT price_cents FROM kept.products k WHERE k.id = products.id);
         UPDATE customers SET email = (SELECT email FROM kept.customers k WHERE k.id = customers.id)
            WHERE id IN (SELECT id FROM kept.customers)",
    );
    let report = compare(&copy, Schema::V2);
    assert!(report.is_clean(), "{report:#?}");
    // Further back the reviews have no table. They are hidden, not lost.
    copy.migrate(2, "down");
    let report = compare(&copy, Schema::V1);
    assert!(report.is_clean() && report.rows_hidden > 0, "{report:#?}");
    // The same without its audit entries is not.
    copy.sql("DELETE FROM audit_log WHERE id = 7");
    assert_eq!(compare(&copy, Schema::V1).baseline_rows_lost.len(), 1);
}

#[test]
fn a_row_that_was_refused_and_is_there_is_found() {
    let mut record = journey().record.clone();
    let write = record.writes.iter_mut().find(|write| matches!(write.sent, Sent::Customer { .. }));
    write.expect("a customer").told = Told::Refused { because: "answered 500".to_owned() };
    let journey = journey();
    let report = verify(journey.world.database(), &record, None, Schema::V3).expect("it");
    assert_eq!(report.rows_refused_but_present.len(), 1, "{report:#?}");
    assert!(!report.is_clean());
}

#[test]
fn a_missing_database_is_an_error() {
    let world = World::at(1);
    let gone = world.path("gone.db");
    let error = verify(&gone, &Record::default(), None, Schema::V1).expect_err("no database");
    assert!(error.to_string().starts_with("cannot read all rows of database"), "{error}");
}
