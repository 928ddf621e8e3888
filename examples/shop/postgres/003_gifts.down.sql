-- The column comes back, the notes do not; neither do old prices, addresses and audit entries.
ALTER TABLE orders ADD COLUMN note TEXT;
ALTER TABLE orders DROP COLUMN gift;
