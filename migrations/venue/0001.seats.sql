-- Venues and their templates, seating plans, seats with their holds, and the ledger of reservations.
-- depends:

CREATE TABLE venues (
    id uuid PRIMARY KEY,
    organizer_id uuid NOT NULL,
    name text NOT NULL,
    capacity integer NOT NULL CHECK (capacity > 0),
    timezone text NOT NULL,              -- an IANA name
    address text NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE venue_sections (
    id uuid PRIMARY KEY,
    venue_id uuid NOT NULL REFERENCES venues (id),
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('seated', 'ga')),
    row_count integer NOT NULL CHECK (row_count >= 0),
    column_count integer NOT NULL CHECK (column_count >= 0),
    position_json jsonb,
    display_order integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX venue_sections_of_venue ON venue_sections (venue_id);

CREATE TABLE organizer_settings (
    organizer_id uuid PRIMARY KEY,
    hold_ttl_sec integer NOT NULL DEFAULT 600 CHECK (hold_ttl_sec BETWEEN 5 AND 3600),
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE tickets (                   -- a copy: what plans and reservations need to know
    id uuid PRIMARY KEY,
    organizer_id uuid NOT NULL,
    ticket_type text NOT NULL CHECK (ticket_type IN ('GA', 'SEATED_MANUAL', 'SEATED_AUTO')),
    price numeric NOT NULL CHECK (price >= 0),
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'on_sale', 'closed', 'cancelled')),
    revision integer NOT NULL            -- the ticket's; 0 before anything was heard of it
);

CREATE TABLE seating_plans (
    id uuid PRIMARY KEY,
    venue_id uuid NOT NULL REFERENCES venues (id),
    ticket_id uuid NOT NULL,
    organizer_id uuid NOT NULL,
    name text NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'active', 'inactive')),
    max_seats_per_order integer NOT NULL DEFAULT 10 CHECK (max_seats_per_order > 0),
    assignment_mode text NOT NULL CHECK (assignment_mode IN ('manual', 'auto')),
    pricing_mode text NOT NULL CHECK (pricing_mode IN ('single', 'section', 'seat')),
    layout_json jsonb,
    focal_point jsonb,                   -- NULL: front centre
    prevent_orphans boolean NOT NULL DEFAULT false,
    sellable integer NOT NULL CHECK (sellable >= 0),
    version integer NOT NULL DEFAULT 1,
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX seating_plans_of_ticket ON seating_plans (ticket_id);
CREATE UNIQUE INDEX seating_plans_active ON seating_plans (ticket_id) WHERE status = 'active';

CREATE TABLE price_tiers (
    id uuid PRIMARY KEY,
    plan_id uuid NOT NULL REFERENCES seating_plans (id),
    name text NOT NULL,
    price numeric NOT NULL CHECK (price >= 0),
    display_order integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    UNIQUE (plan_id, name) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE sections (
    id uuid PRIMARY KEY,
    plan_id uuid NOT NULL REFERENCES seating_plans (id),
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('seated', 'ga')),
    row_count integer NOT NULL DEFAULT 0 CHECK (row_count >= 0),
    column_count integer NOT NULL DEFAULT 0 CHECK (column_count >= 0),
    price_tier_id uuid REFERENCES price_tiers (id),
    position_json jsonb,
    display_order integer NOT NULL,
    capacity integer,                    -- of general admission, with its counters
    reserved integer NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold integer NOT NULL DEFAULT 0 CHECK (sold >= 0),
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((type = 'ga') = (capacity IS NOT NULL)),
    CHECK (reserved + sold <= coalesce(capacity, 0))
);
CREATE INDEX sections_of_plan ON sections (plan_id);

CREATE SEQUENCE holds;                   -- generations: a later hold has a higher one

CREATE TABLE seats (
    id uuid PRIMARY KEY,
    section_id uuid NOT NULL REFERENCES sections (id),
    plan_id uuid NOT NULL REFERENCES seating_plans (id),
    price_tier_id uuid REFERENCES price_tiers (id),
    seat_label text NOT NULL,
    row_label text NOT NULL,
    row_number integer NOT NULL CHECK (row_number > 0),
    column_number integer NOT NULL CHECK (column_number > 0),
    number integer NOT NULL,             -- its place in the plan's order, from 0
    status text NOT NULL DEFAULT 'AVAILABLE'
        CHECK (status IN ('AVAILABLE', 'HELD', 'RESERVED', 'SOLD', 'BLOCKED')),
    held_by uuid,
    held_until timestamptz,
    hold_started_at timestamptz,         -- of the first hold in a row: what extensions count from
    hold_generation bigint,              -- an old timer cannot free a renewed hold
    armed_at timestamptz,                -- when a timer was last asked for
    attributes jsonb,
    version integer NOT NULL DEFAULT 1,
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (section_id, row_number, column_number),
    CHECK ((status = 'HELD') = (held_by IS NOT NULL)),
    CHECK ((status = 'HELD') = (held_until IS NOT NULL)),
    CHECK ((status = 'HELD') = (hold_started_at IS NOT NULL)),
    CHECK ((status = 'HELD') = (hold_generation IS NOT NULL))
) WITH (fillfactor = 80);                -- a seat changes its status in place
CREATE INDEX seats_of_plan ON seats (plan_id, number);
CREATE INDEX seats_held ON seats (plan_id, held_by) WHERE status = 'HELD';
CREATE INDEX seats_due ON seats (held_until) WHERE status = 'HELD';

CREATE TABLE seat_reservations (
    id uuid PRIMARY KEY,                 -- the order's reservation_id
    plan_id uuid REFERENCES seating_plans (id),  -- NULL in a tombstone
    ticket_id uuid NOT NULL,
    order_id uuid NOT NULL UNIQUE,
    order_version integer NOT NULL,      -- the highest that was applied
    user_id uuid NOT NULL,
    section_id uuid,                     -- the one that was asked for, if one was
    quantity integer NOT NULL CHECK (quantity >= 0),
    status text NOT NULL CHECK (status IN ('RESERVED', 'RELEASED', 'SOLD', 'EXPIRED')),
    expires_at timestamptz,              -- a copy for people; only the order expires it
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (plan_id IS NOT NULL OR (status = 'RELEASED' AND quantity = 0))
);
CREATE INDEX seat_reservations_of_plan ON seat_reservations (plan_id);

CREATE TABLE seat_reservation_items (    -- one for each seat, or for a general-admission section
    reservation_id uuid NOT NULL REFERENCES seat_reservations (id),
    position integer NOT NULL,
    seat_id uuid REFERENCES seats (id) ON DELETE SET NULL,
    section_id uuid REFERENCES sections (id) ON DELETE SET NULL,
    price numeric NOT NULL CHECK (price >= 0),   -- of one, when it was reserved
    seat_label text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    released integer NOT NULL DEFAULT 0 CHECK (released BETWEEN 0 AND quantity),
    live boolean NOT NULL DEFAULT true,
    seated boolean NOT NULL,             -- also when an edit has taken its seat away since
    PRIMARY KEY (reservation_id, position)
);
CREATE UNIQUE INDEX seat_reservation_items_live ON seat_reservation_items (seat_id) WHERE live;
CREATE INDEX seat_reservation_items_of_seat ON seat_reservation_items (seat_id);
CREATE INDEX seat_reservation_items_of_section ON seat_reservation_items (section_id);
