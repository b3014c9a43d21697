-- quote_order: place_order's prices and refusals without stock and money, written nowhere.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 20, 1);
	PERFORM commerce.create_product_option(1, 'blue', 333, 3, 2);
	PERFORM commerce.create_product_option(1, 'green', 0, 0, 3);
	PERFORM commerce.create_coupon_policy('10 %', 'percent', 10, 100,
		min_order_amount => 1000, per_user_limit => 100, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 2);
END
$$;

-- Without an account, beyond the stock: a quote, not a promise.
SELECT * FROM commerce.quote_order(1,
	'[{"option_id": 2, "quantity": 5}, {"option_id": 1, "quantity": 1},
	  {"option_id": 3, "quantity": 7}, {"option_id": 2, "quantity": 2}]');

-- With a coupon: 10 % of 3331 is 333, and 333 is 233.03 + 99.97.
SELECT * FROM commerce.quote_order(1,
	'[{"option_id": 2, "quantity": 7}, {"option_id": 1, "quantity": 1}]', 1);

-- It writes nothing, in a read-only transaction too; the coupon stays.
BEGIN READ ONLY;
SELECT line_no, line_total, discount_amount FROM commerce.quote_order(1,
	'[{"option_id": 1, "quantity": 2}]', 1);
ROLLBACK;
SELECT coupon_id, state FROM commerce.coupon_wallet ORDER BY coupon_id;
SELECT * FROM commerce.stock ORDER BY option_id;
SELECT count(*) FROM commerce.orders;

-- What is quoted is what is paid.
SELECT balance_after FROM commerce.charge_balance(1, 100000);
CREATE TEMP TABLE quote AS SELECT * FROM commerce.quote_order(1,
	'[{"option_id": 2, "quantity": 3}, {"option_id": 1, "quantity": 1}]', 1);
SELECT order_id, subtotal, discount, total FROM commerce.place_order(1,
	'[{"option_id": 2, "quantity": 3}, {"option_id": 1, "quantity": 1}]', 1);
SELECT line_no, option_id, i.quantity, q.line_total, i.discount_amount,
	i.unit_price = q.unit_price AND i.discount_amount = q.discount_amount AS as_quoted
FROM commerce.order_items i JOIN quote q USING (line_no, option_id) ORDER BY line_no;

-- Rows can be joined and counted like a table's.
SELECT sum(q.line_total - q.discount_amount) AS total
FROM commerce.quote_order(1, '[{"option_id": 1, "quantity": 2}]') q;
SELECT o.option_id, q.line_total FROM commerce.product_options o,
	commerce.quote_order(2, jsonb_build_array(
		jsonb_build_object('option_id', o.option_id, 'quantity', 3))) q
ORDER BY o.option_id;

-- Its refusals, one by one, then each with the next in order.
SELECT c.why, r.code, r.detail
FROM (VALUES
	(1, 'items',				1, '[]', 'NULL'),
	(2, 'user',					9, '[{"option_id": 1, "quantity": 1}]', 'NULL'),
	(3, 'option',				1, '[{"option_id": 1, "quantity": 1}, {"option_id": 9, "quantity": 1}]', 'NULL'),
	(4, 'no coupon',			1, '[{"option_id": 1, "quantity": 1}]', '99'),
	(5, 'another''s coupon',	2, '[{"option_id": 1, "quantity": 1}]', '2'),
	(6, 'used coupon',			1, '[{"option_id": 1, "quantity": 1}]', '1'),
	(7, 'minimum',				1, '[{"option_id": 2, "quantity": 3}]', '2'),
	(8, 'items > user',			9, '[]', 'NULL'),
	(9, 'user > option',		9, '[{"option_id": 9, "quantity": 1}]', 'NULL'),
	(10, 'option > coupon',		1, '[{"option_id": 9, "quantity": 1}]', '99')
) c (nth, why, user_id, items, coupon_id),
	pg_temp.refusal(format('SELECT * FROM commerce.quote_order(%s, %L, %s)',
		c.user_id, c.items, c.coupon_id)) r
ORDER BY c.nth;
SELECT coupon_id, status FROM commerce.revoke_coupon(2);
SELECT code FROM pg_temp.refusal(
	$$SELECT * FROM commerce.quote_order(1, '[{"option_id": 1, "quantity": 1}]', 2)$$);
SELECT policy_id FROM commerce.create_coupon_policy('past', 'fixed', 1, 1,
	valid_until => '2020-01-01 00:00+00');
SELECT coupon_id FROM commerce.issue_coupon(1, 2);
SELECT code FROM pg_temp.refusal(
	$$SELECT * FROM commerce.quote_order(1, '[{"option_id": 1, "quantity": 1}]', 3)$$);
SELECT * FROM commerce.verify();
