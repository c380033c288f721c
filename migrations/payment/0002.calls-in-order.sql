-- Calls for one payment are made in the order in which they were asked for, whichever process, on
-- whichever machine's clock, asked: the payment's row is locked then, so this store's numbers tell.
-- depends: 0001.first-sale

ALTER TABLE gateway_calls ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
DROP INDEX gateway_calls_open;
CREATE INDEX gateway_calls_open ON gateway_calls (payment_id, number)
    WHERE state IN ('due', 'running');
