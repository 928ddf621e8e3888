-- The shop: products, customers, their orders, and who did what.
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    price_cents INTEGER NOT NULL,
    stock INTEGER NOT NULL
);

CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL
);

CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    note TEXT,
    client_key TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE INDEX orders_by_customer ON orders (customer_id);

CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL,
    message TEXT NOT NULL
);

INSERT INTO products (id, name, price_cents, stock)
WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 20)
SELECT n, 'Product ' || n, 250 + n * 149, 1000 + n FROM counter;

INSERT INTO customers (id, name, email)
WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 25)
SELECT n, 'Customer ' || n, 'Customer.' || n || '@Example.COM' FROM counter;

INSERT INTO orders (id, customer_id, product_id, quantity, note, client_key)
WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 100)
SELECT
    n,
    1 + n % 25,
    1 + n % 20,
    1 + n % 5,
    CASE WHEN n % 4 > 0 THEN 'leave order ' || n || ' with the neighbour' END,
    'seed-' || n
FROM counter;

INSERT INTO audit_log (id, order_id, message)
WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 200)
SELECT n, 1 + (n - 1) / 2, CASE WHEN n % 2 = 1 THEN 'placed' ELSE 'packed' END FROM counter;
