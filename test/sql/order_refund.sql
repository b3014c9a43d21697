-- Refunding part of an order: stock and money come back, unit by unit if need be.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Order 1: two red at 1000, three blue at 300; 500 off are shared 345 and 155.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 10, 1);
	PERFORM commerce.create_product_option(1, 'blue', 300, 10, 2);
	PERFORM commerce.create_product_option(1, 'sample', 0, 10, 3);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 500, 10, policy_id => 1);
	PERFORM commerce.charge_balance(1, 10000);
	PERFORM commerce.issue_coupon(1, 1);
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 3}]', 1);
END
$$;
SELECT line_no, option_id, quantity, unit_price, discount_amount FROM commerce.order_items ORDER BY line_no;

-- One blue: floor(745 x 1 / 3).
SELECT order_id, status, total, refunded, closed_at, coupon_id FROM commerce.refund_order(1, '[{"option_id": 2, "quantity": 1}]');
SELECT line_no, quantity, refunded_quantity FROM commerce.order_items ORDER BY line_no;
SELECT entry_no, type, amount, balance_after, order_id FROM commerce.balance_history WHERE entry_no > 2;
SELECT * FROM commerce.stock ORDER BY option_id;
SELECT event_type, refund FROM commerce.events WHERE event_type <> 'order.paid';

-- One of each: floor(745 x 2 / 3) - 248, and half of 1655.
SELECT status, refunded FROM commerce.refund_order(1, '[{"option_id": 2, "quantity": 1}, {"option_id": 1, "quantity": 1}]');
SELECT refund FROM commerce.events WHERE event_id = 3;
SELECT coupon_id, status FROM commerce.coupons;

-- What is left: the last units take the remainders. The same option twice adds up.
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.refund_order(1, '[{"option_id": 2, "quantity": 2}, {"option_id": 1, "quantity": 1}]')$$);
SELECT status, total, refunded, closed_at = now() AS closed_now FROM commerce.refund_order(1, '[{"option_id": 1, "quantity": 1}, {"option_id": 2, "quantity": 1}]');
SELECT event_id, refund FROM commerce.events WHERE event_type = 'order.refunded' ORDER BY event_id;
SELECT * FROM commerce.get_balance(1);
SELECT * FROM commerce.stock ORDER BY option_id;
SELECT coupon_id, status, order_id FROM commerce.coupons;

-- All at once, merged from several elements.
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 3}]');
SELECT status, refunded FROM commerce.refund_order(2, '[{"option_id": 1, "quantity": 1}, {"option_id": 1, "quantity": 2}]');
SELECT refund FROM commerce.events WHERE order_id = 2 AND event_type = 'order.refunded';

-- For nothing: no entry in the history, but an event each.
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 3, "quantity": 2}]');
SELECT status, refunded FROM commerce.refund_order(3, '[{"option_id": 3, "quantity": 1}]');
SELECT status, refunded, closed_at = now() AS closed_now FROM commerce.refund_order(3, '[{"option_id": 3, "quantity": 1}]');
SELECT count(*) FROM commerce.balance_history WHERE order_id = 3;
SELECT event_type, refund FROM commerce.events WHERE order_id = 3 ORDER BY event_id;

-- What the outside is told: the refund as it was made, the order as it is at the claim.
SELECT event_id, event_type, payload ? 'refund' AS has_refund FROM commerce.claim_events();
SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt)) FROM commerce.deliveries WHERE status = 'running';
SELECT event_type, payload #> '{data, refund}' AS refund, payload #>> '{data, order, refunded}' AS refunded,
	payload #>> '{data, order, items, 1, refunded_quantity}' AS blue_refunded
FROM commerce.claim_events() WHERE order_id = 1;

-- Twice in one transaction, and undone.
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 3}]');
BEGIN;
SELECT refunded FROM commerce.refund_order(4, '[{"option_id": 1, "quantity": 1}]');
SELECT refunded FROM commerce.refund_order(4, '[{"option_id": 1, "quantity": 1}]');
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.refund_order(4, '[{"option_id": 1, "quantity": 2}]')$$);
ROLLBACK;
SELECT status, refunded FROM commerce.orders WHERE order_id = 4;
SELECT * FROM commerce.verify();
