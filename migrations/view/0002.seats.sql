-- Venues, seating plans and the maps of their seats.
-- depends: 0001.first-sale

ALTER TABLE orders
    ADD COLUMN refunded_amount numeric NOT NULL DEFAULT 0,
    ADD COLUMN cancel_detail text,
    ADD COLUMN seats_taken uuid[] NOT NULL DEFAULT '{}';
ALTER TABLE payments ADD COLUMN refunds jsonb NOT NULL DEFAULT '[]';

CREATE TABLE venues (
    venue_id uuid PRIMARY KEY,
    organizer_id uuid NOT NULL,
    name text NOT NULL,
    capacity integer NOT NULL,
    timezone text NOT NULL,
    address text NOT NULL,
    sections jsonb NOT NULL,
    revision integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX venues_of_organizer ON venues (organizer_id, created_at DESC, venue_id DESC);

CREATE TABLE organizer_settings (
    organizer_id uuid PRIMARY KEY,
    hold_ttl_sec integer NOT NULL,
    revision integer NOT NULL
);

CREATE TABLE plans (
    plan_id uuid PRIMARY KEY,
    venue_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    organizer_id uuid NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    assignment_mode text NOT NULL,
    pricing_mode text NOT NULL,
    max_seats_per_order integer NOT NULL,
    currency text NOT NULL,
    price_tiers jsonb NOT NULL,
    focal_point jsonb,
    prevent_orphans boolean NOT NULL,
    layout_json jsonb,
    sellable integer NOT NULL,
    version integer NOT NULL,
    revision integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX plans_of_ticket ON plans (ticket_id);

CREATE TABLE plan_layouts (
    plan_id uuid PRIMARY KEY,
    sections jsonb NOT NULL,
    version integer NOT NULL
);

CREATE TABLE seats (
    seat_id uuid PRIMARY KEY,
    plan_id uuid NOT NULL,
    section_id uuid,                     -- NULL: in no layout, or not in one that was heard of yet
    index integer,                       -- from 0, in the order of the layout's section
    status text NOT NULL,                -- A, H, R, S or B
    revision integer NOT NULL            -- the seat's own; 0: nothing was ever said of it
) WITH (fillfactor = 70);
CREATE INDEX seats_of_plan ON seats (plan_id);

CREATE TABLE areas (                     -- general admission inside a plan
    section_id uuid PRIMARY KEY,
    plan_id uuid NOT NULL,
    capacity integer,                    -- the layout's; NULL: in none
    reserved integer NOT NULL,
    sold integer NOT NULL,
    revision integer NOT NULL
);
CREATE INDEX areas_of_plan ON areas (plan_id);

CREATE TABLE seat_maps (                 -- one row for each plan: whoever changes its map locks it
    plan_id uuid PRIMARY KEY,
    revision bigint NOT NULL
);

CREATE TABLE seat_map_changes (
    plan_id uuid NOT NULL,
    revision bigint NOT NULL,            -- the map's, raised by one in each transaction
    changes jsonb,                       -- [[section, index, letter], ...]; NULL: too many to tell
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_id, revision)
);
CREATE INDEX seat_map_changes_age ON seat_map_changes USING brin (at);

CREATE TABLE seat_reservations (         -- whose seats the maps show as reserved
    order_id uuid PRIMARY KEY,
    order_version integer NOT NULL,
    plan_id uuid NOT NULL
);

GRANT SELECT ON venues, organizer_settings, plans, plan_layouts, seats, areas, seat_maps,
    seat_map_changes TO edge;
