-- Orders and their saga.
-- depends:

CREATE TABLE orders (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    organizer_id uuid,
    reservation_id uuid NOT NULL UNIQUE,
    status text NOT NULL
        CHECK (status IN ('PENDING', 'AWAITING_PAYMENT', 'CONFIRMED', 'CANCELLED', 'EXPIRED')),
    step text NOT NULL
        CHECK (step IN ('holding', 'payable', 'retaking', 'capturing', 'settled', 'voided')),
    cancel_reason text,
    seated boolean,
    method text NOT NULL CHECK (method IN ('CARD', 'APPLE_PAY', 'GOOGLE_PAY')),
    total_amount numeric CHECK (total_amount >= 0),
    currency text,
    version integer NOT NULL CHECK (version > 0),
    awaited_version integer,             -- the hold whose reply is awaited
    arms integer NOT NULL DEFAULT 0,     -- how often a timer was armed
    armed_at timestamptz,
    expires_at timestamptz,
    operation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((status IN ('CANCELLED', 'EXPIRED')) = (cancel_reason IS NOT NULL)),
    CHECK (status IN ('PENDING', 'CANCELLED', 'EXPIRED') OR total_amount IS NOT NULL)
);
CREATE INDEX orders_due ON orders (expires_at) WHERE status IN ('PENDING', 'AWAITING_PAYMENT');

CREATE TABLE order_items (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    ticket_id text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price numeric CHECK (unit_price >= 0),
    seat_ids text,
    seat_label text
);
CREATE INDEX order_items_of_order ON order_items (order_id);

CREATE TABLE cancelled_tickets (             -- a copy: new orders for these are refused at once
    ticket_id uuid PRIMARY KEY,
    cancelled_at timestamptz NOT NULL
);
