-- Times are microseconds since the Unix epoch, amounts minor units. A missing
-- id is NULL. No foreign keys on the paths of money: every row is written in
-- the transaction that decided it, and verify follows all references. The
-- CHECKs of the tables that every payment writes are the ledger's rules and no
-- more: PostgreSQL reads the text of each in every statement.

-- One row per committed batch, by which a lost COMMIT is decided. A void row
-- takes the id of a batch whose answer was lost, so that it can never commit.
CREATE TABLE batch (
	id   uuid PRIMARY KEY,
	at   bigint NOT NULL,
	void boolean NOT NULL DEFAULT false
);
CREATE INDEX batch_at ON batch (at);

-- The row that every change to a book goes through.
CREATE TABLE book (
	book      bigint PRIMARY KEY,
	merchant  uuid,
	sequence  bigint NOT NULL,
	hash      bytea NOT NULL,
	ledger_at bigint NOT NULL,
	events    bigint NOT NULL,
	charges   bigint NOT NULL,
	refunds   bigint NOT NULL,
	payouts   bigint NOT NULL,
	transfers bigint NOT NULL,
	clock     bigint NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE account (
	id       uuid PRIMARY KEY,
	book     bigint NOT NULL,
	currency text NOT NULL,
	role     text NOT NULL,
	parent   uuid,
	name     text NOT NULL,
	balance  bigint NOT NULL,
	negative boolean NOT NULL,
	closed   boolean NOT NULL,
	created  bigint NOT NULL,
	version  bigint NOT NULL,
	metadata text NOT NULL, -- JSON object of strings
	CHECK (negative OR balance >= 0)
) WITH (fillfactor = 70); -- balances change in place
CREATE INDEX account_book ON account (book, id);

CREATE TABLE movement (
	book      bigint NOT NULL,
	kind      text NOT NULL CHECK (kind IN ('charge', 'refund', 'payout', 'transfer')),
	id        uuid NOT NULL,
	status    text NOT NULL CHECK (status IN ('pending', 'onhold', 'succeeded', 'failed', 'canceled', 'returned', 'refunded')),
	sent      boolean NOT NULL,
	in_doubt  boolean NOT NULL,
	deleted   boolean NOT NULL,
	amount    bigint NOT NULL,
	amount_captured bigint NOT NULL,
	amount_refunded bigint NOT NULL,
	fee       bigint NOT NULL CHECK (fee >= 0),
	reserved  bigint NOT NULL CHECK (reserved >= 0),
	currency  text NOT NULL,
	created   bigint NOT NULL,
	updated   bigint NOT NULL,
	version   bigint NOT NULL,
	customer  uuid,
	reference text NOT NULL, -- empty: none
	parent    uuid,
	peer      bigint NOT NULL, -- 0: none
	detail    text NOT NULL, -- JSON
	PRIMARY KEY (book, kind, id),
	CHECK (0 <= amount_refunded AND amount_refunded <= amount_captured AND amount_captured <= amount)
);
CREATE UNIQUE INDEX movement_reference ON movement (book, kind, reference) WHERE reference <> '';
CREATE INDEX movement_status ON movement (book, kind, status, id) WHERE NOT deleted;
CREATE INDEX movement_currency ON movement (book, kind, currency, id) WHERE NOT deleted;
CREATE INDEX movement_customer ON movement (book, kind, customer, id) WHERE customer IS NOT NULL AND NOT deleted;
CREATE INDEX movement_parent ON movement (book, kind, parent, id) WHERE parent IS NOT NULL;
CREATE INDEX movement_peer ON movement (peer, kind, id) WHERE peer <> 0;

-- A link of a book's chain. debits and credits are the sums of its entries,
-- modulo 2^64.
CREATE TABLE ledger_transaction (
	book     bigint NOT NULL,
	sequence bigint NOT NULL,
	id       uuid NOT NULL,
	at       bigint NOT NULL,
	cause    text NOT NULL,
	object   uuid,
	kind     text NOT NULL, -- of the movement; empty: none
	currency text NOT NULL,
	postings bytea NOT NULL,
	debits   bigint NOT NULL,
	credits  bigint NOT NULL,
	hash     bytea NOT NULL,
	PRIMARY KEY (book, sequence),
	CHECK (debits = credits AND debits <> 0)
);
CREATE INDEX ledger_transaction_object ON ledger_transaction (object, book, sequence) WHERE object IS NOT NULL;

CREATE TABLE entry (
	account  uuid NOT NULL,
	sequence bigint NOT NULL,
	n        bigint NOT NULL,
	amount   bigint NOT NULL CHECK (amount <> 0), -- above zero: credit
	balance  bigint NOT NULL,
	at       bigint NOT NULL,
	PRIMARY KEY (account, sequence, n)
);

CREATE TABLE event (
	book     bigint NOT NULL,
	sequence bigint NOT NULL,
	id       uuid NOT NULL,
	type     text NOT NULL,
	object   uuid,
	at       bigint NOT NULL,
	data     bytea NOT NULL, -- JSON
	PRIMARY KEY (book, sequence)
);
CREATE INDEX event_object ON event (object, book, sequence) WHERE object IS NOT NULL;

CREATE TABLE idempotency (
	book        bigint NOT NULL,
	key         text NOT NULL,
	fingerprint bytea NOT NULL,
	members     text NOT NULL,
	executing   boolean NOT NULL,
	owner       uuid,
	status      bigint NOT NULL,
	body        bytea NOT NULL,
	event       bigint NOT NULL, -- above 0: the body is the data of this event of the book
	location    text NOT NULL,
	kind        text NOT NULL,
	object      uuid,
	created     bigint NOT NULL,
	PRIMARY KEY (book, key)
);
CREATE INDEX idempotency_created ON idempotency (created);

CREATE TABLE document (
	kind    text NOT NULL,
	id      uuid NOT NULL,
	book    bigint NOT NULL,
	lookup  text NOT NULL, -- empty: none
	parent  uuid,
	version bigint NOT NULL CHECK (version > 0),
	created bigint NOT NULL,
	updated bigint NOT NULL,
	data    bytea NOT NULL, -- JSON
	PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX document_lookup ON document (kind, lookup) WHERE lookup <> '';
CREATE INDEX document_book ON document (kind, book, id);
CREATE INDEX document_parent ON document (kind, parent, id) WHERE parent IS NOT NULL;

CREATE TABLE sandbox (
	instruction text PRIMARY KEY,
	number      bigint NOT NULL,
	book        bigint NOT NULL,
	kind        text NOT NULL,
	object      uuid,
	submits     bigint NOT NULL,
	lookups     bigint NOT NULL,
	done        boolean NOT NULL,
	verdict     text NOT NULL,
	code        text NOT NULL,
	ready       bigint NOT NULL,
	absent      boolean NOT NULL,
	at          bigint NOT NULL
);
CREATE INDEX sandbox_book ON sandbox (book, number);

CREATE TABLE job (
	object        uuid NOT NULL,
	kind          text NOT NULL,
	book          bigint NOT NULL,
	movement_kind text NOT NULL,
	due           bigint NOT NULL,
	leased        bigint NOT NULL, -- until then it is its owner's; 0: nobody's
	owner         uuid,
	PRIMARY KEY (object, kind)
);
-- When a job can be had: due, and no longer leased.
CREATE INDEX job_ready ON job (greatest(due, leased));
CREATE INDEX job_book ON job (book, due);
