-- verify() on balances: each way a balance can be wrong is reported by its name.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/sound_shop.psql'
\set ECHO none
\i :helpers

SELECT * FROM commerce.verify();

-- Kim: +10000, -2700 (order 1). Lee: +10000, -100, -1000 (order 2).
SELECT c.damage, v.*
FROM (VALUES
	(1, 'UPDATE commerce.balances SET balance = balance + 1 WHERE user_id = 1'),
	(2, 'UPDATE commerce.balances SET entry_count = 3 WHERE user_id = 1'),
	(3, 'UPDATE commerce.balance_history SET amount = 10001 WHERE user_id = 1 AND entry_no = 1'),
	(4, 'UPDATE commerce.balance_history SET balance_after = 9901 WHERE user_id = 2 AND entry_no = 2'),
	(5, 'UPDATE commerce.balance_history SET entry_no = 4 WHERE user_id = 2 AND entry_no = 3'),
	(6, 'UPDATE commerce.balance_history SET entry_no = 0 WHERE user_id = 1 AND entry_no = 1'),
	(7, 'DELETE FROM commerce.balance_history WHERE user_id = 2 AND entry_no = 2'),
	(8, $$UPDATE commerce.balance_history SET type = 'charge' WHERE user_id = 2 AND entry_no = 2$$),
	(9, $$UPDATE commerce.balance_history SET type = 'use' WHERE user_id = 1 AND entry_no = 1$$),
	(10, $$INSERT INTO commerce.balance_history VALUES (2, 4, 'charge', 0, 8900)$$),
	(11, 'DELETE FROM commerce.balances WHERE user_id = 2'),
	(12, 'DELETE FROM commerce.users WHERE user_id = 2'),
	(13, 'UPDATE commerce.balance_history SET order_id = 99 WHERE user_id = 2 AND entry_no = 2')
) c (nth, damage), pg_temp.violations(c.damage) v
ORDER BY c.nth, v.check_name, v.object_id;

-- No balance below nothing: the table itself refuses it, and verify() looks again.
SELECT code FROM pg_temp.refusal('UPDATE commerce.balances SET balance = -1');
SELECT v.* FROM pg_temp.violations($$
	ALTER TABLE commerce.balances DROP CONSTRAINT balances_balance_check;
	UPDATE commerce.balances SET balance = -1 WHERE user_id = 1$$) v;

-- All of it was undone.
SELECT * FROM commerce.verify();
