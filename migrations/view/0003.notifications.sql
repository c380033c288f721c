-- What a signed-in user is told of, in an order that a client can go on from.
-- depends: 0002.seats

-- A number is taken from the user's row, which stays locked until the transaction that takes it
-- has committed: whoever has seen a number has seen every lower one. A sequence would not do; it
-- counts in the order of asking, not of committing.
CREATE TABLE notified (
    user_id uuid PRIMARY KEY,
    last bigint NOT NULL
) WITH (fillfactor = 70);                    -- Room to count up within the page, without the index.

CREATE TABLE notifications (
    user_id uuid NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('order', 'operation')),
    about uuid NOT NULL,                     -- The order or the operation; it is shown as it is when it is read.
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, number)
);
CREATE INDEX notifications_age ON notifications USING brin (at);

GRANT SELECT ON notified, notifications TO edge;
