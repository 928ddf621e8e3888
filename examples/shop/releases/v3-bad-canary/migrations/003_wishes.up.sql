-- Customers may keep a list of wishes.
CREATE TABLE wishes (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    product_id INTEGER NOT NULL REFERENCES products (id)
);
CREATE INDEX wishes_by_customer ON wishes (customer_id);
