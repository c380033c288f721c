-- Who people are, what they want to be written to about, and whom to write on an invoice.
-- depends:

CREATE TABLE user_profiles (
    user_id text PRIMARY KEY,
    display_name text,
    locale text NOT NULL,                -- BCP 47
    timezone text NOT NULL,              -- IANA
    revision integer NOT NULL CHECK (revision > 0),  -- of all that is known of the user
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE user_preferences (
    user_id text PRIMARY KEY REFERENCES user_profiles ON DELETE CASCADE,
    marketing_opt_in boolean NOT NULL,
    order_updates boolean NOT NULL,
    product_updates boolean NOT NULL
);

CREATE TABLE billing_addresses (
    user_id text PRIMARY KEY REFERENCES user_profiles ON DELETE CASCADE,
    line1 text NOT NULL,
    line2 text,
    city text NOT NULL,
    postal_code text NOT NULL,
    country text NOT NULL CHECK (country ~ '^[A-Z]{2}$')
);

CREATE TABLE erasures (                  -- accounts that were deleted: nothing of them comes back
    user_id text PRIMARY KEY,
    operation_id uuid,
    deleted_at timestamptz NOT NULL,
    finished_at timestamptz              -- NULL: something said of the user is still in the outbox
);
CREATE INDEX erasures_unfinished ON erasures (deleted_at) WHERE finished_at IS NULL;

CREATE INDEX outbox_of_aggregate ON outbox (aggregate_id);
