-- Identifiers are 16-byte blobs, amounts minor units, times microseconds since
-- the Unix epoch. The CHECKs repeat the rules of the ledger, so that a fault in
-- the code is refused here and not found later. No foreign keys on the paths of
-- money: every row is written in the transaction that decided it, and verify
-- follows all references. No functions in the CHECKs of tables into which every
-- payment inserts, not even length: for them SQLite keeps a journal of each
-- statement.

CREATE TABLE batch (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_at ON batch (at);

CREATE TABLE book (
	book INTEGER NOT NULL PRIMARY KEY,
	merchant BLOB NOT NULL CHECK (length(merchant) = 16),
	sequence INTEGER NOT NULL CHECK (sequence >= 0),
	hash BLOB NOT NULL CHECK (length(hash) = 32),
	ledger_at INTEGER NOT NULL,
	events INTEGER NOT NULL CHECK (events >= 0),
	charges INTEGER NOT NULL CHECK (charges >= 0),
	refunds INTEGER NOT NULL CHECK (refunds >= 0),
	payouts INTEGER NOT NULL CHECK (payouts >= 0),
	transfers INTEGER NOT NULL CHECK (transfers >= 0),
	clock INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	book INTEGER NOT NULL,
	currency TEXT NOT NULL CHECK (length(currency) = 3),
	role TEXT NOT NULL CHECK (role IN ('available', 'reserved', 'pending', 'returns', 'sub', 'sub_reserved', 'clearing', 'fees', 'suspense', 'intermerchant')),
	parent BLOB CHECK (length(parent) = 16),
	name TEXT NOT NULL,
	balance INTEGER NOT NULL,
	negative INTEGER NOT NULL CHECK (negative IN (0, 1)),
	closed INTEGER NOT NULL CHECK (closed IN (0, 1)),
	created INTEGER NOT NULL,
	version INTEGER NOT NULL CHECK (version > 0),
	metadata TEXT NOT NULL CHECK (json_valid(metadata)),
	CHECK (negative = 1 OR balance >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_book ON account (book, id);

CREATE TABLE movement (
	book INTEGER NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('charge', 'refund', 'payout', 'transfer')),
	id BLOB NOT NULL,
	status TEXT NOT NULL CHECK (status IN ('pending', 'onhold', 'succeeded', 'failed', 'canceled', 'returned', 'refunded')),
	sent INTEGER NOT NULL CHECK (sent IN (0, 1)),
	in_doubt INTEGER NOT NULL CHECK (in_doubt IN (0, 1)),
	deleted INTEGER NOT NULL CHECK (deleted IN (0, 1)),
	amount INTEGER NOT NULL,
	amount_captured INTEGER NOT NULL,
	amount_refunded INTEGER NOT NULL,
	fee INTEGER NOT NULL CHECK (fee >= 0),
	reserved INTEGER NOT NULL CHECK (reserved >= 0),
	currency TEXT NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	version INTEGER NOT NULL CHECK (version > 0),
	customer BLOB,
	reference TEXT NOT NULL,
	parent BLOB,
	peer INTEGER NOT NULL,
	detail TEXT NOT NULL, -- JSON
	PRIMARY KEY (book, kind, id),
	CHECK (0 <= amount_refunded AND amount_refunded <= amount_captured AND amount_captured <= amount)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX movement_reference ON movement (book, kind, reference) WHERE reference <> '';
CREATE INDEX movement_status ON movement (book, kind, status, id) WHERE deleted = 0;
CREATE INDEX movement_currency ON movement (book, kind, currency, id) WHERE deleted = 0;
CREATE INDEX movement_customer ON movement (book, kind, customer, id) WHERE customer IS NOT NULL AND deleted = 0;
CREATE INDEX movement_parent ON movement (book, kind, parent, id) WHERE parent IS NOT NULL;
CREATE INDEX movement_peer ON movement (peer, kind, id) WHERE peer <> 0;

-- debits and credits are the sums of the transaction's entries, modulo 2^64.
CREATE TABLE ledger_transaction (
	book INTEGER NOT NULL,
	sequence INTEGER NOT NULL CHECK (sequence > 0),
	id BLOB NOT NULL,
	at INTEGER NOT NULL,
	cause TEXT NOT NULL,
	object BLOB,
	kind TEXT NOT NULL,
	currency TEXT NOT NULL,
	debits INTEGER NOT NULL,
	credits INTEGER NOT NULL,
	postings BLOB NOT NULL,
	hash BLOB NOT NULL,
	PRIMARY KEY (book, sequence),
	CHECK (debits = credits AND debits <> 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_transaction_object ON ledger_transaction (object, book, sequence) WHERE object IS NOT NULL;

CREATE TABLE entry (
	account BLOB NOT NULL,
	sequence INTEGER NOT NULL CHECK (sequence > 0),
	n INTEGER NOT NULL CHECK (n >= 0),
	amount INTEGER NOT NULL CHECK (amount <> 0),
	balance INTEGER NOT NULL,
	at INTEGER NOT NULL,
	PRIMARY KEY (account, sequence, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
	book INTEGER NOT NULL,
	sequence INTEGER NOT NULL CHECK (sequence > 0),
	id BLOB NOT NULL,
	type TEXT NOT NULL,
	object BLOB,
	at INTEGER NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (book, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_object ON event (object, book, sequence) WHERE object IS NOT NULL;

CREATE TABLE idempotency (
	place INTEGER NOT NULL PRIMARY KEY, -- the order in which keys came: rows are wide, so they go to the end
	book INTEGER NOT NULL,
	key TEXT NOT NULL,
	fingerprint BLOB NOT NULL,
	members TEXT NOT NULL,
	executing INTEGER NOT NULL CHECK (executing IN (0, 1)),
	owner BLOB NOT NULL,
	status INTEGER NOT NULL,
	body BLOB NOT NULL,
	event INTEGER NOT NULL, -- above 0: the body is the data of this event of the book
	location TEXT NOT NULL,
	kind TEXT NOT NULL,
	object BLOB,
	created INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX idempotency_key ON idempotency (book, key);

CREATE TABLE document (
	kind TEXT NOT NULL,
	id BLOB NOT NULL CHECK (length(id) = 16),
	book INTEGER NOT NULL,
	lookup TEXT NOT NULL,
	parent BLOB CHECK (length(parent) = 16),
	version INTEGER NOT NULL CHECK (version > 0),
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX document_lookup ON document (kind, lookup) WHERE lookup <> '';
CREATE INDEX document_book ON document (kind, book, id);
CREATE INDEX document_parent ON document (kind, parent, id) WHERE parent IS NOT NULL;

CREATE TABLE sandbox (
	instruction TEXT NOT NULL PRIMARY KEY,
	number INTEGER NOT NULL,
	book INTEGER NOT NULL,
	kind TEXT NOT NULL,
	object BLOB NOT NULL CHECK (length(object) = 16),
	submits INTEGER NOT NULL,
	lookups INTEGER NOT NULL,
	done INTEGER NOT NULL CHECK (done IN (0, 1)),
	verdict TEXT NOT NULL,
	code TEXT NOT NULL,
	ready INTEGER NOT NULL,
	absent INTEGER NOT NULL CHECK (absent IN (0, 1)),
	at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sandbox_book ON sandbox (book, number);

CREATE TABLE job (
	object BLOB NOT NULL,
	kind TEXT NOT NULL,
	book INTEGER NOT NULL,
	movement_kind TEXT NOT NULL,
	due INTEGER NOT NULL,
	PRIMARY KEY (object, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_due ON job (due);
