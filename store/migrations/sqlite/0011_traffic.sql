-- How a book's requests, and the attempts at a webhook endpoint, were answered
-- and how quickly, per minute or hour of real time; see giro.Traffic. The took
-- columns count by giro.TookBounds.
CREATE TABLE traffic (
	subject BLOB NOT NULL CHECK (length(subject) = 16),
	step INTEGER NOT NULL CHECK (step > 0),
	at INTEGER NOT NULL,
	answer_none INTEGER NOT NULL,
	answer_2xx INTEGER NOT NULL,
	answer_3xx INTEGER NOT NULL,
	answer_4xx INTEGER NOT NULL,
	answer_5xx INTEGER NOT NULL,
	delivered_1 INTEGER NOT NULL,
	delivered_2 INTEGER NOT NULL,
	delivered_3 INTEGER NOT NULL,
	given_up INTEGER NOT NULL,
	took_0 INTEGER NOT NULL,
	took_1 INTEGER NOT NULL,
	took_2 INTEGER NOT NULL,
	took_3 INTEGER NOT NULL,
	took_4 INTEGER NOT NULL,
	took_5 INTEGER NOT NULL,
	took_6 INTEGER NOT NULL,
	took_7 INTEGER NOT NULL,
	took_8 INTEGER NOT NULL,
	took_9 INTEGER NOT NULL,
	took_10 INTEGER NOT NULL,
	took_11 INTEGER NOT NULL,
	took_12 INTEGER NOT NULL,
	took_13 INTEGER NOT NULL,
	took_14 INTEGER NOT NULL,
	took_15 INTEGER NOT NULL,
	took_16 INTEGER NOT NULL,
	took_17 INTEGER NOT NULL,
	took_18 INTEGER NOT NULL,
	took_19 INTEGER NOT NULL,
	PRIMARY KEY (subject, step, at)
) STRICT, WITHOUT ROWID;
-- For what removes the old ones.
CREATE INDEX traffic_at ON traffic (step, at);
