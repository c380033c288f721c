-- What comes back of orders, and how far those of a cancelled event have ended.
-- depends: 0004.seat-maps

ALTER TABLE orders ADD COLUMN released_version integer NOT NULL DEFAULT 0;

CREATE TABLE ticket_endings (
    ticket_id uuid PRIMARY KEY,
    total integer NOT NULL,
    ended integer NOT NULL,
    failed integer NOT NULL,
    revision integer NOT NULL
);
GRANT SELECT ON ticket_endings TO edge;
