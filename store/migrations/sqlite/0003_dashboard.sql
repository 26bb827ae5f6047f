-- Roll-ups: how many movements stand in each status, and with how much money,
-- per hour of their creation; hour 0 counts all hours. Written in the
-- transaction that decided the change.
CREATE TABLE rollup (
	book INTEGER NOT NULL,
	kind TEXT NOT NULL,
	currency TEXT NOT NULL,
	hour INTEGER NOT NULL CHECK (hour >= 0),
	status TEXT NOT NULL,
	reason TEXT NOT NULL,
	n INTEGER NOT NULL, -- no CHECK: what is added may be negative
	amount INTEGER NOT NULL,
	captured INTEGER NOT NULL,
	refunded INTEGER NOT NULL,
	fee INTEGER NOT NULL,
	PRIMARY KEY (book, kind, currency, hour, status, reason)
) STRICT, WITHOUT ROWID;

-- The few cells of all hours, beside the many of each.
CREATE INDEX rollup_ever ON rollup (book, kind) WHERE hour = 0;

-- What search finds a movement or customer by; see giro.Terms.
CREATE TABLE term (
	book INTEGER NOT NULL,
	term TEXT NOT NULL,
	id BLOB NOT NULL CHECK (length(id) = 16),
	kind TEXT NOT NULL,
	PRIMARY KEY (book, term, id)
) STRICT, WITHOUT ROWID;

-- How far the movements' terms have been written, by the book's events.
CREATE TABLE term_cursor (
	book INTEGER NOT NULL PRIMARY KEY,
	sequence INTEGER NOT NULL
) STRICT;

-- The request log. Rows are dropped by age and number; nothing refers to them.
CREATE TABLE request (
	book INTEGER NOT NULL,
	id BLOB NOT NULL CHECK (length(id) = 16),
	at INTEGER NOT NULL,
	status INTEGER NOT NULL,
	object BLOB CHECK (length(object) = 16),
	data BLOB NOT NULL,
	PRIMARY KEY (book, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_at ON request (at);
CREATE INDEX request_object ON request (object, book, id) WHERE object IS NOT NULL;
