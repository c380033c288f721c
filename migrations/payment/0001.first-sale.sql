-- Payments, their audit trail, Stripe's events, and the calls to Stripe that are to be made.
-- depends:

CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL UNIQUE,
    order_version integer NOT NULL,
    user_id uuid NOT NULL,
    method text NOT NULL CHECK (method IN ('CARD', 'APPLE_PAY', 'GOOGLE_PAY')),
    amount numeric NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'REFUNDED')),
    authorisation text NOT NULL CHECK (authorisation IN ('none', 'refused', 'authorized',
        'capturing', 'captured', 'capture_failed', 'voiding', 'voided')),
    captured_amount numeric NOT NULL DEFAULT 0 CHECK (captured_amount BETWEEN 0 AND amount),
    refunded_amount numeric NOT NULL DEFAULT 0
        CHECK (refunded_amount BETWEEN 0 AND captured_amount),
    stripe_payment_intent_id text UNIQUE,
    client_secret text,                  -- sealed to the edge
    failure text,
    version integer NOT NULL,
    operation_id uuid,                   -- of the order's placing, so that its steps are seen
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE payment_records (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    event_type text NOT NULL,            -- attempted|authorized|captured|succeeded|failed|voided|...
    payload jsonb NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX payment_records_of_payment ON payment_records (payment_id);

CREATE TABLE payment_webhooks (
    id uuid PRIMARY KEY,
    stripe_event_id text NOT NULL UNIQUE,
    event_type text NOT NULL,
    body jsonb NOT NULL,
    payment_id uuid REFERENCES payments (id),
    received_at timestamptz NOT NULL,
    processed_at timestamptz
);

CREATE TABLE gateway_calls (
    id uuid PRIMARY KEY,                 -- made in order: calls for one payment run by it
    payment_id uuid NOT NULL REFERENCES payments (id),
    kind text NOT NULL CHECK (kind IN ('create', 'capture', 'close', 'cancel', 'refund')),
    idempotency_key text NOT NULL UNIQUE,
    state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'running', 'done', 'refused')),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    claim integer,                       -- the process that is making it
    outcome jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE INDEX gateway_calls_open ON gateway_calls (payment_id, id) WHERE state IN ('due', 'running');
CREATE INDEX gateway_calls_next ON gateway_calls (next_at) WHERE state IN ('due', 'running');

CREATE TABLE refunds (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    amount numeric NOT NULL CHECK (amount > 0),
    status text NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED')),
    stripe_refund_id text UNIQUE,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
