-- How a book's requests, and the attempts at a webhook endpoint, were answered
-- and how quickly, per minute or hour of real time; see giro.Traffic. The took
-- columns count by giro.TookBounds.
CREATE TABLE traffic (
	subject uuid NOT NULL,
	step bigint NOT NULL CHECK (step > 0),
	at bigint NOT NULL,
	answer_none bigint NOT NULL,
	answer_2xx bigint NOT NULL,
	answer_3xx bigint NOT NULL,
	answer_4xx bigint NOT NULL,
	answer_5xx bigint NOT NULL,
	delivered_1 bigint NOT NULL,
	delivered_2 bigint NOT NULL,
	delivered_3 bigint NOT NULL,
	given_up bigint NOT NULL,
	took_0 bigint NOT NULL,
	took_1 bigint NOT NULL,
	took_2 bigint NOT NULL,
	took_3 bigint NOT NULL,
	took_4 bigint NOT NULL,
	took_5 bigint NOT NULL,
	took_6 bigint NOT NULL,
	took_7 bigint NOT NULL,
	took_8 bigint NOT NULL,
	took_9 bigint NOT NULL,
	took_10 bigint NOT NULL,
	took_11 bigint NOT NULL,
	took_12 bigint NOT NULL,
	took_13 bigint NOT NULL,
	took_14 bigint NOT NULL,
	took_15 bigint NOT NULL,
	took_16 bigint NOT NULL,
	took_17 bigint NOT NULL,
	took_18 bigint NOT NULL,
	took_19 bigint NOT NULL,
	PRIMARY KEY (subject, step, at)
) WITH (fillfactor = 70);
-- For what removes the old ones.
CREATE INDEX traffic_at ON traffic (step, at);
