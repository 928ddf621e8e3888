-- A shop with data in every table: the ground on which each step stands.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN email AS text CHECK (VALUE ~ '@');
CREATE TYPE address AS (street text, zip varchar(10));
CREATE SCHEMA audit;
CREATE SCHEMA archive;
CREATE SEQUENCE ticket_no START 100;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.updated_at := '2024-04-04 00:00:00Z'; RETURN NEW; END$$;
CREATE FUNCTION price_with_tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 1.2';
CREATE TABLE customers (
    id bigserial PRIMARY KEY, name text NOT NULL, mail email UNIQUE, feeling mood NOT NULL DEFAULT 'ok',
    home address, tags text[] DEFAULT '{}', prefs jsonb NOT NULL DEFAULT '{}', vip boolean DEFAULT false,
    born date, updated_at timestamptz DEFAULT '2020-01-01 00:00:00Z');
CREATE TABLE products (
    sku varchar(20) PRIMARY KEY, title varchar(200) NOT NULL, price numeric(10, 2) NOT NULL CHECK (price >= 0),
    weight double precision, meta json, photo bytea, grade char(1), seen timestamp);
CREATE TABLE orders (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers ON DELETE CASCADE,
    status varchar(20) NOT NULL DEFAULT 'new', note text, placed timestamptz NOT NULL DEFAULT '2021-05-05 10:00:00Z',
    amount numeric(12, 2), doubled numeric GENERATED ALWAYS AS (amount * 2) STORED);
CREATE TABLE order_lines (
    order_id int NOT NULL REFERENCES orders, line int NOT NULL, sku varchar(20) REFERENCES products ON UPDATE CASCADE,
    qty int NOT NULL DEFAULT 1 CONSTRAINT enough CHECK (qty > 0), PRIMARY KEY (order_id, line));
CREATE TABLE logs (at timestamptz, level text, message text);
CREATE TABLE nodes (id int PRIMARY KEY, parent int REFERENCES nodes, label text);
CREATE TABLE settings (key text PRIMARY KEY, value text, "Weird Name" int);
CREATE TABLE events (id bigint NOT NULL, day date NOT NULL, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_2023 PARTITION OF events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE items (id int PRIMARY KEY, label text);
CREATE TABLE special_items (extra text) INHERITS (items);
CREATE INDEX orders_by_status ON orders (status) WHERE note IS NOT NULL;
CREATE INDEX customers_by_name ON customers (lower(name));
CREATE INDEX events_by_what ON events (what);
CREATE VIEW customer_totals AS SELECT c.id, c.name, sum(o.amount) AS total FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id;
CREATE VIEW good_customers AS SELECT * FROM customer_totals WHERE total > 10;
CREATE MATERIALIZED VIEW sales AS SELECT sku, sum(qty) AS sold FROM order_lines GROUP BY sku;
CREATE UNIQUE INDEX sales_by_sku ON sales (sku);
CREATE TRIGGER customers_touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON settings FOR SELECT TO ann USING (key <> 'secret');
COMMENT ON TABLE orders IS 'what was ordered';
COMMENT ON COLUMN orders.note IS 'from the customer';
GRANT SELECT, INSERT ON orders TO ann;
GRANT SELECT (name, mail) ON customers TO bob;
INSERT INTO customers (name, mail, feeling, home, tags, prefs, vip, born)
    SELECT 'customer ' || n, 'c' || n || '@example.org', (ARRAY['sad', 'ok', 'happy'])[n % 3 + 1]::mood,
           CASE WHEN n % 2 = 0 THEN ROW('street ' || n, '1' || n)::address END, ARRAY['t' || n, 'ü,"'], jsonb_build_object('n', n),
           n % 4 = 0, CASE WHEN n % 5 > 0 THEN date '1980-01-01' + n * 100 END FROM generate_series(1, 20) AS n;
INSERT INTO products SELECT 'sku-' || n, 'product ' || n, n * 1.25, n / 3.0, '{"a":  1, "a": 2}', decode(md5(n::text), 'hex'), chr(65 + n % 3), timestamp '2022-02-02' + n * interval '1 day'
    FROM generate_series(1, 12) AS n;
INSERT INTO orders (customer_id, status, note, amount) SELECT n % 20 + 1, (ARRAY['new', 'paid', 'sent'])[n % 3 + 1], CASE WHEN n % 2 = 0 THEN 'note ' || n END, n * 3.5
    FROM generate_series(1, 30) AS n;
INSERT INTO order_lines SELECT n, 1, 'sku-' || (n % 12 + 1), n FROM generate_series(1, 30) AS n;
INSERT INTO logs SELECT '2023-03-03 03:03:03Z', 'info', 'message ' || (n % 5) FROM generate_series(1, 15) AS n;
INSERT INTO nodes VALUES (1, NULL, 'root'), (2, 1, 'left'), (3, 1, 'right'), (4, 2, 'leaf');
INSERT INTO settings VALUES ('theme', 'dark', 1), ('secret', 'x', 2), ('empty', NULL, NULL);
INSERT INTO events SELECT n, date '2023-06-01' + n * 30, 'event ' || n FROM generate_series(1, 15) AS n;
INSERT INTO items VALUES (1, 'plain'); INSERT INTO special_items VALUES (2, 'special', 'more');
REFRESH MATERIALIZED VIEW sales;
