-- What failed and was made good later is told of: the sum alone does not change by it.
-- depends: 0004.events-called-off

ALTER TABLE cancelled_tickets ADD COLUMN told_failed integer NOT NULL DEFAULT 0;
