-- Indexes of a DBA's own on the columns of ours, tried before ours as ours were
-- rebuilt since: partial, hashed, descending, not unique. None is mistaken for it.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Two users whose ids have one hash.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 4294967296);
	PERFORM commerce.charge_balance(4294967296, 777);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 300, 10, per_user_limit => 2, policy_id => 1);
END
$$;
SELECT hashint8(1) = hashint8(4294967296) AS alike;
CREATE INDEX ON commerce.balances USING hash (user_id);
CREATE INDEX ON commerce.balances USING brin (user_id);
CREATE INDEX ON commerce.balances (user_id) WHERE balance > 1000000000;
CREATE INDEX ON commerce.idempotency_keys (user_id, function_name, idempotency_key);
CREATE UNIQUE INDEX ON commerce.coupons (user_id, policy_id, issue_no DESC);
REINDEX INDEX CONCURRENTLY commerce.balances_pkey;
REINDEX INDEX CONCURRENTLY commerce.idempotency_keys_pkey;
REINDEX INDEX CONCURRENTLY commerce.coupons_user_id_policy_id_issue_no_key;

SELECT code FROM pg_temp.refusal('SELECT commerce.get_balance(1)');
SELECT code FROM pg_temp.refusal('SELECT commerce.use_balance(1, 700)');
SELECT commerce.get_balance(4294967296);
SELECT entry_no, balance_after FROM commerce.charge_balance(4294967296, 5, 'k');
SELECT entry_no, balance_after FROM commerce.charge_balance(4294967296, 5, 'k');
SELECT issue_no FROM commerce.issue_coupon(1, 1);
SELECT issue_no FROM commerce.issue_coupon(1, 1);
SELECT code FROM pg_temp.refusal('SELECT commerce.issue_coupon(1, 1)');
SELECT * FROM commerce.verify();

-- Without any that will do, a clear error.
ALTER TABLE commerce.balances DROP CONSTRAINT balances_pkey;
SELECT code, message FROM pg_temp.refusal('SELECT commerce.get_balance(1)');
