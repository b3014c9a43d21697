-- A key for use_coupon: nothing is used twice.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_coupon_policy('300 off', 'fixed', 300, 10, per_user_limit => 5, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 3);
END
$$;

SELECT coupon_id, status, discount_amount FROM commerce.use_coupon(1, 1, 1000, 'k');
SELECT coupon_id, status, discount_amount FROM commerce.use_coupon(1, 1, 1000, 'k');
SELECT code FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 1, 1000)$$);

-- Another coupon or another amount is another use.
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 2, 1000, 'k')$$);
SELECT code FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 1, 1001, 'k')$$);
SELECT code FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 1, 0, 'k')$$);
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 1, 1000, '')$$);

-- A refused call stores nothing; another user's key is another.
SELECT code FROM pg_temp.refusal($$SELECT commerce.use_coupon(2, 2, 1000, 'k2')$$);
SELECT coupon_id, status FROM commerce.use_coupon(1, 2, 1000, 'k2');
SELECT function_name, idempotency_key, object_id FROM commerce.idempotency_keys ORDER BY 2;
SELECT * FROM commerce.verify();
SELECT check_name, object_id FROM pg_temp.violations($$UPDATE commerce.idempotency_keys SET object_id = 99 WHERE idempotency_key = 'k'$$);
