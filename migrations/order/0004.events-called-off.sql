-- Events that are called off: what is told of the progress, and to whom.
-- depends: 0003.newest-refunds

ALTER TABLE cancelled_tickets
    DROP COLUMN operation_id,
    ADD COLUMN operation_ids uuid[] NOT NULL DEFAULT '{}';   -- those that wait for its end
ALTER TABLE orders ADD COLUMN released_version integer NOT NULL DEFAULT 0;
