-- Commands that were sent again are forgotten once the broker has them.
-- depends: 0002.accounts

CREATE INDEX outbox_personal ON outbox (id) WHERE event_type ~ '^(auth|users)\.';
