-- Expiring: what was not paid in time is closed, and goes back.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 100, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, per_user_limit => 5, policy_id => 1);
	PERFORM commerce.charge_balance(1, 10000);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 3);
END
$$;

-- Nothing there, nothing due.
SELECT * FROM commerce.expire_orders();
SELECT order_id FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 7}]');
SELECT * FROM commerce.expire_orders();

-- Orders 2 to 6 are due, some with a coupon, in the order 4, 6, 2, 5, 3; order 7 was paid in time.
DO $$
BEGIN
	PERFORM commerce.hold_order(1, '[{"option_id": 2, "quantity": 1}, {"option_id": 1, "quantity": 2}]', 3);
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 3}]');
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 4}]', 1);
	PERFORM commerce.hold_order(1, '[{"option_id": 2, "quantity": 5}]');
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 6}]', 2);
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]');
	PERFORM commerce.pay_order(7);
END
$$;
UPDATE commerce.orders o SET expires_at = now() - ago
FROM (VALUES (4, interval '5 hours'), (6, '4 hours'), (2, '3 hours'), (5, '2 hours'), (3, '0'), (7, '6 hours')) d (order_id, ago)
WHERE o.order_id = d.order_id;
SELECT * FROM commerce.stock ORDER BY option_id;

-- The oldest first, so many at a time.
SELECT * FROM commerce.expire_orders(2);
SELECT order_id, status, total, refunded, paid_at IS NOT NULL AS paid, closed_at IS NOT NULL AS closed, cancel_reason
FROM commerce.orders ORDER BY order_id;
SELECT coupon_id, status, used_at, order_id, discount_amount FROM commerce.coupons WHERE coupon_id < 3 ORDER BY coupon_id;
SELECT * FROM commerce.expire_orders(1);
SELECT status FROM commerce.orders WHERE order_id = 2;

-- The rest; then there is nothing any more.
SELECT * FROM commerce.expire_orders(batch_size => 2147483647);
SELECT * FROM commerce.expire_orders();
SELECT status, count(*) FROM commerce.orders GROUP BY status ORDER BY status;
SELECT * FROM commerce.stock ORDER BY option_id;
SELECT coupon_id, status FROM commerce.coupons ORDER BY coupon_id;
SELECT closed_at - placed_at < interval '1 hour' AS closed_now, refunded FROM commerce.orders WHERE order_id = 4;
SELECT sum(refunded_quantity) FROM commerce.order_items;

-- Nobody outside is told, and no balance has moved but by the payment.
SELECT event_type, order_id FROM commerce.events;
SELECT entry_no, type FROM commerce.balance_history ORDER BY entry_no;

-- Gone for good.
SELECT code, detail ->> 'order_id' AS order_id, detail ? 'expires_at' AS expires_at FROM pg_temp.refusal('SELECT commerce.pay_order(2)');
SELECT code, detail FROM pg_temp.refusal('SELECT commerce.cancel_order(2)');
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.refund_order(2, '[{"option_id": 1, "quantity": 1}]')$$);

-- Now is the transaction's start, and the moment itself is past.
BEGIN;
SELECT order_id, expires_at - now() AS expires_in FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '1 microsecond');
SELECT * FROM commerce.expire_orders();
UPDATE commerce.orders SET expires_at = now() WHERE order_id = 8;
SELECT * FROM commerce.expire_orders();
COMMIT;

-- More at once than one step holds, of few options and with many lines.
SELECT count(*) FROM generate_series(10, 39) n, commerce.create_product_option(1, 'no. ' || n, 1, 10000, n);
SELECT count(*) FROM generate_series(1, 2100) n, commerce.hold_order(1, (
	SELECT jsonb_agg(jsonb_build_object('option_id', 10 + (n + i) % 30, 'quantity', i)) FROM generate_series(1, 3) i), ttl => '1 microsecond');
SELECT sum(available) FROM commerce.stock WHERE option_id >= 10;
SELECT * FROM commerce.expire_orders(2099);
SELECT sum(quantity) AS still_held FROM commerce.order_items i JOIN commerce.orders o USING (order_id)
WHERE o.status = 'pending' AND i.option_id >= 10;
SELECT * FROM commerce.expire_orders();
SELECT count(*), min(available), max(available) FROM commerce.stock WHERE option_id >= 10;

SELECT * FROM commerce.verify();
