-- How many of a book's events were removed because they were old: always its
-- first ones, so that a missing one is told from one that was swept.
ALTER TABLE book ADD COLUMN swept bigint NOT NULL DEFAULT 0 CHECK (swept >= 0);
