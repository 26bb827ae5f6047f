-- Where the sending to each webhook endpoint stands, and what became of each
-- event that was sent. Due times are those of the book's own clock.

ALTER TABLE event ADD COLUMN notice BLOB NOT NULL DEFAULT x''; -- JSON, or empty
CREATE INDEX event_notice ON event (book, sequence) WHERE notice <> x'';

CREATE TABLE dispatch (
	endpoint BLOB NOT NULL PRIMARY KEY CHECK (length(endpoint) = 16),
	book INTEGER NOT NULL,
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	cursor INTEGER NOT NULL CHECK (cursor >= 0),
	failing INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
	endpoint BLOB NOT NULL CHECK (length(endpoint) = 16),
	sequence INTEGER NOT NULL CHECK (sequence > 0),
	book INTEGER NOT NULL,
	event BLOB NOT NULL CHECK (length(event) = 16),
	type TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
	attempts INTEGER NOT NULL CHECK (attempts >= 0),
	failed INTEGER NOT NULL CHECK (failed >= 0),
	due INTEGER NOT NULL CHECK ((due > 0) = (state = 'pending')), -- 0: not due any more
	at INTEGER NOT NULL,
	detail TEXT NOT NULL, -- JSON
	PRIMARY KEY (endpoint, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (endpoint, due) WHERE due > 0;
