-- A sub-account's reserved side is the id after its own. Stores from before the
-- first release, where it was another, are refused here: by the wrong one of two
-- accounts money could be spent twice.
CREATE TABLE reserved_side (
	account BLOB NOT NULL,
	CONSTRAINT "this store was made before the first release and cannot be read" CHECK (account IS NULL)
) STRICT;
INSERT INTO reserved_side SELECT id FROM account WHERE role = 'sub' AND substr(hex(id), 32) IN ('1', '3', '5', '7', '9', 'B', 'D', 'F') OR role = 'sub_reserved' AND substr(hex(id), 13, 1) = '8' LIMIT 1;
DROP TABLE reserved_side;
