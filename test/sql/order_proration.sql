-- The discount's shares: by largest remainder, ties to the lower line_no, exact to the coin.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 1000000000000);
	PERFORM commerce.create_product('thing', 1);
	PERFORM commerce.create_product_option(1, 'at ' || p, p, 1000000, p + 1)
	FROM unnest(ARRAY[0, 1, 2, 3, 5, 7, 50, 99, 100, 101, 333, 1000]) p;
	PERFORM commerce.create_coupon_policy('fixed ' || d, 'fixed', d, 1000,
		per_user_limit => 1000, policy_id => d)
	FROM unnest(ARRAY[1, 2, 7, 10, 99, 100, 500, 1000]) d;
END
$$;

-- An order of one unit of each option in the list (an option's id is its price + 1),
-- with a fixed discount: the lines' shares in order.
CREATE FUNCTION pg_temp.shares(prices integer[], discount integer,
	OUT subtotal bigint, OUT total bigint, OUT shares bigint[])
LANGUAGE plpgsql AS $$
DECLARE
	items jsonb;
	placed commerce.orders;
	coupon commerce.coupons;
BEGIN
	SELECT jsonb_agg(jsonb_build_object('option_id', p + 1, 'quantity', 1) ORDER BY nth) INTO items
	FROM unnest(prices) WITH ORDINALITY AS u (p, nth);
	coupon := commerce.issue_coupon(1, discount);
	placed := commerce.place_order(1, items, coupon.coupon_id);
	subtotal := placed.subtotal;
	total := placed.total;
	SELECT array_agg(i.discount_amount ORDER BY i.line_no) INTO shares
	FROM commerce.order_items i WHERE i.order_id = placed.order_id;
END
$$;

-- 100 + 50, 10 off: 6.67 and 3.33 -> 6 + 3, one left to the larger remainder.
SELECT * FROM pg_temp.shares('{100, 50}', 10);
SELECT * FROM pg_temp.shares('{50, 100}', 10);
-- 1 + 2 + 3 + 5 + 7 = 18, 10 off: 0.56 1.11 1.67 2.78 3.89 -> 0 1 1 2 3, three
-- left, to 0.89, 0.78, 0.67.
SELECT * FROM pg_temp.shares('{1, 2, 3, 5, 7}', 10);
SELECT * FROM pg_temp.shares('{7, 5, 3, 2, 1}', 10);
-- 99 + 100 + 101 = 300, 100 off: 33, 33.33, 33.67 -> the last.
SELECT * FROM pg_temp.shares('{99, 100, 101}', 100);
-- 1 + 3 = 4, 2 off: 0.5 and 1.5: a tie, to the lower line.
SELECT * FROM pg_temp.shares('{1, 3}', 2);
SELECT * FROM pg_temp.shares('{3, 1}', 2);
-- 2 + 3 + 7 = 12, 1 off: 0.17 0.25 0.58 -> one line takes it all.
SELECT * FROM pg_temp.shares('{2, 3, 7}', 1);
-- A line for nothing has no share, even when all others have theirs in full.
SELECT * FROM pg_temp.shares('{0, 5, 7}', 7);
SELECT * FROM pg_temp.shares('{0, 1, 2}', 100);
SELECT * FROM pg_temp.shares('{0}', 10);
SELECT * FROM pg_temp.shares('{5}', 2);
-- 333 + 1000 = 1333, 1000 off: 249.81 and 750.19.
SELECT * FROM pg_temp.shares('{333, 1000}', 1000);

-- Equal lines are a tie: the first ones take what is left, whatever their options' ids.
DO $$
BEGIN
	PERFORM commerce.create_product_option(1, 'same ' || n, 100, 1000, 10000 + n)
	FROM generate_series(1, 7) n;
END
$$;
SELECT coupon_id FROM commerce.issue_coupon(1, 500) \gset
SELECT order_id, subtotal, discount FROM commerce.place_order(1, (
	SELECT jsonb_agg(jsonb_build_object('option_id', 10000 + n, 'quantity', 1) ORDER BY n DESC)
	FROM generate_series(1, 7) n), :coupon_id) \gset
-- 500 / 7 = 71.43: three left over.
SELECT line_no, option_id, discount_amount FROM commerce.order_items
WHERE order_id = :order_id ORDER BY line_no;

-- Quantities weigh: a share belongs to the line, not to the unit. 3 x 100 and
-- 1 x 99 = 399, 100 off: 75.19 and 24.81.
SELECT coupon_id FROM commerce.issue_coupon(1, 100) \gset
SELECT order_id FROM commerce.place_order(1,
	'[{"option_id": 101, "quantity": 3}, {"option_id": 100, "quantity": 1}]', :coupon_id) \gset
SELECT line_no, quantity, unit_price, discount_amount FROM commerce.order_items
WHERE order_id = :order_id ORDER BY line_no;

-- Large amounts: discount x line passes 2^63, the shares are exact nevertheless.
DO $$
BEGIN
	PERFORM commerce.create_product_option(1, 'huge', 2000000000000000000, 9, 20001);
	PERFORM commerce.create_product_option(1, 'huge too', 2000000000000000001, 9, 20002);
	PERFORM commerce.create_coupon_policy('nearly all', 'fixed', 5999999999999999000, 9, policy_id => 20000);
	PERFORM commerce.issue_coupon(1, 20000);
END
$$;
SELECT coupon_id FROM commerce.coupons WHERE policy_id = 20000 \gset
SELECT order_id, subtotal, discount, total FROM commerce.place_order(1,
	'[{"option_id": 20001, "quantity": 2}, {"option_id": 20002, "quantity": 1}]', :coupon_id) \gset big_
SELECT :big_subtotal AS subtotal, :big_discount AS discount, :big_total AS total;
-- In numeric: 5999999999999999000 x 4e18 / 6000000000000000001 is …332.67, the rest …667.33.
SELECT line_no, discount_amount,
	div(:big_discount::numeric * quantity * unit_price, :big_subtotal::numeric) AS share_rounded_down
FROM commerce.order_items WHERE order_id = :big_order_id ORDER BY line_no;

-- Whatever the lines: the shares add up, and none passes its line.
SELECT o.order_id FROM commerce.orders o JOIN commerce.order_items i USING (order_id)
GROUP BY o.order_id
HAVING sum(i.discount_amount) <> o.discount
	OR bool_or(i.discount_amount NOT BETWEEN 0 AND i.quantity * i.unit_price);
SELECT * FROM commerce.verify();
