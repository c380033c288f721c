-- Who may sign in, their refresh tokens, and the keys that access tokens are signed with.
-- depends:

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,          -- normalised: no blanks around it, lower case
    password_hash text NOT NULL,         -- argon2id, in its own encoded form
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE sessions (                  -- one row per refresh token
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    family uuid NOT NULL,                -- every token that descends from one sign-in
    refresh_token_hash bytea NOT NULL UNIQUE CHECK (octet_length(refresh_token_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,                 -- exchanged for a new one: seeing it again is theft
    revoked_at timestamptz,
    CHECK (expires_at > created_at)
);
CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_of_family ON sessions (family);

CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    private_jwk jsonb NOT NULL,          -- never leaves this database and its own process
    public_jwk jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    not_before timestamptz NOT NULL,
    retires_at timestamptz,              -- NULL: no end is set
    revision integer NOT NULL UNIQUE,    -- of the announcement that told it first
    CHECK (NOT public_jwk ? 'd')
);
