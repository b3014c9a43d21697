-- An order with a coupon: fixed, percent, cap, rounding, minimum, never above the amount.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 10000000);
	PERFORM commerce.create_product('sweet', 1);
	PERFORM commerce.create_product_option(1, 'one coin', 1, 1000000, 1);
	PERFORM commerce.create_coupon_policy('fixed 1000', 'fixed', 1000, 100,
		min_order_amount => 5000, per_user_limit => 100, policy_id => 1);
	PERFORM commerce.create_coupon_policy('7 %', 'percent', 7, 100,
		per_user_limit => 100, policy_id => 2);
	PERFORM commerce.create_coupon_policy('30 % up to 1000', 'percent', 30, 100,
		max_discount_amount => 1000, per_user_limit => 100, policy_id => 3);
	PERFORM commerce.create_coupon_policy('fixed 700', 'fixed', 700, 100,
		per_user_limit => 100, policy_id => 4);
	PERFORM commerce.create_coupon_policy('100 %', 'percent', 100, 100,
		per_user_limit => 100, policy_id => 5);
END
$$;

-- The coupon is used by its order, once.
SELECT coupon_id FROM commerce.issue_coupon(1, 1);
SELECT order_id, status, subtotal, discount, total, coupon_id
FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 6000}]', 1);
SELECT coupon_id, status, used_at = (SELECT paid_at FROM commerce.orders) AS used_when_paid,
	order_id, discount_amount
FROM commerce.coupons;
SELECT type, amount, order_id FROM commerce.balance_history WHERE entry_no = 2;
SELECT code, detail FROM pg_temp.refusal(
	$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 6000}]', 1)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 1, 6000)$$);

-- The minimum is inclusive and looks at the subtotal, not at the total.
SELECT coupon_id FROM commerce.issue_coupon(1, 1);
SELECT code, detail FROM pg_temp.refusal(
	$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 4999}]', 2)$$);
SELECT subtotal, discount, total
FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 5000}]', 2);

-- The units of one option come at 1 each, so that a quantity is the subtotal:
-- 7 % of 14 is 0.98, of 15 1.05, of 99 6.93, of 100 7, of 12345 864.15;
-- 30 % of 3333 is 999.9, of 3334 1000.2 and of 9999 far over the cap.
SELECT p.name, o.subtotal, o.discount, o.total
FROM (VALUES (1, 2, 14), (2, 2, 15), (3, 2, 99), (4, 2, 100), (5, 2, 12345),
	(6, 3, 3333), (7, 3, 3334), (8, 3, 9999),
	(9, 4, 699), (10, 4, 700), (11, 4, 701), (12, 5, 1), (13, 5, 999)
) c (nth, policy_id, quantity) JOIN commerce.coupon_policies p USING (policy_id),
	commerce.issue_coupon(1, p.policy_id) i,
	commerce.place_order(1, jsonb_build_array(
		jsonb_build_object('option_id', 1, 'quantity', c.quantity)), i.coupon_id) o
ORDER BY c.nth;

-- A discount to nothing: paid, without a balance entry.
SELECT subtotal, discount, total, status FROM commerce.orders WHERE total = 0 ORDER BY subtotal;
SELECT count(*) FROM commerce.balance_history h JOIN commerce.orders o USING (order_id)
WHERE o.total = 0;

-- A discount of nothing: the coupon is used all the same.
SELECT coupon_id AS last_coupon FROM commerce.issue_coupon(1, 2) \gset
SELECT subtotal, discount, total, coupon_id = :last_coupon AS has_coupon
FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 5}]', :last_coupon);
SELECT status, discount_amount FROM commerce.coupons WHERE coupon_id = :last_coupon;

-- A refused order leaves its coupon as it was.
SELECT coupon_id AS last_coupon FROM commerce.issue_coupon(1, 4) \gset
SELECT 'stock' AS why, code FROM pg_temp.refusal(
	$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 10000000}]', $$ || :last_coupon || ')');
SELECT status, used_at, order_id FROM commerce.coupons WHERE coupon_id = :last_coupon;

-- A coupon used in a transaction that is undone is there again.
BEGIN;
SELECT discount FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 800}]', :last_coupon);
SELECT state FROM commerce.coupon_wallet WHERE coupon_id = :last_coupon;
ROLLBACK;
SELECT state FROM commerce.coupon_wallet WHERE coupon_id = :last_coupon;
SELECT * FROM commerce.verify();
