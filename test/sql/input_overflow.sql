-- Arithmetic that does not fit: 22003, never a wrong amount.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- 9223372036854775807 is the largest bigint, 4611686018427387904 half of the next.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 1000);
	PERFORM commerce.create_product('thing', 1);
	PERFORM commerce.create_product_option(1, 'half', 4611686018427387904, 1000000000, 1);
	PERFORM commerce.create_product_option(1, 'half too', 4611686018427387904, 1000000000, 2);
	PERFORM commerce.create_product_option(1, 'half less one', 4611686018427387903, 1000000000, 3);
	PERFORM commerce.create_product_option(1, 'all', 9223372036854775807, 1000000000, 4);
	PERFORM commerce.create_product_option(1, 'one', 1, 1000000000, 5);
	PERFORM commerce.create_product_option(1, 'least that overflows', 9223372037, 1000000000, 6);
	PERFORM commerce.create_product_option(1, 'most that fits', 9223372036, 1000000000, 7);
	PERFORM commerce.create_product_option(1, 'sold out', 1, 0, 8);
	PERFORM commerce.create_coupon_policy('100 %', 'percent', 100, 1, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1);
END
$$;

-- Price x quantity, sums of lines, and neighbours that just fit (and cost too
-- much). quote_order counts in the same way.
SELECT c.why, p.code AS place_order, q.code AS quote_order
FROM (VALUES
	(1, 'half + half',			'[{"option_id": 1, "quantity": 1}, {"option_id": 2, "quantity": 1}]'),
	(2, '2 x half',				'[{"option_id": 1, "quantity": 2}]'),
	(3, 'half + half less one',	'[{"option_id": 1, "quantity": 1}, {"option_id": 3, "quantity": 1}]'),
	(4, '2 x half less one + 1','[{"option_id": 3, "quantity": 2}, {"option_id": 5, "quantity": 1}]'),
	(5, '2 x half less one + 2','[{"option_id": 3, "quantity": 2}, {"option_id": 5, "quantity": 2}]'),
	(6, 'all',					'[{"option_id": 4, "quantity": 1}]'),
	(7, 'all + 1',				'[{"option_id": 4, "quantity": 1}, {"option_id": 5, "quantity": 1}]'),
	(8, '1 + all',				'[{"option_id": 5, "quantity": 1}, {"option_id": 4, "quantity": 1}]'),
	(9, '2 x all',				'[{"option_id": 4, "quantity": 2}]'),
	(10, '10^9 x all',			'[{"option_id": 4, "quantity": 1000000000}]'),
	(11, '10^9 x too much',		'[{"option_id": 6, "quantity": 1000000000}]'),
	(12, '10^9 x just enough',	'[{"option_id": 7, "quantity": 1000000000}]'),
	(13, 'overflow, then missing',	'[{"option_id": 4, "quantity": 2}, {"option_id": 99, "quantity": 1}]'),
	(14, 'missing, then overflow',	'[{"option_id": 99, "quantity": 1}, {"option_id": 4, "quantity": 2}]'),
	(15, 'overflow, and sold out',	'[{"option_id": 4, "quantity": 2}, {"option_id": 8, "quantity": 1}]')
) c (nth, why, items),
	pg_temp.refusal(format('SELECT commerce.place_order(1, %L)', c.items)) p,
	pg_temp.refusal(format('SELECT * FROM commerce.quote_order(1, %L)', c.items)) q
ORDER BY c.nth;

-- A coupon doesn't help: the subtotal must fit.
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 4, "quantity": 2}]', 1)$$);
-- All of it off the largest amount there is.
SELECT subtotal, discount, total FROM commerce.place_order(1, '[{"option_id": 4, "quantity": 1}]', 1);
SELECT line_no, unit_price, discount_amount FROM commerce.order_items;

-- A percentage of an amount whose hundredfold does not fit.
SELECT policy_id FROM commerce.create_coupon_policy('99 %', 'percent', 99, 1, policy_id => 2);
SELECT coupon_id FROM commerce.issue_coupon(1, 2);
SELECT unit_price, discount_amount, line_total - discount_amount AS rest
FROM commerce.quote_order(1, '[{"option_id": 4, "quantity": 1}]', 2);

-- Stock and quota at their most.
SELECT available FROM commerce.adjust_stock(5, 9223372035854775807);
SELECT code FROM pg_temp.refusal($$SELECT commerce.adjust_stock(5, 1)$$);
SELECT code FROM pg_temp.refusal($$SELECT commerce.adjust_stock(5, 9223372036854775807)$$);
SELECT policy_id FROM commerce.create_coupon_policy('many', 'fixed', 1, 9223372036854775807, policy_id => 3);
SELECT coupon_id FROM commerce.issue_coupon(1, 3);
SELECT * FROM commerce.coupon_quota WHERE policy_id = 3;

-- The longest period there may be.
SELECT policy_id FROM commerce.create_coupon_policy('long', 'fixed', 1, 2,
	valid_for => '1000 years', valid_until => '2100-01-01 00:00+00', policy_id => 4);
SELECT expires_at = '2100-01-01 00:00+00' AS at_valid_until FROM commerce.issue_coupon(1, 4);
SELECT policy_id FROM commerce.create_coupon_policy('longest', 'fixed', 1, 2,
	valid_for => '1000 years', policy_id => 5);
SELECT expires_at = issued_at + interval '1000 years' AS in_1000_years FROM commerce.issue_coupon(1, 5);
SELECT commerce.purge_events('1000 years') AS events,
	   commerce.purge_idempotency_keys('1000 years') AS keys;
SELECT r.code, r.message
FROM (VALUES ($$SELECT commerce.purge_events('-1 day')$$),
			 ($$SELECT commerce.purge_idempotency_keys('-1 day')$$)
) c (statement), pg_temp.refusal(c.statement) r;
