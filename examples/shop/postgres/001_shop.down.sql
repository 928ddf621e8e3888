DROP TABLE audit_log;
DROP TABLE orders;
DROP TABLE customers;
DROP TABLE products;
