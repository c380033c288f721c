-- What the edge reads. Operations are primary; everything else can be rebuilt from the owners.
-- depends:

CREATE TABLE operations (
    id uuid PRIMARY KEY,
    user_id uuid,                        -- NULL: made without a token, readable by its id alone
    type text NOT NULL,                  -- the command's
    route text NOT NULL,                 -- method and path, the scope of an idempotency key
    idempotency_key text,
    request_hash bytea,
    command jsonb NOT NULL,              -- the whole CloudEvent: this row is the edge's outbox
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'succeeded', 'failed')),
    submitted_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    result jsonb,
    secret jsonb,                        -- sealed to the edge, given once
    error jsonb,
    republished integer NOT NULL DEFAULT 0,
    CHECK ((status = 'pending') = (finished_at IS NULL)),
    CHECK ((idempotency_key IS NULL) = (request_hash IS NULL))
);
CREATE UNIQUE INDEX operations_key ON operations (user_id, route, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX operations_pending ON operations (submitted_at) WHERE status = 'pending';
CREATE INDEX operations_pending_about ON operations ((command ->> 'subject')) WHERE status = 'pending';

CREATE TABLE operation_steps (
    operation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (operation_id, message_id)
);

CREATE TABLE tickets (
    ticket_id uuid PRIMARY KEY,
    organizer_id uuid NOT NULL,
    title text NOT NULL,
    price numeric NOT NULL,
    currency text NOT NULL,
    quota integer NOT NULL,
    reserved integer NOT NULL,
    sold integer NOT NULL,
    max_per_user integer NOT NULL,
    ticket_type text NOT NULL,
    status text NOT NULL,
    seating_plan_id uuid,
    event jsonb NOT NULL,
    starts_at timestamptz NOT NULL,
    version integer NOT NULL,
    revision integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX tickets_soonest ON tickets (starts_at, ticket_id) WHERE status = 'on_sale';

CREATE TABLE orders (
    order_id uuid PRIMARY KEY,
    order_version integer NOT NULL,
    user_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    organizer_id uuid,
    reservation_id uuid NOT NULL,
    status text NOT NULL,
    step text NOT NULL,
    cancel_reason text,
    seated boolean,
    method text NOT NULL,
    items jsonb NOT NULL,
    total_amount numeric,
    currency text,
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    operation_id uuid NOT NULL
);
CREATE INDEX orders_of_user ON orders (user_id, created_at DESC, order_id DESC);
CREATE INDEX orders_of_ticket ON orders (ticket_id, created_at DESC, order_id DESC);
CREATE INDEX orders_of_operation ON orders (operation_id);

CREATE TABLE order_timeline (
    order_id uuid NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (order_id, message_id)
);

CREATE TABLE order_releases (                -- which owner has given an order's stock back
    order_id uuid NOT NULL,
    service text NOT NULL,
    order_version integer NOT NULL,
    PRIMARY KEY (order_id, service)
);

CREATE TABLE payments (
    payment_id uuid PRIMARY KEY,
    payment_version integer NOT NULL,
    order_id uuid NOT NULL UNIQUE,
    order_version integer NOT NULL,
    user_id uuid NOT NULL,
    method text NOT NULL,
    amount numeric NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    authorisation text NOT NULL,
    captured_amount numeric NOT NULL,
    refunded_amount numeric NOT NULL,
    client_secret text,                  -- sealed to the edge
    failure text,
    updated_at timestamptz NOT NULL
);

CREATE TABLE signing_keys (
    issuer text PRIMARY KEY,
    revision integer NOT NULL,
    keys jsonb NOT NULL
);

CREATE FUNCTION take_secret(operation uuid) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH held AS (
        SELECT id, secret, finished_at FROM operations WHERE id = operation FOR UPDATE
    ), taken AS (
        UPDATE operations o SET secret = NULL FROM held WHERE o.id = held.id AND held.secret IS NOT NULL
    )
    SELECT secret FROM held WHERE finished_at > now() - interval '1 minute'
$$;
REVOKE ALL ON FUNCTION take_secret(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_secret(uuid) TO edge;

GRANT USAGE ON SCHEMA public TO edge;
GRANT SELECT (id, user_id, type, route, idempotency_key, request_hash, command, status, submitted_at, finished_at,
    result, error, republished), INSERT ON operations TO edge;
GRANT SELECT ON operation_steps, tickets, orders, order_timeline, payments, signing_keys TO edge;
