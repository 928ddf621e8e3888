DROP TABLE reviews;
ALTER TABLE orders DROP COLUMN channel;
