-- What people see of themselves; and no command of an operation that has ended keeps what is
-- personal in it.
-- depends: 0001.first-sale

CREATE TABLE accounts (
    user_id uuid PRIMARY KEY,
    email text NOT NULL,
    revision integer NOT NULL
);

CREATE TABLE people (
    user_id uuid PRIMARY KEY,
    revision integer NOT NULL,
    profile jsonb NOT NULL,
    preferences jsonb NOT NULL,
    billing_address jsonb
);

CREATE TABLE erased_users (              -- accounts that were deleted: nothing of them comes back
    user_id uuid PRIMARY KEY
);

UPDATE operations SET command = command - '{data,subject}'::text[]
WHERE status <> 'pending' AND type ~ '^(auth|users)\.';

CREATE INDEX operations_secrets ON operations (finished_at) WHERE secret IS NOT NULL;

GRANT SELECT ON accounts, people TO edge;
