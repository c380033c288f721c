-- Orders of seats, refunds, and events that are called off.
-- depends: 0001.first-sale

ALTER TABLE orders
    ADD COLUMN refunded_amount numeric NOT NULL DEFAULT 0 CHECK (refunded_amount >= 0),
    ADD COLUMN cancel_detail text,
    ADD COLUMN seats_taken uuid[] NOT NULL DEFAULT '{}';
CREATE INDEX orders_of_ticket ON orders (ticket_id, id);

DROP INDEX orders_due;
CREATE INDEX orders_due ON orders (expires_at)
    WHERE status IN ('PENDING', 'AWAITING_PAYMENT') OR step = 'retaking';

ALTER TABLE order_items
    ADD COLUMN section_id uuid,
    ADD COLUMN refunded boolean NOT NULL DEFAULT false,
    ADD COLUMN kept boolean NOT NULL DEFAULT false,      -- refunded, but it stays sold
    ADD CHECK (refunded OR NOT kept);

CREATE TABLE order_refunds (                 -- what was asked for; the money is payment's to count
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    amount numeric NOT NULL CHECK (amount > 0),
    item_ids uuid[] NOT NULL,
    keep_stock boolean NOT NULL,
    winds_down boolean NOT NULL,             -- asked for because the event was called off
    status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED')),
    created_at timestamptz NOT NULL
);
CREATE INDEX order_refunds_of_order ON order_refunds (order_id);

ALTER TABLE cancelled_tickets
    ADD COLUMN operation_id uuid,            -- the latest one that called the event off
    ADD COLUMN revision integer NOT NULL DEFAULT 0,      -- of what was told of the progress
    ADD COLUMN told integer NOT NULL DEFAULT -1;         -- how many were done when it was told
