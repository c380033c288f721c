-- What is told of refunds may come in any order: the payment's newest version counts.
-- depends: 0002.seats-and-refunds

ALTER TABLE orders ADD COLUMN payment_version integer NOT NULL DEFAULT 0;
