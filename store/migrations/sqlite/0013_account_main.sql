-- The accounts that are not those of sub-accounts: balances are read without
-- walking over all of these.
CREATE INDEX account_main ON account (book, id) WHERE role NOT IN ('sub', 'sub_reserved');
