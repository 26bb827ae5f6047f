-- Signs of life of the processes that share the database, by the database's own
-- clock. One without any for a while has lost its leases.
CREATE TABLE process (
	id   uuid PRIMARY KEY,
	seen timestamptz NOT NULL
);
