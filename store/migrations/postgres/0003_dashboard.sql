-- Roll-ups: how many movements stand in each status, and with how much money,
-- per hour of their creation; hour 0 counts all hours. Written in the
-- transaction that decided the change.
CREATE TABLE rollup (
	book     bigint NOT NULL,
	kind     text NOT NULL,
	currency text NOT NULL,
	hour     bigint NOT NULL CHECK (hour >= 0),
	status   text NOT NULL,
	reason   text NOT NULL,
	n        bigint NOT NULL, -- no CHECK: what is added may be negative
	amount   bigint NOT NULL,
	captured bigint NOT NULL,
	refunded bigint NOT NULL,
	fee      bigint NOT NULL,
	PRIMARY KEY (book, kind, currency, hour, status, reason)
) WITH (fillfactor = 70);

-- The few cells of all hours, beside the many of each.
CREATE INDEX rollup_ever ON rollup (book, kind) WHERE hour = 0;

-- What search finds a movement or customer by; see giro.Terms. Prefixes are
-- compared byte by byte.
CREATE TABLE term (
	book bigint NOT NULL,
	term text COLLATE "C" NOT NULL,
	id   uuid NOT NULL,
	kind text NOT NULL,
	PRIMARY KEY (book, term, id)
);

-- How far the movements' terms have been written, by the book's events.
CREATE TABLE term_cursor (
	book     bigint PRIMARY KEY,
	sequence bigint NOT NULL
);

-- The request log. Rows are dropped by age and number; nothing refers to them.
CREATE TABLE request (
	book   bigint NOT NULL,
	id     uuid NOT NULL,
	at     bigint NOT NULL,
	status bigint NOT NULL,
	object uuid,
	data   bytea NOT NULL,
	PRIMARY KEY (book, id)
);
CREATE INDEX request_at ON request (at);
CREATE INDEX request_object ON request (object, book, id) WHERE object IS NOT NULL;
