-- Using a balance: the amount, the account, and what is on it.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.charge_balance(1, 1000);
END
$$;

SELECT user_id, entry_no, type, amount, balance_after, order_id, created_at = now() AS created_now
FROM commerce.use_balance(1, 300);
SELECT * FROM commerce.get_balance(1);

-- The refusals, one by one, then several at once: the first in order is told.
SELECT c.why, r.code, r.detail
FROM (VALUES
	('no amount',				$$SELECT commerce.use_balance(1, 0)$$),
	('negative',				$$SELECT commerce.use_balance(1, -1)$$),
	('most negative',			$$SELECT commerce.use_balance(1, -9223372036854775808)$$),
	('no account',				$$SELECT commerce.use_balance(2, 1)$$),
	('no user',					$$SELECT commerce.use_balance(3, 1)$$),
	('one too much',			$$SELECT commerce.use_balance(1, 701)$$),
	('far too much',			$$SELECT commerce.use_balance(1, 9223372036854775807)$$),
	('no amount, no account',	$$SELECT commerce.use_balance(2, 0)$$)
) c (why, statement), pg_temp.refusal(c.statement) r;

-- More than one charge may add is no matter here.
BEGIN;
SET LOCAL commerce.max_charge_amount = 1;
SELECT amount, balance_after FROM commerce.use_balance(1, 100);
ROLLBACK;

-- Down to nothing; then the account is still there.
SELECT entry_no, amount, balance_after FROM commerce.use_balance(1, 700);
SELECT * FROM commerce.get_balance(1);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.use_balance(1, 1)$$);
SELECT entry_no, type, balance_after FROM commerce.charge_balance(1, 5);
SELECT entry_no, type, amount, balance_after FROM commerce.balance_history ORDER BY entry_no;
SELECT user_id, balance, entry_count, updated_at > '2020-01-01' AS updated FROM commerce.balances;

-- updated_at moves with each entry.
BEGIN;
SELECT balance_after FROM commerce.use_balance(1, 1);
SELECT updated_at = now() AS updated_now FROM commerce.balances WHERE user_id = 1;
COMMIT;

SELECT * FROM commerce.verify();
