-- Stand-alone use of a coupon, and every reason why it cannot be used.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_coupon_policy('1000 off', 'fixed', 1000, 100,
		min_order_amount => 5000, per_user_limit => 100, policy_id => 1);
	PERFORM commerce.create_coupon_policy('past', 'fixed', 1000, 100,
		min_order_amount => 5000, per_user_limit => 100,
		valid_until => '2020-01-01 00:00+00', policy_id => 2);
	-- coupons 1 to 4 of Kim: good, used, revoked, expired
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 3);
	PERFORM commerce.issue_coupon(1, 2);
	PERFORM commerce.use_coupon(1, 2, 5000);
	PERFORM commerce.revoke_coupon(3);
END
$$;
SELECT coupon_id, policy_id, status, state FROM commerce.coupon_wallet ORDER BY coupon_id;

SELECT c.why, r.code, r.detail
FROM (VALUES
	('no amount',				$$SELECT commerce.use_coupon(1, 1, 0)$$),
	('negative amount',			$$SELECT commerce.use_coupon(1, 1, -1)$$),
	('no such coupon',			$$SELECT commerce.use_coupon(1, 9, 5000)$$),
	('another user''s',			$$SELECT commerce.use_coupon(2, 1, 5000)$$),
	('no such user',			$$SELECT commerce.use_coupon(9, 1, 5000)$$),
	('used',					$$SELECT commerce.use_coupon(1, 2, 5000)$$),
	('revoked',					$$SELECT commerce.use_coupon(1, 3, 5000)$$),
	('expired',					$$SELECT commerce.use_coupon(1, 4, 5000)$$),
	('below the minimum',		$$SELECT commerce.use_coupon(1, 1, 4999)$$)
) c (why, statement), pg_temp.refusal(c.statement) r;

-- Several at once: the first in order is told.
SELECT c.why, r.code
FROM (VALUES
	('no amount, no coupon',	$$SELECT commerce.use_coupon(1, 9, 0)$$),
	('another''s, used',		$$SELECT commerce.use_coupon(2, 2, 5000)$$),
	('used, below',				$$SELECT commerce.use_coupon(1, 2, 1)$$),
	('revoked, below',			$$SELECT commerce.use_coupon(1, 3, 1)$$),
	('expired, below',			$$SELECT commerce.use_coupon(1, 4, 1)$$)
) c (why, statement), pg_temp.refusal(c.statement) r;
BEGIN;
UPDATE commerce.coupons SET expires_at = '2020-01-01 00:00+00';
SELECT 'used, expired' AS why, code FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 2, 1)$$);
SELECT 'revoked, expired' AS why, code FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 3, 1)$$);
ROLLBACK;

-- At the minimum is enough. The whole row, and once only.
SELECT coupon_id, policy_id, user_id, status, used_at = now() AS used_now, order_id, discount_amount
FROM commerce.use_coupon(1, 1, 5000);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 1, 5000)$$);

-- The last moment of validity is out; the one before is in.
BEGIN;
SELECT policy_id FROM commerce.create_coupon_policy('ends now', 'fixed', 1, 1,
	valid_until => now(), policy_id => 3);
SELECT policy_id FROM commerce.create_coupon_policy('ends in a moment', 'fixed', 1, 1,
	valid_until => now() + interval '1 microsecond', policy_id => 4);
SELECT coupon_id FROM commerce.issue_coupon(1, 3);
SELECT coupon_id FROM commerce.issue_coupon(1, 4);
SELECT policy_id, state FROM commerce.coupon_wallet WHERE policy_id IN (3, 4) ORDER BY policy_id;
SELECT code FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 5, 1)$$);
SELECT coupon_id, status FROM commerce.use_coupon(1, 6, 1);
ROLLBACK;

-- Discounts: 5 % of 999 is 49.95, so 49; a cap, on percent only; never more than
-- the amount.
DO $$
BEGIN
	PERFORM commerce.create_coupon_policy('5 %', 'percent', 5, 100, per_user_limit => 100,
		policy_id => 5);
	PERFORM commerce.create_coupon_policy('30 % up to 1000', 'percent', 30, 100,
		max_discount_amount => 1000, per_user_limit => 100, policy_id => 6);
	PERFORM commerce.create_coupon_policy('all of it', 'percent', 100, 100,
		per_user_limit => 100, policy_id => 7);
	PERFORM commerce.create_coupon_policy('a fixed 700', 'fixed', 700, 100,
		per_user_limit => 100, policy_id => 8);
	PERFORM commerce.create_coupon_policy('fixed, cap without effect', 'fixed', 700, 100,
		max_discount_amount => 500, per_user_limit => 100, policy_id => 9);
END
$$;
SELECT p.name, c.amount, u.discount_amount
FROM (VALUES
	(1, 5, 999), (2, 5, 1000), (3, 5, 19), (4, 5, 20), (5, 5, 9223372036854775807),
	(6, 6, 3333), (7, 6, 3334), (8, 6, 100000),
	(9, 7, 1), (10, 7, 9223372036854775807),
	(11, 8, 699), (12, 8, 700), (13, 8, 701), (14, 9, 701)
) c (nth, policy_id, amount) JOIN commerce.coupon_policies p USING (policy_id),
	commerce.issue_coupon(2, p.policy_id) i, commerce.use_coupon(2, i.coupon_id, c.amount) u
ORDER BY c.nth;

SELECT * FROM commerce.verify();
