//! The steps: each a migration as people write them, with the script that takes it back as its
//! author would have written it, and where it is telling a wrong one.

/// One migration.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    /// A script that does something else; none for one that is cut short.
    pub(super) wrong: Option<&'static str>,
}

const fn step(name: &'static str, up: &'static str, down: &'static str) -> Step {
    Step { name, up, down, wrong: None }
}

/// All of them.
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
    step(
        "type products.weight to real",
        "ALTER TABLE products ALTER COLUMN weight TYPE real",
        "ALTER TABLE products ALTER COLUMN weight TYPE double precision",
    ),
    step(
        "type products.seen to date",
        "ALTER TABLE products ALTER COLUMN seen TYPE date",
        "ALTER TABLE products ALTER COLUMN seen TYPE timestamp",
    ),
    step(
        "type products.seen to timestamptz",
        "ALTER TABLE products ALTER COLUMN seen TYPE timestamptz",
        "ALTER TABLE products ALTER COLUMN seen TYPE timestamp",
    ),
    step(
        "type products.title to varchar(8)",
        "ALTER TABLE products ALTER COLUMN title TYPE varchar(8) USING title::varchar(8)",
        "ALTER TABLE products ALTER COLUMN title TYPE varchar(200)",
    ),
    step(
        "type nodes.label to varchar(4)",
        "ALTER TABLE nodes ALTER COLUMN label TYPE varchar(4) USING label::varchar(4)",
        "ALTER TABLE nodes ALTER COLUMN label TYPE text",
    ),
    step(
        "type with using",
        "ALTER TABLE products ALTER COLUMN weight TYPE text USING round(weight)::text || ' kg'",
        "ALTER TABLE products ALTER COLUMN weight TYPE double precision USING replace(weight, ' kg', '')::double precision",
    ),
    step(
        "text to int",
        "ALTER TABLE settings ALTER COLUMN value TYPE int USING length(value)",
        "ALTER TABLE settings ALTER COLUMN value TYPE text",
    ),
    step(
        "text to boolean",
        "ALTER TABLE settings ALTER COLUMN value TYPE boolean USING value = 'dark'",
        "ALTER TABLE settings ALTER COLUMN value TYPE text",
    ),
    step(
        "text to enum",
        "CREATE TYPE state AS ENUM ('new', 'paid', 'sent'); ALTER TABLE orders ALTER status DROP DEFAULT, ALTER status TYPE state USING status::state, ALTER status SET DEFAULT 'new'",
        "ALTER TABLE orders ALTER status DROP DEFAULT, ALTER status TYPE varchar(20) USING status::text, ALTER status SET DEFAULT 'new'; DROP TYPE state",
    ),
    step(
        "json to jsonb",
        "ALTER TABLE products ALTER COLUMN meta TYPE jsonb",
        "ALTER TABLE products ALTER COLUMN meta TYPE json",
    ),
    step(
        "text to array",
        "ALTER TABLE nodes ALTER COLUMN label TYPE text[] USING ARRAY[label]",
        "ALTER TABLE nodes ALTER COLUMN label TYPE text USING label[1]",
    ),
    step(
        "int to numeric with data",
        "DROP MATERIALIZED VIEW sales; ALTER TABLE order_lines ALTER COLUMN qty TYPE numeric(12,3) USING qty / 3.0",
        "ALTER TABLE order_lines ALTER COLUMN qty TYPE int USING round(qty * 3)",
    ),
    step(
        "widen and grow",
        "ALTER TABLE nodes DROP CONSTRAINT nodes_parent_fkey; ALTER TABLE nodes ALTER id TYPE bigint; UPDATE nodes SET id = id + 10000000000",
        "ALTER TABLE nodes ALTER id TYPE int USING (id - 10000000000)::int",
    ),
    step(
        "char to text",
        "ALTER TABLE products ALTER COLUMN grade TYPE text",
        "ALTER TABLE products ALTER COLUMN grade TYPE char(1)",
    ),
    step(
        "collation",
        r#"ALTER TABLE nodes ALTER COLUMN label TYPE text COLLATE "C""#,
        "ALTER TABLE nodes ALTER COLUMN label TYPE text",
    ),
    step(
        "type of partitions",
        "ALTER TABLE events ALTER COLUMN id TYPE int",
        "ALTER TABLE events ALTER COLUMN id TYPE bigint",
    ),
    step(
        "not null",
        "UPDATE orders SET note = '' WHERE note IS NULL; ALTER TABLE orders ALTER note SET NOT NULL",
        "ALTER TABLE orders ALTER note DROP NOT NULL",
    ),
    step(
        "drop not null",
        "ALTER TABLE products ALTER title DROP NOT NULL",
        "ALTER TABLE products ALTER title SET NOT NULL",
    ),
    step(
        "set default",
        "ALTER TABLE orders ALTER note SET DEFAULT 'none', ALTER status DROP DEFAULT",
        "ALTER TABLE orders ALTER note DROP DEFAULT, ALTER status SET DEFAULT 'new'",
    ),
    step(
        "statistics and storage",
        "ALTER TABLE products ALTER title SET STATISTICS 500, ALTER photo SET STORAGE EXTERNAL",
        "ALTER TABLE products ALTER title SET STATISTICS -1, ALTER photo SET STORAGE EXTENDED",
    ),
    step(
        "drop expression",
        "ALTER TABLE orders ALTER doubled DROP EXPRESSION",
        "ALTER TABLE orders DROP COLUMN doubled; ALTER TABLE orders ADD COLUMN doubled numeric GENERATED ALWAYS AS (amount * 2) STORED",
    ),
    step(
        "add identity",
        "ALTER TABLE nodes ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (START WITH 50)",
        "ALTER TABLE nodes ALTER id DROP IDENTITY",
    ),
    step(
        "drop identity",
        "ALTER TABLE orders ALTER id DROP IDENTITY",
        "ALTER TABLE orders ALTER id ADD GENERATED ALWAYS AS IDENTITY",
    ),
    step(
        "identity by default",
        "ALTER TABLE orders ALTER id SET GENERATED BY DEFAULT",
        "ALTER TABLE orders ALTER id SET GENERATED ALWAYS",
    ),
    step(
        "check",
        "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT positive",
        "ALTER TABLE orders DROP CONSTRAINT positive",
    ),
    step(
        "unique",
        "ALTER TABLE products ADD CONSTRAINT one_title UNIQUE (title)",
        "ALTER TABLE products DROP CONSTRAINT one_title",
    ),
    step(
        "foreign key",
        "ALTER TABLE events ADD COLUMN customer bigint; ALTER TABLE events ADD FOREIGN KEY (customer) REFERENCES customers",
        "ALTER TABLE events DROP COLUMN customer",
    ),
    step(
        "drop unique",
        "ALTER TABLE customers DROP CONSTRAINT customers_mail_key",
        "ALTER TABLE customers ADD UNIQUE (mail)",
    ),
    step(
        "drop foreign key",
        "ALTER TABLE order_lines DROP CONSTRAINT order_lines_sku_fkey",
        "ALTER TABLE order_lines ADD FOREIGN KEY (sku) REFERENCES products ON UPDATE CASCADE",
    ),
    step(
        "drop primary key",
        "ALTER TABLE nodes DROP CONSTRAINT nodes_pkey CASCADE",
        "ALTER TABLE nodes ADD PRIMARY KEY (id); ALTER TABLE nodes ADD FOREIGN KEY (parent) REFERENCES nodes",
    ),
    step(
        "rename constraint",
        "ALTER TABLE order_lines RENAME CONSTRAINT enough TO at_least_one; ALTER TABLE nodes RENAME CONSTRAINT nodes_pkey TO nodes_key",
        "ALTER TABLE nodes RENAME CONSTRAINT nodes_key TO nodes_pkey; ALTER TABLE order_lines RENAME CONSTRAINT at_least_one TO enough",
    ),
    step(
        "exclusion",
        "ALTER TABLE products ADD CONSTRAINT apart EXCLUDE USING btree (sku WITH =)",
        "ALTER TABLE products DROP CONSTRAINT apart",
    ),
    step(
        "index",
        "CREATE INDEX orders_by_day ON orders (placed DESC NULLS LAST) INCLUDE (amount)",
        "DROP INDEX orders_by_day",
    ),
    step(
        "unique index",
        "CREATE UNIQUE INDEX one_name ON customers (lower(name), mail)",
        "DROP INDEX one_name",
    ),
    step(
        "drop index",
        "DROP INDEX customers_by_name",
        "CREATE INDEX customers_by_name ON customers (lower(name))",
    ),
    step(
        "rename index",
        "ALTER INDEX orders_by_status RENAME TO orders_status",
        "ALTER INDEX orders_status RENAME TO orders_by_status",
    ),
    step(
        "index on partitions",
        "DROP INDEX events_by_what; CREATE INDEX events_what_day ON events (what, day)",
        "DROP INDEX events_what_day; CREATE INDEX events_by_what ON events (what)",
    ),
    step(
        "index concurrently",
        "CREATE INDEX CONCURRENTLY orders_by_amount ON orders (amount)",
        "DROP INDEX orders_by_amount",
    ),
    step(
        "statistics",
        "CREATE STATISTICS together ON customer_id, status FROM orders",
        "DROP STATISTICS together",
    ),
    step(
        "add partition",
        "CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01'); INSERT INTO events VALUES (99, '2025-05-05', 'new')",
        "DROP TABLE events_2025",
    ),
    step(
        "detach partition",
        "ALTER TABLE events DETACH PARTITION events_2023",
        "ALTER TABLE events ATTACH PARTITION events_2023 FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')",
    ),
    step(
        "attach partition",
        "CREATE TABLE events_2022 (LIKE events INCLUDING ALL); INSERT INTO events_2022 VALUES (77, '2022-02-02', 'old'); ALTER TABLE events ATTACH PARTITION events_2022 FOR VALUES FROM ('2022-01-01') TO ('2023-01-01')",
        "ALTER TABLE events DETACH PARTITION events_2022; DROP TABLE events_2022",
    ),
    step(
        "no longer inherits",
        "ALTER TABLE special_items NO INHERIT items",
        "ALTER TABLE special_items INHERIT items",
    ),
    step(
        "create enum",
        "CREATE TYPE size AS ENUM ('s', 'm'); ALTER TABLE products ADD COLUMN size size DEFAULT 'm'",
        "ALTER TABLE products DROP COLUMN size; DROP TYPE size",
    ),
    step("add label", "ALTER TYPE mood ADD VALUE 'angry' BEFORE 'sad'", "SELECT 1"),
    step(
        "rename label",
        "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
        "ALTER TYPE mood RENAME VALUE 'fine' TO 'ok'",
    ),
    step(
        "remove label",
        "ALTER TABLE customers ALTER feeling DROP DEFAULT; UPDATE customers SET feeling = 'ok' WHERE feeling = 'sad'; ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM ('ok', 'happy'); ALTER TABLE customers ALTER feeling TYPE mood USING feeling::text::mood; DROP TYPE mood_old; ALTER TABLE customers ALTER feeling SET DEFAULT 'ok'",
        "SELECT 1",
    ),
    step("rename type", "ALTER TYPE mood RENAME TO feeling", "ALTER TYPE feeling RENAME TO mood"),
    step(
        "domain",
        "CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100); ALTER TABLE products ADD COLUMN discount percent DEFAULT 0",
        "ALTER TABLE products DROP COLUMN discount; DROP DOMAIN percent",
    ),
    step(
        "domain constraint",
        "ALTER DOMAIN email ADD CONSTRAINT not_short CHECK (length(VALUE) > 3)",
        "ALTER DOMAIN email DROP CONSTRAINT not_short",
    ),
    step(
        "drop domain",
        "ALTER TABLE customers ALTER mail TYPE text; DROP DOMAIN email",
        "CREATE DOMAIN email AS text CHECK (VALUE ~ '@'); ALTER TABLE customers ALTER mail TYPE email",
    ),
    step(
        "composite",
        "ALTER TYPE address ADD ATTRIBUTE city text",
        "ALTER TYPE address DROP ATTRIBUTE city",
    ),
    step(
        "composite loses",
        "ALTER TYPE address DROP ATTRIBUTE zip CASCADE",
        "ALTER TYPE address ADD ATTRIBUTE zip varchar(10) CASCADE",
    ),
    step("drop type cascade", "DROP TYPE mood CASCADE", "SELECT 1"),
    step(
        "view",
        "CREATE VIEW late AS SELECT * FROM orders WHERE status = 'new'; COMMENT ON VIEW late IS 'x'; GRANT SELECT ON late TO ann",
        "DROP VIEW late",
    ),
    step(
        "replace view",
        "CREATE OR REPLACE VIEW good_customers AS SELECT * FROM customer_totals WHERE total > 100",
        "CREATE OR REPLACE VIEW good_customers AS SELECT * FROM customer_totals WHERE total > 10",
    ),
    step(
        "drop view cascade",
        "DROP VIEW customer_totals CASCADE",
        "CREATE VIEW customer_totals AS SELECT c.id, c.name, sum(o.amount) AS total FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id; CREATE VIEW good_customers AS SELECT * FROM customer_totals WHERE total > 10",
    ),
    step(
        "rename view",
        "ALTER VIEW good_customers RENAME TO best",
        "ALTER VIEW best RENAME TO good_customers",
    ),
    step(
        "materialized view",
        "CREATE MATERIALIZED VIEW days AS SELECT day, count(*) FROM events GROUP BY day; CREATE UNIQUE INDEX ON days (day)",
        "DROP MATERIALIZED VIEW days",
    ),
    step(
        "drop materialized view",
        "DROP MATERIALIZED VIEW sales",
        "CREATE MATERIALIZED VIEW sales AS SELECT sku, sum(qty) AS sold FROM order_lines GROUP BY sku; CREATE UNIQUE INDEX sales_by_sku ON sales (sku)",
    ),
    step(
        "function",
        "CREATE FUNCTION add(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2'; REVOKE ALL ON FUNCTION add(int, int) FROM PUBLIC",
        "DROP FUNCTION add(int, int)",
    ),
    step(
        "replace function",
        "CREATE OR REPLACE FUNCTION price_with_tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 1.25'",
        "CREATE OR REPLACE FUNCTION price_with_tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 1.2'",
    ),
    step(
        "drop function",
        "DROP FUNCTION price_with_tax(numeric)",
        "CREATE FUNCTION price_with_tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 1.2'",
    ),
    step(
        "rename function",
        "ALTER FUNCTION price_with_tax(numeric) RENAME TO gross",
        "ALTER FUNCTION gross(numeric) RENAME TO price_with_tax",
    ),
    step(
        "procedure",
        "CREATE PROCEDURE clean() LANGUAGE sql AS 'DELETE FROM logs'; CALL clean()",
        "DROP PROCEDURE clean()",
    ),
    step(
        "trigger",
        "CREATE TRIGGER orders_note BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.note IS NULL) EXECUTE FUNCTION touch()",
        "DROP TRIGGER orders_note ON orders",
    ),
    step(
        "drop trigger",
        "DROP TRIGGER customers_touch ON customers",
        "CREATE TRIGGER customers_touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch()",
    ),
    step(
        "disable trigger",
        "ALTER TABLE customers DISABLE TRIGGER customers_touch",
        "ALTER TABLE customers ENABLE TRIGGER customers_touch",
    ),
    step(
        "audit trigger",
        "CREATE TABLE audit.trail (id bigserial PRIMARY KEY, what jsonb); CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit.trail (what) VALUES (to_jsonb(OLD)); RETURN NEW; END$$; CREATE TRIGGER noted AFTER UPDATE ON products FOR EACH ROW EXECUTE FUNCTION audit.note(); UPDATE products SET price = price + 1",
        "DROP TRIGGER noted ON products; DROP FUNCTION audit.note(); DROP TABLE audit.trail; UPDATE products SET price = price - 1",
    ),
    step(
        "policy",
        "CREATE POLICY writers ON settings FOR INSERT TO bob WITH CHECK (value IS NOT NULL); ALTER POLICY readers ON settings USING (true)",
        "DROP POLICY writers ON settings; ALTER POLICY readers ON settings USING (key <> 'secret')",
    ),
    step(
        "drop policy",
        "DROP POLICY readers ON settings; ALTER TABLE settings DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE settings ENABLE ROW LEVEL SECURITY; CREATE POLICY readers ON settings FOR SELECT TO ann USING (key <> 'secret')",
    ),
    step(
        "force row security",
        "ALTER TABLE settings FORCE ROW LEVEL SECURITY",
        "ALTER TABLE settings NO FORCE ROW LEVEL SECURITY",
    ),
    step(
        "rule",
        "CREATE RULE silent AS ON DELETE TO logs DO INSTEAD NOTHING",
        "DROP RULE silent ON logs",
    ),
    step(
        "grant",
        "GRANT UPDATE, DELETE ON orders TO bob; GRANT USAGE ON SCHEMA audit TO ann; REVOKE INSERT ON orders FROM ann",
        "REVOKE UPDATE, DELETE ON orders FROM bob; REVOKE USAGE ON SCHEMA audit FROM ann; GRANT INSERT ON orders TO ann",
    ),
    step(
        "column grants",
        "REVOKE SELECT (mail) ON customers FROM bob; GRANT UPDATE (status) ON orders TO bob",
        "GRANT SELECT (mail) ON customers TO bob; REVOKE UPDATE (status) ON orders FROM bob",
    ),
    step(
        "default privileges",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO bob; CREATE TABLE shared (a int)",
        "DROP TABLE shared; ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM bob",
    ),
    step(
        "comments",
        "COMMENT ON TABLE customers IS 'people'; COMMENT ON COLUMN orders.note IS NULL",
        "COMMENT ON TABLE customers IS NULL; COMMENT ON COLUMN orders.note IS 'from the customer'",
    ),
    step(
        "sequence",
        "CREATE SEQUENCE invoice_no START 1000 INCREMENT 10; ALTER TABLE orders ADD COLUMN invoice bigint DEFAULT nextval('invoice_no')",
        "ALTER TABLE orders DROP COLUMN invoice; DROP SEQUENCE invoice_no",
    ),
    step(
        "alter sequence",
        "ALTER SEQUENCE ticket_no INCREMENT 5 CACHE 10 MAXVALUE 100000",
        "ALTER SEQUENCE ticket_no INCREMENT 1 CACHE 1 NO MAXVALUE",
    ),
    step("drop sequence", "DROP SEQUENCE ticket_no", "CREATE SEQUENCE ticket_no START 100"),
    step(
        "seeds",
        "INSERT INTO settings (key, value) VALUES ('color', 'red'), ('lang', 'de'); INSERT INTO products (sku, title, price) VALUES ('seed', 'Seed', 1)",
        "DELETE FROM settings WHERE key IN ('color', 'lang'); DELETE FROM products WHERE sku = 'seed'",
    ),
    step(
        "seeds without key",
        "INSERT INTO logs SELECT '2024-01-01Z'::timestamptz, 'seed', 'message 1' FROM generate_series(1, 3)",
        "DELETE FROM logs WHERE level = 'seed'",
    ),
    step(
        "seeds by serial",
        "INSERT INTO customers (name) VALUES ('admin'), ('robot'); INSERT INTO orders (customer_id) SELECT id FROM customers WHERE name = 'admin'",
        "DELETE FROM customers WHERE name IN ('admin', 'robot')",
    ),
    step(
        "copy",
        r"COPY settings (key, value) FROM stdin;
x	y
z	\N
\.
",
        "DELETE FROM settings WHERE key IN ('x', 'z')",
    ),
    step(
        "upsert",
        "INSERT INTO settings (key, value) VALUES ('theme', 'light'), ('fresh', 'yes') ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        "DELETE FROM settings WHERE key = 'fresh'; UPDATE settings SET value = 'dark' WHERE key = 'theme'",
    ),
    step(
        "update",
        "UPDATE orders SET status = 'open' WHERE status = 'new'",
        "UPDATE orders SET status = 'new' WHERE status = 'open'",
    ),
    step(
        "update all",
        "UPDATE customers SET name = upper(name), tags = tags || ARRAY['x']",
        "UPDATE customers SET name = lower(name)",
    ),
    step(
        "update twice",
        "UPDATE products SET price = price * 2; UPDATE products SET price = price + 1 WHERE grade = 'A'",
        "UPDATE products SET price = price / 2",
    ),
    step(
        "update keys",
        "UPDATE nodes SET id = id + 100 WHERE id = 4; UPDATE products SET sku = 'S' || sku WHERE sku < 'sku-2'",
        "SELECT 1",
    ),
    step(
        "update without key",
        "UPDATE logs SET message = 'same' WHERE message IN ('message 1', 'message 2')",
        "SELECT 1",
    ),
    step(
        "update json and bytes",
        r#"UPDATE products SET meta = '{"b": 1}', photo = '\x00', weight = 'NaN'"#,
        "SELECT 1",
    ),
    step(
        "delete",
        "DELETE FROM order_lines WHERE qty > 20; DELETE FROM settings WHERE value IS NULL",
        "SELECT 1",
    ),
    step(
        "delete cascades",
        "DELETE FROM order_lines; DELETE FROM customers WHERE id < 5",
        "SELECT 1",
    ),
    step("delete without key", "DELETE FROM logs WHERE message = 'message 3'", "SELECT 1"),
    step("delete all partitions", "DELETE FROM events WHERE day < '2024-01-01'", "SELECT 1"),
    step(
        "move between partitions",
        "UPDATE events SET day = day + 365 WHERE id < 4",
        "UPDATE events SET day = day - 365 WHERE id < 4",
    ),
    step(
        "delete and insert",
        "DELETE FROM settings; INSERT INTO settings (key, value) VALUES ('theme', 'blue'), ('new', 'one')",
        "DELETE FROM settings",
    ),
    step(
        "merge",
        "MERGE INTO settings s USING (VALUES ('theme', 'm'), ('merged', 'm')) v (k, x) ON s.key = v.k WHEN MATCHED THEN UPDATE SET value = x WHEN NOT MATCHED THEN INSERT (key, value) VALUES (k, x)",
        "SELECT 1",
    ),
    step("truncate", "TRUNCATE order_lines", "SELECT 1"),
    step("truncate cascade restart", "TRUNCATE customers RESTART IDENTITY CASCADE", "SELECT 1"),
    step(
        "truncate and seed",
        "TRUNCATE settings; INSERT INTO settings VALUES ('theme', 'fresh', 9)",
        "DELETE FROM settings",
    ),
    step("truncate partition", "TRUNCATE events_2023", "SELECT 1"),
    step(
        "do block",
        "DO $$BEGIN FOR i IN 1..3 LOOP INSERT INTO settings (key) VALUES ('do' || i); UPDATE nodes SET label = label || i; END LOOP; DELETE FROM logs; END$$",
        "DELETE FROM settings WHERE key LIKE 'do%'",
    ),
    step(
        "do block with definitions",
        "DO $$BEGIN EXECUTE 'ALTER TABLE products DROP COLUMN seen'; EXECUTE 'CREATE TABLE made (a int)'; EXECUTE 'DROP TABLE logs'; END$$",
        "SELECT 1",
    ),
    step(
        "function call",
        "CREATE FUNCTION purge() RETURNS int LANGUAGE sql AS $$WITH gone AS (DELETE FROM logs WHERE message = 'message 0' RETURNING 1) SELECT count(*)::int FROM gone$$; SELECT purge()",
        "DROP FUNCTION purge()",
    ),
    step(
        "with delete returning",
        "WITH gone AS (DELETE FROM logs WHERE message = 'message 4' RETURNING *) INSERT INTO settings (key, value) SELECT 'moved' || row_number() OVER (), message FROM gone",
        "SELECT 1",
    ),
    step(
        "normalise",
        "CREATE TABLE statuses (id serial PRIMARY KEY, name text UNIQUE); INSERT INTO statuses (name) SELECT DISTINCT status FROM orders ORDER BY 1; ALTER TABLE orders ADD COLUMN status_id int REFERENCES statuses; UPDATE orders o SET status_id = s.id FROM statuses s WHERE s.name = o.status; ALTER TABLE orders ALTER status_id SET NOT NULL; ALTER TABLE orders DROP COLUMN status",
        "ALTER TABLE orders ADD COLUMN status varchar(20) DEFAULT 'new'; UPDATE orders o SET status = s.name FROM statuses s WHERE s.id = o.status_id; ALTER TABLE orders ALTER status SET NOT NULL; ALTER TABLE orders DROP COLUMN status_id; DROP TABLE statuses",
    ),
    step(
        "rebuild by hand",
        "CREATE TABLE items_new (id int PRIMARY KEY, label text NOT NULL, extra int DEFAULT 1); INSERT INTO items_new SELECT id, label FROM ONLY items; DROP TABLE items CASCADE; ALTER TABLE items_new RENAME TO items",
        "SELECT 1",
    ),
    step(
        "new key",
        "ALTER TABLE settings ADD COLUMN id bigserial; ALTER TABLE settings DROP CONSTRAINT settings_pkey; ALTER TABLE settings ADD PRIMARY KEY (id)",
        "ALTER TABLE settings DROP CONSTRAINT settings_pkey; ALTER TABLE settings ADD PRIMARY KEY (key); ALTER TABLE settings DROP COLUMN id",
    ),
    step(
        "backfill and drop",
        "ALTER TABLE products ADD COLUMN cents int; UPDATE products SET cents = price * 100; ALTER TABLE products ALTER cents SET NOT NULL; ALTER TABLE products DROP COLUMN price",
        "ALTER TABLE products ADD COLUMN price numeric(10, 2); UPDATE products SET price = cents / 100.0; ALTER TABLE products ALTER price SET NOT NULL; ALTER TABLE products ADD CHECK (price >= 0); ALTER TABLE products DROP COLUMN cents",
    ),
    step(
        "extension",
        "CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA public; CREATE TABLE hashes (a text DEFAULT public.gen_salt('md5'))",
        "DROP TABLE hashes; DROP EXTENSION pgcrypto",
    ),
    step(
        "publication",
        "CREATE PUBLICATION feed FOR TABLE orders, products",
        "DROP PUBLICATION feed",
    ),
    step(
        "event of many",
        "ALTER TABLE orders ADD COLUMN a int, ADD COLUMN b int, DROP COLUMN note, ALTER status TYPE varchar(50), ADD CONSTRAINT ab CHECK (a IS NULL OR a < b)",
        "ALTER TABLE orders DROP COLUMN a, DROP COLUMN b, ADD COLUMN note text, ALTER status TYPE varchar(20)",
    ),
];
