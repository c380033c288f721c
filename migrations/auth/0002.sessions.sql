-- Old sessions go in small steps.
-- depends: 0001.first-sale

CREATE INDEX sessions_expiring ON sessions (expires_at);
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
