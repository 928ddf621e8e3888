//! Routines, privileges, names, and rows.

use super::{Step, step};

pub(super) const STEPS: &[Step] = &[
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
