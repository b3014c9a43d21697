-- coupon_wallet and coupon_quota: what a user holds, and what a policy has left.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 3000, 10, 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.create_coupon_policy('15 % off', 'percent', 15, 9,
		max_discount_amount => 5000, min_order_amount => 200, per_user_limit => 9,
		policy_id => 1);
	PERFORM commerce.create_coupon_policy('past', 'fixed', 1000, 2,
		valid_until => '2020-01-01 00:00+00', policy_id => 2);
	PERFORM commerce.create_coupon_policy('unused', 'fixed', 1000, 0, policy_id => 3);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 4);
	PERFORM commerce.issue_coupon(1, 2);
	PERFORM commerce.use_coupon(1, 2, 1000);
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]', 3);
	PERFORM commerce.revoke_coupon(4);
END
$$;

-- The coupon, then its policy's terms, then its state; expired is derived, never stored.
SELECT coupon_id, policy_id, user_id, status, used_at IS NOT NULL AS has_used_at, order_id,
	discount_amount, state
FROM commerce.coupon_wallet ORDER BY coupon_id;
SELECT coupon_id, name, discount_type, discount_value, max_discount_amount, min_order_amount
FROM commerce.coupon_wallet ORDER BY coupon_id;

-- What is used or revoked stays so after its expiry.
BEGIN;
UPDATE commerce.coupons SET expires_at = now();
SELECT coupon_id, status, state FROM commerce.coupon_wallet ORDER BY coupon_id;
ROLLBACK;

SELECT * FROM commerce.coupon_quota ORDER BY policy_id;

-- A user holding nothing.
SELECT count(*) FROM commerce.coupon_wallet WHERE user_id = 2;

-- Both views show the state now, within a transaction too.
BEGIN;
SELECT coupon_id FROM commerce.issue_coupon(1, 1);
SELECT * FROM commerce.coupon_quota WHERE policy_id = 1;
SELECT count(*) FROM commerce.coupon_wallet WHERE user_id = 1;
ROLLBACK;
SELECT * FROM commerce.coupon_quota WHERE policy_id = 1;
SELECT * FROM commerce.verify();
