-- purge_idempotency_keys: old keys are forgotten and act anew.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 10, 20, 1);
	PERFORM commerce.charge_balance(1, 100, 'old');
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'old');
	PERFORM commerce.use_balance(1, 5, 'young');
	PERFORM commerce.adjust_stock(1, 1, 'more', 'young');
END
$$;

-- The default is 7 days.
SELECT * FROM commerce.purge_idempotency_keys();
UPDATE commerce.idempotency_keys SET created_at = now() - interval '7 days 1 second'
WHERE idempotency_key = 'old';
UPDATE commerce.idempotency_keys SET created_at = now() - interval '6 days 23 hours'
WHERE idempotency_key = 'young';
SELECT * FROM commerce.purge_idempotency_keys('8 days');
SELECT * FROM commerce.purge_idempotency_keys();
SELECT function_name, idempotency_key FROM commerce.idempotency_keys ORDER BY function_name;

-- What is forgotten acts anew; what isn't doesn't. The objects themselves stay.
SELECT entry_no, amount, balance_after FROM commerce.charge_balance(1, 100, 'old');
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'old');
SELECT entry_no, balance_after FROM commerce.use_balance(1, 5, 'young');
SELECT count(*) FROM commerce.orders;

-- Down to the last.
SELECT * FROM commerce.purge_idempotency_keys('1 day');
SELECT * FROM commerce.purge_idempotency_keys('0');
SELECT * FROM commerce.purge_idempotency_keys('0');
SELECT count(*) FROM commerce.idempotency_keys;
SELECT entry_no, balance_after FROM commerce.use_balance(1, 5, 'young');
SELECT available FROM commerce.adjust_stock(1, 1, 'more', 'young');

-- Undone with its transaction.
BEGIN;
SELECT * FROM commerce.purge_idempotency_keys('0');
ROLLBACK;
SELECT count(*) FROM commerce.idempotency_keys;
SELECT * FROM commerce.verify();
