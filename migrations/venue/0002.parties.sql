-- How many seats were granted together: an order of exactly these keeps a promise.
-- depends: 0001.seats

ALTER TABLE seats ADD COLUMN hold_party integer;  -- NULL: not held, or since before this
