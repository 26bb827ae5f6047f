-- For an IN of more than two values SQLite makes a table of them, and in a CHECK
-- it makes it for each row. Comparisons say the same. What is allowed does not
-- change, so the rows stay as they are.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(sql,
	'CHECK (kind IN (''charge'', ''refund'', ''payout'', ''transfer''))',
	'CHECK (kind = ''payout'' OR kind = ''transfer'' OR kind = ''charge'' OR kind = ''refund'')'),
	'CHECK (status IN (''pending'', ''onhold'', ''succeeded'', ''failed'', ''canceled'', ''returned'', ''refunded''))',
	'CHECK (status = ''pending'' OR status = ''succeeded'' OR status = ''failed'' OR status = ''onhold'' OR status = ''canceled'' OR status = ''returned'' OR status = ''refunded'')')
	WHERE type = 'table' AND name = 'movement';
UPDATE sqlite_schema SET sql = replace(sql,
	'CHECK (state IN (''pending'', ''succeeded'', ''failed''))',
	'CHECK (state = ''pending'' OR state = ''succeeded'' OR state = ''failed'')')
	WHERE type = 'table' AND name = 'delivery';
PRAGMA writable_schema = RESET;
