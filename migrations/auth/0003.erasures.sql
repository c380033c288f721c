-- Accounts that were deleted, and finding what was said of an address.
-- depends: 0002.sessions

CREATE TABLE erasures (
    user_id uuid PRIMARY KEY,
    email text,                          -- until the outbox holds nothing of it
    operation_id uuid,
    deleted_at timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK ((email IS NULL) = (finished_at IS NOT NULL))
);
CREATE INDEX erasures_unfinished ON erasures (deleted_at) WHERE finished_at IS NULL;

CREATE INDEX outbox_of_address ON outbox (lower(btrim(payload -> 'data' ->> 'email')))
    WHERE payload -> 'data' ? 'email';
