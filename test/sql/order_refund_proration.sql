-- What a refund of k of n units is worth: floor(net x k / n), less what was refunded before.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'ten', 10, 100, 1);
	PERFORM commerce.create_product_option(1, 'dear', 9223372036, 1000000000, 2);
	PERFORM commerce.create_product_option(1, 'cheap', 1, 1000000000, 3);
	PERFORM commerce.create_coupon_policy('all but one', 'fixed', 69, 10, policy_id => 1);
	PERFORM commerce.create_coupon_policy('one', 'fixed', 1, 10, policy_id => 2);
	PERFORM commerce.issue_coupon(1, policy_id) FROM generate_series(1, 2) policy_id;
	PERFORM commerce.charge_balance(1, 1000000000000);
END
$$;

-- Refund an order's only line in these portions; what each gave back.
CREATE FUNCTION pg_temp.portions(order_id bigint, option_id bigint, VARIADIC quantities bigint[])
RETURNS TABLE (quantity bigint, amount bigint, status commerce.order_status)
LANGUAGE plpgsql AS $$
DECLARE
	before	bigint := 0;
	after	bigint;
BEGIN
	FOREACH quantity IN ARRAY quantities LOOP
		SELECT o.refunded, o.status INTO after, status
		FROM commerce.refund_order(order_id, jsonb_build_array(
			jsonb_build_object('option_id', option_id, 'quantity', quantity))) o;
		amount := after - before;
		before := after;
		RETURN NEXT;
	END LOOP;
END
$$;

-- 70 less 69: the seventh unit alone is worth anything.
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 7}]', 1);
SELECT * FROM pg_temp.portions(1, 1, 1, 1, 1, 1, 1, 1, 1);
-- 70 less 1, in units and in portions.
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 7}]', 2);
SELECT * FROM pg_temp.portions(2, 1, 1, 1, 1, 1, 1, 1, 1);
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 7}]', 2);
SELECT * FROM pg_temp.portions(3, 1, 3, 3, 1);
-- Without a discount every unit is worth its price.
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 7}]');
SELECT * FROM pg_temp.portions(4, 1, 2, 5);

-- Near 2^63-1: a net of 9223372036 x 10^9, where net x k does not fit into 64 bits.
SET commerce.max_charge_amount = '9223372036854775807';
SELECT balance_after FROM commerce.charge_balance(1, 9223371036854775139);
SELECT order_id, total FROM commerce.hold_order(1, '[{"option_id": 2, "quantity": 1000000000}]', 2);
SELECT order_id, status FROM commerce.pay_order(5);
SELECT * FROM pg_temp.portions(5, 2, 1, 333333333, 666666665, 1);
SELECT * FROM commerce.get_balance(1);
-- A thousand million units of 1, with 1 off.
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 3, "quantity": 1000000000}]', 2);
SELECT * FROM pg_temp.portions(6, 3, 1, 499999999, 499999999, 1);
SELECT * FROM commerce.get_balance(1);
SELECT * FROM commerce.stock ORDER BY option_id;
SELECT * FROM commerce.verify();
