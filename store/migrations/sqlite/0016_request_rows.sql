-- The rows of the request log are wide. In a table that is its own index what is
-- beyond a kilobyte of a row takes a page for itself: nearly every row took two.
CREATE TABLE request_row (
	place INTEGER NOT NULL PRIMARY KEY,
	book INTEGER NOT NULL,
	id BLOB NOT NULL CHECK (length(id) = 16),
	at INTEGER NOT NULL,
	status INTEGER NOT NULL,
	object BLOB CHECK (length(object) = 16),
	data BLOB NOT NULL,
	UNIQUE (book, id)
) STRICT;
INSERT INTO request_row (book, id, at, status, object, data) SELECT book, id, at, status, object, data FROM request ORDER BY at;
DROP TABLE request;
ALTER TABLE request_row RENAME TO request;
CREATE INDEX request_at ON request (at);
CREATE INDEX request_object ON request (object, book, id) WHERE object IS NOT NULL;
