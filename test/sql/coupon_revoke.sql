-- Revoking a coupon: its quota is not given back, and the user's limit still counts it.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_coupon_policy('one each', 'fixed', 1000, 3, policy_id => 1);
	PERFORM commerce.create_coupon_policy('past', 'fixed', 1000, 3,
		valid_until => '2020-01-01 00:00+00', policy_id => 2);
	PERFORM commerce.issue_coupon(1, 1);
	PERFORM commerce.issue_coupon(2, 1);
	PERFORM commerce.issue_coupon(2, 2);
	PERFORM commerce.use_coupon(2, 2, 5000);
END
$$;

SELECT coupon_id, policy_id, user_id, status, used_at, order_id, discount_amount
FROM commerce.revoke_coupon(1);
SELECT * FROM commerce.coupon_quota WHERE policy_id = 1;
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 1)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 1, 5000)$$);

-- Not there, used, or revoked before.
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.revoke_coupon(9)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.revoke_coupon(2)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.revoke_coupon(1)$$);

-- An expired one can be revoked.
SELECT coupon_id, status FROM commerce.revoke_coupon(3);
SELECT coupon_id, status, state FROM commerce.coupon_wallet ORDER BY coupon_id;
SELECT * FROM commerce.verify();
