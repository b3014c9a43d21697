-- verify() on coupons: each way they can be wrong is reported by its name.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/sound_shop.psql'
\set ECHO none
\i :helpers

SELECT * FROM commerce.verify();

-- Policy 1: 10 coupons, 3 issued, all to Kim: 1 used by order 1, 2 used alone, 3 held.
SELECT c.damage, v.*
FROM (VALUES
	(1, 'UPDATE commerce.coupon_quota_slots SET quantity = quantity + 1'),
	(2, 'UPDATE commerce.coupon_policies SET quantity = 11'),
	(3, 'DELETE FROM commerce.coupons WHERE coupon_id = 3'),
	(4, 'DELETE FROM commerce.coupons WHERE coupon_id = 1'),
	(5, 'UPDATE commerce.coupon_policies SET highest_limit = 2, per_user_limit = 2'),
	(6, 'UPDATE commerce.coupons SET issue_no = 4 WHERE coupon_id = 3'),
	(7, $$UPDATE commerce.coupons SET status = 'issued' WHERE coupon_id = 1$$),
	(8, $$UPDATE commerce.coupons SET status = 'issued' WHERE coupon_id = 2$$),
	(9, $$UPDATE commerce.coupons SET status = 'used' WHERE coupon_id = 3$$),
	(10, 'UPDATE commerce.coupons SET used_at = NULL WHERE coupon_id = 2'),
	(11, 'UPDATE commerce.coupons SET discount_amount = NULL WHERE coupon_id = 2'),
	(12, 'UPDATE commerce.coupons SET discount_amount = 299 WHERE coupon_id = 1'),
	(13, 'UPDATE commerce.coupons SET order_id = 2 WHERE coupon_id = 1'),
	(14, 'UPDATE commerce.coupons SET order_id = 99 WHERE coupon_id = 2'),
	(15, 'UPDATE commerce.coupons SET order_id = NULL WHERE coupon_id = 1'),
	(16, 'UPDATE commerce.coupons SET user_id = 2 WHERE coupon_id = 1'),
	(17, 'UPDATE commerce.coupons SET user_id = 9 WHERE coupon_id = 3'),
	(18, 'UPDATE commerce.coupons SET policy_id = 9 WHERE coupon_id = 3'),
	(19, 'UPDATE commerce.orders SET coupon_id = 3 WHERE order_id = 2'),
	(20, 'UPDATE commerce.orders SET coupon_id = 99 WHERE order_id = 2'),
	(21, 'UPDATE commerce.orders SET coupon_id = NULL WHERE order_id = 1'),
	(22, 'DELETE FROM commerce.coupon_policies'),
	(23, 'INSERT INTO commerce.coupon_quota_slots VALUES (9, 0, 0, 0)'),
	(24, 'UPDATE commerce.coupon_policies SET min_order_amount = -1')
) c (nth, damage), pg_temp.violations(c.damage) v
ORDER BY c.nth, v.check_name, v.object_id;

-- A coupon that its order gave back may be used again; one that it kept may not.
CREATE FUNCTION pg_temp.closed(status text, restore boolean) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT v.check_name FROM pg_temp.violations(format($x$
		UPDATE commerce.coupon_policies SET restore_on_cancel = %L;
		UPDATE commerce.orders SET status = %L, closed_at = now(), refunded = total WHERE order_id = 1$x$,
		restore, status)) v
	WHERE v.check_name ~ 'coupon'
$$;
SELECT s.status, r.restore, pg_temp.closed(s.status, r.restore)
FROM unnest(ARRAY['cancelled', 'refunded', 'expired']) s (status), unnest(ARRAY[true, false]) r (restore)
ORDER BY s.status, r.restore;

-- No quota below nothing: the table itself refuses it, and verify() looks again.
SELECT code FROM pg_temp.refusal('UPDATE commerce.coupon_quota_slots SET quantity = -1');
SELECT v.* FROM pg_temp.violations($$
	ALTER TABLE commerce.coupon_quota_slots DROP CONSTRAINT coupon_quota_slots_quantity_check;
	INSERT INTO commerce.coupon_quota_slots VALUES (1, 98, 0, 1), (1, 99, 0, -1)$$) v;
SELECT * FROM commerce.verify();
