//! What the review says about locks is held against what the server does.

use crate::postgres::cluster;
use crate::review::reviewed;
use ripcord_databases::formats::Format;
use ripcord_databases::review::{Holds, Lock};

const BEFORE: &str = "
    CREATE TABLE parents (id bigint PRIMARY KEY);
    CREATE TABLE orders (
        id bigint PRIMARY KEY, note varchar(20), amount numeric(10,2), parent bigint,
        made timestamp, state text NOT NULL DEFAULT ''
    );
    CREATE INDEX orders_by_note ON orders (note);
    CREATE TABLE parted (id int) PARTITION BY LIST (id);
    CREATE TABLE first PARTITION OF parted FOR VALUES IN (1);
    CREATE TABLE second (id int);
    CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE TRIGGER acts BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION act();
    CREATE MATERIALIZED VIEW sums AS SELECT 1 AS a;
    CREATE UNIQUE INDEX ON sums (a);
    CREATE VIEW seen AS SELECT id FROM orders;
    ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;
    INSERT INTO orders SELECT n, 'x' || n, 1, NULL, now() FROM generate_series(1, 10) AS n;";

/// Statements that can run in a transaction, so that their locks can be looked at.
const STATEMENTS: [&str; 45] = [
    "ALTER TABLE orders ADD COLUMN a int",
    "ALTER TABLE orders ADD COLUMN a int NOT NULL DEFAULT 3",
    "ALTER TABLE orders ADD COLUMN a timestamptz DEFAULT now()",
    "ALTER TABLE orders ADD COLUMN a text DEFAULT date_trunc('day', now())::text",
    "ALTER TABLE orders ADD COLUMN a jsonb DEFAULT jsonb_build_object('a', 1)",
    "ALTER TABLE orders ADD COLUMN a uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE orders ADD COLUMN a float DEFAULT random()",
    "ALTER TABLE orders ADD COLUMN a bigserial",
    "ALTER TABLE orders ADD COLUMN a int GENERATED ALWAYS AS (1) STORED",
    "ALTER TABLE orders ADD COLUMN a bigint REFERENCES parents (id)",
    "ALTER TABLE orders DROP COLUMN note",
    "ALTER TABLE orders RENAME COLUMN note TO remark",
    "ALTER TABLE orders ALTER note TYPE varchar(40)",
    "ALTER TABLE orders ALTER note TYPE text",
    "ALTER TABLE orders ALTER note TYPE varchar(10)",
    "ALTER TABLE orders ALTER amount TYPE numeric(12,2)",
    "ALTER TABLE orders ALTER amount TYPE numeric(12,1)",
    "ALTER TABLE orders ALTER parent TYPE int",
    "ALTER TABLE orders ALTER made TYPE date",
    "ALTER TABLE orders ALTER note SET NOT NULL",
    "ALTER TABLE orders ALTER state DROP NOT NULL",
    "ALTER TABLE orders ALTER state SET DEFAULT 'new'",
    "ALTER TABLE orders ADD CHECK (amount > 0)",
    "ALTER TABLE orders ADD CHECK (amount > 0) NOT VALID",
    "ALTER TABLE orders VALIDATE CONSTRAINT positive",
    "ALTER TABLE orders DROP CONSTRAINT positive",
    "ALTER TABLE orders ADD FOREIGN KEY (parent) REFERENCES parents (id)",
    "ALTER TABLE orders ADD FOREIGN KEY (parent) REFERENCES parents (id) NOT VALID",
    "ALTER TABLE orders ADD UNIQUE (note)",
    "ALTER TABLE orders SET UNLOGGED",
    "ALTER TABLE orders SET (fillfactor = 70)",
    "ALTER TABLE orders ALTER note SET STATISTICS 10",
    "ALTER TABLE orders DISABLE TRIGGER ALL",
    "ALTER TABLE orders REPLICA IDENTITY FULL",
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE parted ATTACH PARTITION second FOR VALUES IN (2)",
    "ALTER TABLE parted DETACH PARTITION first",
    "CREATE INDEX ON orders (amount)",
    "CREATE TRIGGER other BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION act()",
    "CREATE POLICY own ON orders USING (true)",
    "CREATE TABLE third PARTITION OF parted FOR VALUES IN (3)",
    "CREATE TABLE children (parent bigint REFERENCES parents (id))",
    "REFRESH MATERIALIZED VIEW sums",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY sums",
    "UPDATE orders SET note = ''",
];

#[test]
fn locks_and_rewrites_are_those_of_the_server() {
    let database = cluster::database();
    database.run(BEFORE);
    let mut client = database.client();
    for statement in STATEMENTS {
        let review = reviewed(Format::Plain, &[BEFORE, statement]);
        let said = review.migrations[1].up.statements[0].blocks.clone().unwrap();
        let mut transaction = client.transaction().unwrap();
        let file = "SELECT relfilenode FROM pg_class WHERE relname = 'orders'";
        let before: u32 = transaction.query_one(file, &[]).unwrap().get(0);
        transaction.batch_execute(statement).unwrap();
        let after: u32 = transaction.query_one(file, &[]).unwrap().get(0);
        let locks = "SELECT l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                     WHERE l.pid = pg_backend_pid() AND c.relname = $1";
        let rows = transaction.query(locks, &[&said.on]).unwrap();
        let strongest = rows.iter().map(|row| lock(row.get(0))).max().unwrap();
        transaction.rollback().unwrap();
        assert_eq!(strongest, Some(said.lock), "{statement}");
        if said.on == "orders" {
            assert_eq!(before != after, said.holds == Holds::Rewrite, "{statement}");
        }
    }
}

/// A lock as the server calls it; none for those in whose way nobody stands.
fn lock(mode: &str) -> Option<Lock> {
    Some(match mode {
        "RowExclusiveLock" => Lock::RowExclusive,
        "ShareUpdateExclusiveLock" => Lock::ShareUpdateExclusive,
        "ShareLock" => Lock::Share,
        "ShareRowExclusiveLock" => Lock::ShareRowExclusive,
        "ExclusiveLock" => Lock::Exclusive,
        "AccessExclusiveLock" => Lock::AccessExclusive,
        _ => return None,
    })
}
