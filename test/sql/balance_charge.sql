-- Charging a balance: the first charge opens the account, every charge is an entry.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
END
$$;

-- No account before the first charge.
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.get_balance(1)$$);
SELECT user_id, entry_no, type, amount, balance_after, order_id, created_at = now() AS created_now
FROM commerce.charge_balance(1, 1000);
SELECT user_id, entry_no, type, amount, balance_after, order_id FROM commerce.charge_balance(1, 1);
SELECT * FROM commerce.get_balance(1);
SELECT user_id, balance, entry_count FROM commerce.balances ORDER BY user_id;

-- Amounts: from 1 to commerce.max_charge_amount, found wrong before the user is looked up.
SELECT c.amount, c.user_id, r.code, r.detail
FROM (VALUES
	(1, 1, 0), (2, 1, -1), (3, 1, -9223372036854775808), (4, 1, 1000000000001),
	(5, 1, 9223372036854775807), (6, 3, 0), (7, 3, 1000000000001), (8, 3, 1)
) c (nth, user_id, amount),
	pg_temp.refusal(format('SELECT commerce.charge_balance(%s, %s)', c.user_id, c.amount)) r
ORDER BY c.nth;
SELECT amount, balance_after FROM commerce.charge_balance(2, 1000000000000);

-- A refusal opens no account and leaves no gap in the numbers.
SELECT user_id, entry_no, balance_after FROM commerce.charge_balance(1, 5);
SELECT user_id, balance, entry_count FROM commerce.balances ORDER BY user_id;

-- Several in one transaction go on from each other, and an undone one leaves no gap.
BEGIN;
SELECT entry_no, balance_after FROM commerce.charge_balance(1, 10);
SAVEPOINT before_the_second;
SELECT entry_no, balance_after FROM commerce.charge_balance(1, 20);
ROLLBACK TO before_the_second;
SELECT entry_no, balance_after FROM commerce.charge_balance(1, 30);
COMMIT;
SELECT entry_no, type, amount, balance_after FROM commerce.balance_history
WHERE user_id = 1 ORDER BY entry_no;

-- Many calls in one statement see each other's effects.
SELECT i, h.entry_no, h.balance_after
FROM generate_series(1, 3) i, commerce.charge_balance(1, i) h ORDER BY i;

-- Up to 2^63-1 and no further.
SET commerce.max_charge_amount = '9223372036854775807 ';
SELECT amount, balance_after FROM commerce.charge_balance(2, 9223371036854775806);
SELECT amount, balance_after FROM commerce.charge_balance(2, 1);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.charge_balance(2, 1)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.charge_balance(2, 9223372036854775807)$$);
SELECT * FROM commerce.get_balance(2);
RESET commerce.max_charge_amount;

SELECT * FROM commerce.verify();
