-- When an order ends, its coupon may be used again, or not.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Policy 1 gives coupons back, policy 2 does not. Coupons 1 to 6 of policy 1, 7 to 12 of policy 2.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.create_coupon_policy('back', 'fixed', 100, 6, per_user_limit => 6,
		valid_for => '30 days', policy_id => 1);
	PERFORM commerce.create_coupon_policy('gone', 'fixed', 100, 6, per_user_limit => 6,
		valid_for => '30 days', restore_on_cancel => false, policy_id => 2);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.issue_coupon(1, policy_id) FROM generate_series(1, 2) policy_id, generate_series(1, 6);
END
$$;
CREATE TEMP TABLE first_expiry AS SELECT coupon_id, expires_at FROM commerce.coupons;

-- An order of two with this coupon comes to this end.
CREATE FUNCTION pg_temp.ends(coupon_id bigint, how text) RETURNS commerce.order_status
LANGUAGE plpgsql AS $$
DECLARE
	two		CONSTANT jsonb := '[{"option_id": 1, "quantity": 2}]';
	one		CONSTANT jsonb := '[{"option_id": 1, "quantity": 1}]';
	o		commerce.orders;
BEGIN
	IF how IN ('cancelled unpaid', 'expired') THEN
		o := commerce.hold_order(1, two, coupon_id, '1 hour');
	ELSE
		o := commerce.place_order(1, two, coupon_id);
	END IF;
	CASE how
	WHEN 'cancelled unpaid', 'cancelled paid' THEN
		o := commerce.cancel_order(o.order_id);
	WHEN 'expired' THEN
		UPDATE commerce.orders SET expires_at = now() WHERE order_id = o.order_id;
		PERFORM commerce.expire_orders();
		SELECT * INTO o FROM commerce.orders WHERE order_id = o.order_id;
	WHEN 'refunded in part' THEN
		o := commerce.refund_order(o.order_id, one);
	WHEN 'refunded bit by bit' THEN
		PERFORM commerce.refund_order(o.order_id, one);
		o := commerce.refund_order(o.order_id, one);
	WHEN 'refunded' THEN
		o := commerce.refund_order(o.order_id, two);
	END CASE;
	RETURN o.status;
END
$$;
SELECT e.how, pg_temp.ends(e.nth, e.how) AS giving_back, pg_temp.ends(e.nth + 6, e.how) AS keeping
FROM (VALUES (1, 'cancelled unpaid'), (2, 'expired'), (3, 'cancelled paid'), (4, 'refunded'),
	(5, 'refunded bit by bit'), (6, 'refunded in part')) e (nth, how)
ORDER BY e.nth;

-- Issued again: nothing tells of its use any more, and it expires when it would have.
SELECT coupon_id, policy_id, status, used_at IS NOT NULL AS has_used_at, order_id, discount_amount,
	c.expires_at = f.expires_at AS same_expiry
FROM commerce.coupons c JOIN first_expiry f USING (coupon_id) ORDER BY coupon_id;
-- The orders still say which coupon it was.
SELECT order_id, status, discount, coupon_id FROM commerce.orders ORDER BY order_id;
-- Quota and limit do not change.
SELECT * FROM commerce.coupon_quota ORDER BY policy_id;
SELECT code FROM pg_temp.refusal('SELECT commerce.issue_coupon(1, 1)');
SELECT * FROM commerce.verify();

-- What came back may be used, alone or by another order, and come back again; or be revoked.
SELECT coupon_id, status, order_id FROM commerce.use_coupon(1, 1, 1000);
SELECT order_id, discount FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', 2);
SELECT order_id, status FROM commerce.cancel_order(13);
SELECT order_id, discount FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', 2);
SELECT coupon_id, status FROM commerce.revoke_coupon(3);
SELECT coupon_id, status, order_id FROM commerce.coupons WHERE coupon_id <= 3 ORDER BY coupon_id;
SELECT code, detail FROM pg_temp.refusal('SELECT commerce.use_coupon(1, 9, 1000)');

-- Expired meanwhile: it comes back all the same, and is of no use.
BEGIN;
UPDATE commerce.coupons SET expires_at = now() WHERE coupon_id = 2;
SELECT status FROM commerce.cancel_order(14);
SELECT coupon_id, status, state FROM commerce.coupon_wallet WHERE coupon_id = 2;
SELECT code FROM pg_temp.refusal('SELECT commerce.use_coupon(1, 2, 1000)');
ROLLBACK;
SELECT * FROM commerce.verify();
