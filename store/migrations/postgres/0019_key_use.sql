-- When an API key was last used, and from where: written once a second with the
-- request log, never by the request itself.
CREATE TABLE key_use (
	key uuid NOT NULL PRIMARY KEY,
	at bigint NOT NULL,
	address text NOT NULL
);
