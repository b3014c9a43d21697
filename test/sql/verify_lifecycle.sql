-- verify() on orders that were held, cancelled or refunded: each way they can be wrong is reported by its name.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Orders 1 pending, 2 expired, 3 cancelled unpaid, 4 cancelled, 5 refunded in part, twice, 6 refunded.
DO $$
DECLARE
	items CONSTANT jsonb := '[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 3}]';
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 100, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 101, 10, per_user_limit => 10, policy_id => 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 6);
	PERFORM commerce.hold_order(1, items, n) FROM generate_series(1, 3) n;
	PERFORM commerce.place_order(1, items, n) FROM generate_series(4, 6) n;
	UPDATE commerce.orders SET expires_at = now() WHERE order_id = 2;
	PERFORM commerce.expire_orders();
	PERFORM commerce.cancel_order(n) FROM generate_series(3, 4) n;
	PERFORM commerce.refund_order(5, '[{"option_id": 2, "quantity": 1}]');
	PERFORM commerce.refund_order(5, '[{"option_id": 2, "quantity": 1}, {"option_id": 1, "quantity": 1}]');
	PERFORM commerce.refund_order(6, items);
END
$$;
SELECT order_id, status, total, refunded FROM commerce.orders ORDER BY order_id;
SELECT event_id, event_type, order_id, refund FROM commerce.events ORDER BY event_id;
SELECT * FROM commerce.verify();

SELECT c.damage, v.*
FROM (VALUES
	(1, 'UPDATE commerce.orders SET expires_at = NULL WHERE order_id <= 3'),
	(2, 'UPDATE commerce.orders SET closed_at = NULL WHERE order_id IN (2, 3, 4, 6)'),
	(3, 'UPDATE commerce.orders SET closed_at = now() WHERE order_id IN (1, 5)'),
	(4, $$UPDATE commerce.orders SET status = 'pending', closed_at = NULL WHERE order_id = 2$$),
	(5, $$UPDATE commerce.orders SET status = 'expired', closed_at = now() WHERE order_id = 1$$),
	(6, 'UPDATE commerce.orders SET refunded = 1 WHERE order_id IN (1, 2, 3)'),
	(7, 'UPDATE commerce.orders SET refunded = refunded - 1 WHERE order_id IN (4, 5, 6)'),
	(8, 'UPDATE commerce.order_items SET refunded_quantity = 1 WHERE order_id IN (1, 2, 3, 4, 5, 6) AND line_no = 1'),
	(9, $$UPDATE commerce.orders SET status = 'refunded', closed_at = now() WHERE order_id = 5$$),
	(10, $$UPDATE commerce.orders SET status = 'partially_refunded', closed_at = NULL WHERE order_id = 6$$),
	(11, $$UPDATE commerce.balance_history SET amount = amount + 1 WHERE type = 'refund' AND order_id = 6$$),
	(12, $$UPDATE commerce.coupons SET status = 'used', used_at = now(), order_id = coupon_id, discount_amount = 101 WHERE coupon_id IN (2, 3, 4, 6)$$),
	(13, $$UPDATE commerce.coupons SET status = 'issued', used_at = NULL, order_id = NULL, discount_amount = NULL WHERE coupon_id IN (1, 5)$$),
	(14, $$DELETE FROM commerce.events WHERE order_id IN (4, 5, 6) AND event_type <> 'order.paid'$$),
	(15, 'DELETE FROM commerce.events WHERE event_id = 5'),
	(16, $$INSERT INTO commerce.events (event_type, order_id, refund) SELECT event_type, order_id, refund FROM commerce.events WHERE event_id = 5$$),
	(17, $$UPDATE commerce.events SET refund = jsonb_set(refund, '{amount}', '1') WHERE event_id = 5$$),
	(18, $$UPDATE commerce.events SET refund = jsonb_set(refund, '{items, 0, amount}', '1') WHERE event_id = 5$$),
	(19, $$UPDATE commerce.events SET refund = NULL WHERE event_id = 7$$),
	(20, $$UPDATE commerce.events SET refund = '{}' WHERE event_id = 7$$),
	(21, $$UPDATE commerce.events SET refund = '{"amount": 0, "items": []}' WHERE event_id = 4$$),
	(22, $$INSERT INTO commerce.idempotency_keys VALUES (1, 'refund_order', 'k', '', 99), (1, 'hold_order', 'k', '', 98)$$)
) c (nth, damage), pg_temp.violations(c.damage) v
ORDER BY c.nth, v.check_name, v.object_id;

-- Purged events are not missed; a part of them neither.
SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt)) FROM commerce.claim_events();
SELECT * FROM commerce.purge_events('0');
SELECT * FROM commerce.verify();
SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt)) FROM commerce.claim_events();
SELECT * FROM commerce.purge_events('0');
SELECT event_id FROM commerce.events;
SELECT * FROM commerce.verify();
