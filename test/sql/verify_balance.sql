-- verify() on balances: each way a balance can be wrong is reported by its name.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- A sound shop: two users, one order with a coupon (1), one without (2), one
-- coupon used alone (2), one still held (3).
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 20, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 20, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 300, 10, per_user_limit => 3, policy_id => 1);
	PERFORM commerce.charge_balance(1, 10000);
	PERFORM commerce.charge_balance(2, 10000);
	PERFORM commerce.use_balance(2, 100);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 3);
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 2}]', 1);
	PERFORM commerce.place_order(2, '[{"option_id": 1, "quantity": 1}]');
	PERFORM commerce.use_coupon(1, 2, 5000);
END
$$;
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
