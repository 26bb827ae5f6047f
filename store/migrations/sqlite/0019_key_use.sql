-- When an API key was last used, and from where: written once a second with the
-- request log, never by the request itself.
CREATE TABLE key_use (
	key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
	at INTEGER NOT NULL,
	address TEXT NOT NULL
) STRICT, WITHOUT ROWID;
