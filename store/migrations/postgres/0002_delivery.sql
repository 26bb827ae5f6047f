-- Where the sending to each webhook endpoint stands, and what became of each
-- event that was sent. Due times are those of the book's own clock.

ALTER TABLE event ADD COLUMN notice bytea NOT NULL DEFAULT ''; -- JSON, or empty
CREATE INDEX event_notice ON event (book, sequence) WHERE notice <> '';

CREATE TABLE dispatch (
	endpoint uuid PRIMARY KEY,
	book     bigint NOT NULL,
	enabled  boolean NOT NULL,
	cursor   bigint NOT NULL CHECK (cursor >= 0),
	failing  bigint NOT NULL,
	leased   bigint NOT NULL, -- until then it is its owner's; 0: nobody's
	owner    uuid,
	turn     bigint NOT NULL  -- when it was last claimed
);

CREATE TABLE delivery (
	endpoint uuid NOT NULL,
	sequence bigint NOT NULL CHECK (sequence > 0),
	book     bigint NOT NULL,
	event    uuid NOT NULL,
	type     text NOT NULL,
	state    text NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
	attempts bigint NOT NULL CHECK (attempts >= 0),
	failed   bigint NOT NULL CHECK (failed >= 0),
	due      bigint NOT NULL CHECK ((due > 0) = (state = 'pending')), -- 0: not due any more
	at       bigint NOT NULL,
	detail   text NOT NULL, -- JSON
	PRIMARY KEY (endpoint, sequence)
);
CREATE INDEX delivery_due ON delivery (endpoint, due) WHERE due > 0;
