-- Notes are replaced by gifts, prices include VAT from now on, addresses are in lower case, and
-- the first year of the audit log is no longer needed.
ALTER TABLE orders ADD COLUMN gift BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders DROP COLUMN note;
DELETE FROM audit_log WHERE id <= 100;
UPDATE products SET price_cents = price_cents * 119 / 100;
UPDATE customers SET email = lower(email);
