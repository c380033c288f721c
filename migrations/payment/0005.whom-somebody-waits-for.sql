-- Calls that somebody waits for are claimed first, and the others a few at a time; see the gateway.
-- depends: 0004.erasures

ALTER TABLE gateway_calls ADD COLUMN urgent boolean NOT NULL DEFAULT true;
DROP INDEX gateway_calls_next;
CREATE INDEX gateway_calls_next ON gateway_calls (urgent, next_at)
    WHERE state IN ('due', 'running');
