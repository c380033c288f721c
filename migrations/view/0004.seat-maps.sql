-- What a change of a seat replaces, so that what is left of a plan is counted as it changes.
-- depends: 0003.notifications

ALTER TABLE seats
    ADD COLUMN version integer,          -- of the newest layout that it is or was in
    ADD COLUMN previous text;            -- the status before the last change
ALTER TABLE areas ADD COLUMN previous integer;  -- what was left before the last change
ALTER TABLE seat_maps ADD COLUMN available integer NOT NULL DEFAULT 0;
