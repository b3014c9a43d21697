-- Thousands of random orders come to random ends: every coin, unit and coupon is where it belongs.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Prices from nothing to much, coupons of all kinds, and as much of everything as it takes.
DO $$
BEGIN
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'no. ' || n, p, 1000000, n)
	FROM unnest(ARRAY[0, 1, 3, 7, 99, 1000, 12345, 999999]) WITH ORDINALITY o (p, n);
	PERFORM commerce.create_user('user', n), commerce.charge_balance(n, 1000000000000) FROM generate_series(1, 3) n;
	PERFORM commerce.create_coupon_policy('a third', 'percent', 33, 10000, per_user_limit => 10000, policy_id => 1);
	PERFORM commerce.create_coupon_policy('most', 'percent', 99, 10000, per_user_limit => 10000,
		max_discount_amount => 12347, restore_on_cancel => false, policy_id => 2);
	PERFORM commerce.create_coupon_policy('any', 'fixed', 101, 10000, per_user_limit => 10000, policy_id => 3);
END
$$;

-- One order, from its making to its end.
CREATE FUNCTION pg_temp.live() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	buyer		bigint := 1 + floor(random() * 3);
	coupon		bigint;
	o			commerce.orders;
	what_end	double precision := random();
	portion		jsonb;
	events		bigint := 0;
	entries		bigint := 0;
BEGIN
	IF random() < 0.6 THEN
		coupon := (commerce.issue_coupon(buyer, 1 + floor(random() * 3)::bigint)).coupon_id;
	END IF;
	SELECT jsonb_agg(jsonb_build_object('option_id', n, 'quantity', 1 + floor(power(random(), 4) * 30)))
	INTO portion FROM (SELECT n FROM generate_series(1, 8) n ORDER BY random() LIMIT 1 + floor(random() * 5)) l;
	IF random() < 0.5 THEN
		o := commerce.place_order(buyer, portion, coupon);
	ELSE
		o := commerce.hold_order(buyer, portion, coupon, '1 hour');
		IF what_end < 0.2 THEN
			UPDATE commerce.orders SET expires_at = now() WHERE order_id = o.order_id;
			RETURN;
		ELSIF what_end < 0.3 THEN
			PERFORM commerce.cancel_order(o.order_id);
			RETURN;
		END IF;
		o := commerce.pay_order(o.order_id);
	END IF;

	IF what_end < 0.4 THEN
		PERFORM commerce.cancel_order(o.order_id);
	ELSIF what_end < 0.9 THEN
		-- Random units of random lines, until nothing is left, or for a while.
		WHILE o.status <> 'refunded' AND (what_end < 0.8 OR random() < 0.7) LOOP
			SELECT jsonb_agg(jsonb_build_object('option_id', option_id,
				'quantity', 1 + floor(random() * (quantity - refunded_quantity))))
			INTO portion FROM commerce.order_items i
			WHERE i.order_id = o.order_id AND quantity > refunded_quantity AND random() < 0.6;
			IF portion IS NOT NULL THEN
				o := commerce.refund_order(o.order_id, portion);
				ASSERT (SELECT sum((refund ->> 'amount')::bigint) = o.refunded FROM commerce.events
						WHERE order_id = o.order_id), 'an event told another amount';
			END IF;
		END LOOP;
		ASSERT o.status <> 'refunded' OR o.refunded = o.total, 'the refunds are not the total';
	END IF;
END
$$;
SELECT setseed(0.5);
DO $$
BEGIN
	FOR i IN 1..3000 LOOP
		PERFORM pg_temp.live();
		IF i % 500 = 0 THEN
			PERFORM commerce.expire_orders();
		END IF;
	END LOOP;
END
$$;
SELECT * FROM commerce.expire_orders();

-- Every end was met, often enough.
SELECT status, count(*) > 100 AS often FROM commerce.orders GROUP BY status ORDER BY status;
SELECT count(*) > 1000 AS refunds_in_part, bool_or((refund ->> 'amount')::bigint = 0) AS some_of_nothing
FROM commerce.events WHERE event_type = 'order.refunded';

-- A discount's shares add up; no refund is more than its line cost.
SELECT count(*) FROM commerce.orders o
JOIN (SELECT order_id, sum(discount_amount) AS shares FROM commerce.order_items GROUP BY order_id) i USING (order_id)
WHERE shares <> discount;
SELECT count(*) FROM commerce.events e, jsonb_to_recordset(e.refund -> 'items') r (option_id bigint, quantity bigint, amount bigint)
JOIN commerce.order_items i USING (option_id)
WHERE i.order_id = e.order_id AND r.amount > i.quantity * i.unit_price - i.discount_amount;
-- Line by line, what was told is the floor of its part of the whole.
SELECT count(*) FROM commerce.order_items i
JOIN (SELECT e.order_id, r.option_id, sum(r.quantity) AS quantity, sum(r.amount) AS amount
	  FROM commerce.events e, jsonb_to_recordset(e.refund -> 'items') r (option_id bigint, quantity bigint, amount bigint)
	  GROUP BY 1, 2) r USING (order_id, option_id)
WHERE r.quantity <> i.refunded_quantity
   OR r.amount <> div((i.quantity::numeric * i.unit_price - i.discount_amount) * r.quantity, i.quantity);
SELECT * FROM commerce.verify();

-- Everything that is left is undone: the shop is as it was on its first morning.
SELECT count(*) > 100 AS many FROM commerce.orders o, commerce.cancel_order(o.order_id) WHERE o.status = 'paid';
SELECT count(*) > 100 AS many FROM commerce.orders o, commerce.refund_order(o.order_id, (
	SELECT jsonb_agg(jsonb_build_object('option_id', option_id, 'quantity', quantity - refunded_quantity))
	FROM commerce.order_items i WHERE i.order_id = o.order_id AND quantity > refunded_quantity))
WHERE o.status = 'partially_refunded';
SELECT user_id, balance FROM commerce.balances ORDER BY user_id;
SELECT DISTINCT available FROM commerce.stock;
SELECT policy_id, status, count(*) > 100 AS many FROM commerce.coupons GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM commerce.verify();
