-- A test book may be wiped: since when that is being done, and when it was done
-- last. A live book never is.
ALTER TABLE book ADD COLUMN wiping INTEGER NOT NULL DEFAULT 0 CHECK (wiping = 0 OR book > 1 AND book % 2 = 0);
ALTER TABLE book ADD COLUMN wiped INTEGER NOT NULL DEFAULT 0;
CREATE INDEX book_wiping ON book (book) WHERE wiping <> 0;
