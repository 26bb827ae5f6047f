-- A test clock may stand still: it never shows less than its floor.
ALTER TABLE book ADD COLUMN clock_floor bigint NOT NULL DEFAULT 0;
