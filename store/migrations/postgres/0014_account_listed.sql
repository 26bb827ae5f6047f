-- The accounts that are listed: without the reserved sides of sub-accounts.
CREATE INDEX account_listed ON account (book, id) WHERE role IN ('available', 'sub');
