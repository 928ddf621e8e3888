//! Tables and columns that come and go.

use super::{Step, step};

pub(super) const STEPS: &[Step] = &[
    step(
        "create table",
        "CREATE TABLE coupons (code text PRIMARY KEY, percent int NOT NULL CHECK (percent < 100)); INSERT INTO coupons VALUES ('A', 10), ('B', 20)",
        "DROP TABLE coupons",
    ),
    step(
        "create table with all sorts",
        "CREATE TABLE stock (id serial PRIMARY KEY, sku varchar(20) REFERENCES products, n int DEFAULT 0, at timestamptz DEFAULT now(), UNIQUE (sku, n)); CREATE INDEX ON stock (at)",
        "DROP TABLE stock",
    ),
    step(
        "create table as",
        "CREATE TABLE archive.old_orders AS SELECT * FROM orders WHERE status = 'sent'",
        "DROP TABLE archive.old_orders",
    ),
    step(
        "drop table",
        "DROP TABLE logs",
        "CREATE TABLE logs (at timestamptz, level text, message text)",
    ),
    step(
        "drop table with key and children",
        "DROP TABLE order_lines CASCADE",
        "CREATE TABLE order_lines (order_id int NOT NULL REFERENCES orders, line int NOT NULL, sku varchar(20) REFERENCES products ON UPDATE CASCADE, qty int NOT NULL DEFAULT 1 CONSTRAINT enough CHECK (qty > 0), PRIMARY KEY (order_id, line))",
    ),
    step("drop parent cascade", "DROP TABLE customers CASCADE", "SELECT 1"),
    step("drop identity table", "DROP TABLE orders CASCADE", "SELECT 1"),
    step("drop two tables", "DROP TABLE nodes, settings", "SELECT 1"),
    step("drop partitioned", "DROP TABLE events", "SELECT 1"),
    step(
        "drop partition",
        "DROP TABLE events_2023",
        "CREATE TABLE events_2023 PARTITION OF events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')",
    ),
    step(
        "drop inherited",
        "DROP TABLE special_items",
        "CREATE TABLE special_items (extra text) INHERITS (items)",
    ),
    step(
        "drop and make again",
        "DROP TABLE logs; CREATE TABLE logs (id serial PRIMARY KEY, at timestamptz, message text)",
        "DROP TABLE logs; CREATE TABLE logs (at timestamptz, level text, message text)",
    ),
    step(
        "drop schema",
        "CREATE SCHEMA scratch; CREATE TABLE scratch.t (a int); INSERT INTO scratch.t VALUES (1)",
        "DROP SCHEMA scratch CASCADE",
    ),
    step(
        "move and drop schema",
        "ALTER TABLE logs SET SCHEMA archive; DROP SCHEMA archive CASCADE",
        "CREATE SCHEMA archive",
    ),
    Step {
        name: "rename table",
        up: "ALTER TABLE logs RENAME TO journal",
        down: "ALTER TABLE journal RENAME TO logs",
        wrong: Some(
            "DROP TABLE journal; CREATE TABLE logs (at timestamptz, level text, message text)",
        ),
    },
    step(
        "rename table with all",
        "ALTER TABLE orders RENAME TO purchases",
        "ALTER TABLE purchases RENAME TO orders",
    ),
    step(
        "rename and stand in",
        "ALTER TABLE settings RENAME TO settings_old; CREATE TABLE settings (id serial PRIMARY KEY, key text UNIQUE, value text); INSERT INTO settings (key, value) SELECT key, value FROM settings_old",
        "DROP TABLE settings; ALTER TABLE settings_old RENAME TO settings",
    ),
    step(
        "swap tables",
        "ALTER TABLE items RENAME TO x; ALTER TABLE nodes RENAME TO items; ALTER TABLE x RENAME TO nodes",
        "ALTER TABLE items RENAME TO x; ALTER TABLE nodes RENAME TO items; ALTER TABLE x RENAME TO nodes",
    ),
    step(
        "set schema",
        "ALTER TABLE orders SET SCHEMA archive",
        "ALTER TABLE archive.orders SET SCHEMA public",
    ),
    step(
        "set schema and rename",
        "ALTER TABLE nodes SET SCHEMA archive; ALTER TABLE archive.nodes RENAME TO tree",
        "ALTER TABLE archive.tree RENAME TO nodes; ALTER TABLE archive.nodes SET SCHEMA public",
    ),
    step(
        "rename schema",
        "ALTER SCHEMA audit RENAME TO trail; CREATE TABLE trail.entries (id int)",
        "DROP TABLE trail.entries; ALTER SCHEMA trail RENAME TO audit",
    ),
    step("unlogged", "ALTER TABLE logs SET UNLOGGED", "ALTER TABLE logs SET LOGGED"),
    step(
        "storage parameters",
        "ALTER TABLE orders SET (fillfactor = 70, autovacuum_enabled = false)",
        "ALTER TABLE orders RESET (fillfactor, autovacuum_enabled)",
    ),
    step("owner", "ALTER TABLE logs OWNER TO ann", "ALTER TABLE logs OWNER TO postgres"),
    step(
        "replica identity",
        "ALTER TABLE orders REPLICA IDENTITY FULL",
        "ALTER TABLE orders REPLICA IDENTITY DEFAULT",
    ),
    step(
        "add column text",
        "ALTER TABLE products ADD COLUMN extra text",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column int",
        "ALTER TABLE products ADD COLUMN extra int NOT NULL DEFAULT 7",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column jsonb",
        "ALTER TABLE products ADD COLUMN extra jsonb DEFAULT '{}'",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column mood",
        "ALTER TABLE products ADD COLUMN extra mood",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column email",
        "ALTER TABLE products ADD COLUMN extra email",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column address",
        "ALTER TABLE products ADD COLUMN extra address",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column numeric(5,1)[]",
        "ALTER TABLE products ADD COLUMN extra numeric(5,1)[] DEFAULT '{1.5}'",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column timestamptz",
        "ALTER TABLE products ADD COLUMN extra timestamptz DEFAULT '2024-02-02'",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column bytea",
        "ALTER TABLE products ADD COLUMN extra bytea",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column uuid",
        "ALTER TABLE products ADD COLUMN extra uuid DEFAULT md5('x')::uuid",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column bigserial",
        "ALTER TABLE products ADD COLUMN extra bigserial",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column int identity",
        "ALTER TABLE products ADD COLUMN extra int GENERATED BY DEFAULT AS IDENTITY",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add column int identity",
        "ALTER TABLE products ADD COLUMN extra int GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE products DROP COLUMN extra",
    ),
    step(
        "add generated",
        "ALTER TABLE order_lines ADD COLUMN twice int GENERATED ALWAYS AS (qty * 2) STORED",
        "ALTER TABLE order_lines DROP COLUMN twice",
    ),
    step(
        "add and fill",
        "ALTER TABLE customers ADD COLUMN short text; UPDATE customers SET short = left(name, 3); ALTER TABLE customers ALTER short SET NOT NULL",
        "ALTER TABLE customers DROP COLUMN short",
    ),
    step(
        "add column with key",
        "ALTER TABLE orders ADD COLUMN seller bigint REFERENCES customers; CREATE INDEX orders_by_seller ON orders (seller)",
        "ALTER TABLE orders DROP COLUMN seller",
    ),
    step(
        "drop column products.photo",
        "ALTER TABLE products DROP COLUMN photo",
        "ALTER TABLE products ADD COLUMN photo bytea",
    ),
    step(
        "drop column products.meta",
        "ALTER TABLE products DROP COLUMN meta",
        "ALTER TABLE products ADD COLUMN meta json",
    ),
    step(
        "drop column products.seen",
        "ALTER TABLE products DROP COLUMN seen",
        "ALTER TABLE products ADD COLUMN seen timestamp",
    ),
    step(
        "drop column orders.note",
        "ALTER TABLE orders DROP COLUMN note",
        "ALTER TABLE orders ADD COLUMN note text",
    ),
    step(
        "drop column customers.prefs",
        "ALTER TABLE customers DROP COLUMN prefs",
        "ALTER TABLE customers ADD COLUMN prefs jsonb NOT NULL DEFAULT '{}'",
    ),
    step(
        "drop column customers.tags",
        "ALTER TABLE customers DROP COLUMN tags",
        "ALTER TABLE customers ADD COLUMN tags text[] DEFAULT '{}'",
    ),
    step(
        "drop column customers.home",
        "ALTER TABLE customers DROP COLUMN home",
        "ALTER TABLE customers ADD COLUMN home address",
    ),
    step(
        "drop column customers.born",
        "ALTER TABLE customers DROP COLUMN born",
        "ALTER TABLE customers ADD COLUMN born date",
    ),
    step(
        "drop column settings.Weird Name",
        r#"ALTER TABLE settings DROP COLUMN "Weird Name""#,
        r#"ALTER TABLE settings ADD COLUMN "Weird Name" int"#,
    ),
    step(
        "drop column logs.level",
        "ALTER TABLE logs DROP COLUMN level",
        "ALTER TABLE logs ADD COLUMN level text",
    ),
    step(
        "drop column nodes.parent",
        "ALTER TABLE nodes DROP COLUMN parent",
        "ALTER TABLE nodes ADD COLUMN parent int REFERENCES nodes",
    ),
    step(
        "drop column order_lines.qty",
        "ALTER TABLE order_lines DROP COLUMN qty CASCADE",
        "ALTER TABLE order_lines ADD COLUMN qty int NOT NULL DEFAULT 1 CONSTRAINT enough CHECK (qty > 0)",
    ),
    step("drop key column", "ALTER TABLE settings DROP COLUMN key CASCADE", "SELECT 1"),
    step("drop column of views", "ALTER TABLE customers DROP COLUMN name CASCADE", "SELECT 1"),
    step(
        "drop generated",
        "ALTER TABLE orders DROP COLUMN doubled",
        "ALTER TABLE orders ADD COLUMN doubled numeric GENERATED ALWAYS AS (amount * 2) STORED",
    ),
    step(
        "drop what is generated from",
        "ALTER TABLE orders DROP COLUMN amount CASCADE",
        "SELECT 1",
    ),
    step("drop identity column", "ALTER TABLE orders DROP COLUMN id CASCADE", "SELECT 1"),
    step("drop serial column", "ALTER TABLE customers DROP COLUMN id CASCADE", "SELECT 1"),
    step(
        "drop column of partitions",
        "DROP INDEX events_by_what; ALTER TABLE events DROP COLUMN what",
        "ALTER TABLE events ADD COLUMN what text; CREATE INDEX events_by_what ON events (what)",
    ),
    step(
        "drop inherited column",
        "ALTER TABLE items DROP COLUMN label",
        "ALTER TABLE items ADD COLUMN label text",
    ),
    step(
        "drop last column",
        "ALTER TABLE orders DROP COLUMN doubled; ALTER TABLE orders DROP COLUMN amount CASCADE",
        "ALTER TABLE orders ADD COLUMN amount numeric(12, 2)",
    ),
    Step {
        name: "rename column",
        up: "ALTER TABLE orders RENAME COLUMN note TO remark",
        down: "ALTER TABLE orders RENAME COLUMN remark TO note",
        wrong: Some(
            "ALTER TABLE orders DROP COLUMN remark; ALTER TABLE orders ADD COLUMN note text",
        ),
    },
    step(
        "rename column of views",
        "ALTER TABLE customers RENAME COLUMN name TO full_name",
        "ALTER TABLE customers RENAME COLUMN full_name TO name",
    ),
    step(
        "swap columns",
        "ALTER TABLE logs RENAME COLUMN level TO x; ALTER TABLE logs RENAME COLUMN message TO level; ALTER TABLE logs RENAME COLUMN x TO message",
        "ALTER TABLE logs RENAME COLUMN level TO x; ALTER TABLE logs RENAME COLUMN message TO level; ALTER TABLE logs RENAME COLUMN x TO message",
    ),
    step(
        "rename and add",
        "ALTER TABLE nodes RENAME COLUMN label TO label_old; ALTER TABLE nodes ADD COLUMN label varchar(10); UPDATE nodes SET label = upper(label_old)",
        "ALTER TABLE nodes DROP COLUMN label; ALTER TABLE nodes RENAME COLUMN label_old TO label",
    ),
    step(
        "split column",
        "ALTER TABLE customers ADD COLUMN first text, ADD COLUMN last text; UPDATE customers SET first = split_part(name, ' ', 1), last = split_part(name, ' ', 2); ALTER TABLE customers DROP COLUMN name CASCADE",
        "ALTER TABLE customers ADD COLUMN name text; UPDATE customers SET name = first || ' ' || last; ALTER TABLE customers ALTER name SET NOT NULL, DROP COLUMN first, DROP COLUMN last",
    ),
    step(
        "merge columns",
        "ALTER TABLE products ADD COLUMN label text; UPDATE products SET label = sku || ': ' || title; ALTER TABLE products DROP COLUMN title",
        "ALTER TABLE products ADD COLUMN title varchar(200); UPDATE products SET title = split_part(label, ': ', 2); ALTER TABLE products ALTER title SET NOT NULL; ALTER TABLE products DROP COLUMN label",
    ),
    step(
        "type orders.id to bigint",
        "ALTER TABLE orders ALTER COLUMN id TYPE bigint",
        "ALTER TABLE orders ALTER COLUMN id TYPE int",
    ),
    step(
        "type products.title to text",
        "ALTER TABLE products ALTER COLUMN title TYPE text",
        "ALTER TABLE products ALTER COLUMN title TYPE varchar(200)",
    ),
    step(
        "type products.price to numeric(14,4)",
        "ALTER TABLE products ALTER COLUMN price TYPE numeric(14,4)",
        "ALTER TABLE products ALTER COLUMN price TYPE numeric(10,2)",
    ),
    step(
        "type order_lines.line to smallint",
        "ALTER TABLE order_lines ALTER COLUMN line TYPE smallint",
        "ALTER TABLE order_lines ALTER COLUMN line TYPE int",
    ),
];
