-- Refunds; the trail in an order of its own; payments that Stripe is asked about.
-- depends: 0002.calls-in-order

ALTER TABLE gateway_calls
    ADD COLUMN refund_id uuid REFERENCES refunds (id),
    DROP CONSTRAINT gateway_calls_kind_check,
    ADD CONSTRAINT gateway_calls_kind_check CHECK
        (kind IN ('create', 'capture', 'close', 'cancel', 'refund', 'retrieve'));
CREATE INDEX gateway_calls_asked ON gateway_calls (ended_at)
    WHERE kind = 'retrieve' AND state IN ('done', 'refused');
CREATE INDEX gateway_calls_of_payment ON gateway_calls (payment_id);

ALTER TABLE payment_records ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;

ALTER TABLE refunds
    ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN item_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN keep_stock boolean NOT NULL DEFAULT false,
    ADD COLUMN failure text,             -- Stripe's code
    ADD COLUMN operation_id uuid;        -- the operation that asked for it
CREATE INDEX refunds_of_payment ON refunds (payment_id, number);
CREATE INDEX refunds_pending ON refunds (payment_id) WHERE status = 'PENDING';

ALTER TABLE payments ADD COLUMN asked_at timestamptz; -- when Stripe was last asked about it
CREATE INDEX payments_unsettled ON payments (coalesce(asked_at, created_at))
    WHERE authorisation IN ('none', 'authorized', 'capturing', 'voiding');

CREATE INDEX payment_webhooks_unknown ON payment_webhooks (received_at) WHERE processed_at IS NULL;
