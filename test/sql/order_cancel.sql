-- Cancelling: everything that an order took goes back where it came from.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 10, 1);
	PERFORM commerce.create_product_option(1, 'blue', 333, 10, 2);
	PERFORM commerce.create_product_option(1, 'sample', 0, 10, 3);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, per_user_limit => 5, policy_id => 1);
	PERFORM commerce.charge_balance(1, 10000);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 2);
END
$$;
CREATE VIEW pg_temp.shop AS
	SELECT commerce.get_balance(1) AS balance,
		(SELECT array_agg(available ORDER BY option_id) FROM commerce.stock) AS stock,
		(SELECT string_agg(status::text, ' ' ORDER BY coupon_id) FROM commerce.coupons) AS coupons;
SELECT * FROM pg_temp.shop;

-- Paid.
SELECT order_id, total FROM commerce.place_order(1,
	'[{"option_id": 2, "quantity": 3}, {"option_id": 1, "quantity": 2}]', 1);
SELECT * FROM pg_temp.shop;
SELECT order_id, status, subtotal, discount, total, refunded, coupon_id, paid_at IS NOT NULL AS was_paid,
	closed_at = now() AS closed_now, cancel_reason
FROM commerce.cancel_order(1, 'changed my mind');
SELECT * FROM pg_temp.shop;
SELECT line_no, option_id, quantity, discount_amount, refunded_quantity FROM commerce.order_items WHERE order_id = 1 ORDER BY line_no;
SELECT entry_no, type, amount, balance_after, order_id FROM commerce.balance_history WHERE order_id = 1 ORDER BY entry_no;
SELECT event_type, refund FROM commerce.events WHERE order_id = 1 ORDER BY event_id;

-- Held, then paid.
SELECT order_id FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', 2);
SELECT status FROM commerce.pay_order(2);
SELECT status, refunded, cancel_reason FROM commerce.cancel_order(2);
SELECT event_type FROM commerce.events WHERE order_id = 2 ORDER BY event_id;
SELECT * FROM pg_temp.shop;

-- Never paid: nothing goes back to the balance, and nobody outside is told.
SELECT order_id FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 4}, {"option_id": 2, "quantity": 1}]', 2);
SELECT * FROM pg_temp.shop;
SELECT status, total, refunded, paid_at, closed_at = now() AS closed_now FROM commerce.cancel_order(3, 'no money');
SELECT line_no, quantity, refunded_quantity FROM commerce.order_items WHERE order_id = 3 ORDER BY line_no;
SELECT count(*) FROM commerce.events WHERE order_id = 3;
SELECT * FROM pg_temp.shop;

-- Past its time, but not swept yet: it may still be cancelled.
SELECT order_id FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '1 microsecond');
SELECT status FROM commerce.cancel_order(4);

-- For nothing: an event, but no entry in the history.
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 3, "quantity": 2}]');
SELECT status, refunded FROM commerce.cancel_order(5);
SELECT count(*) FROM commerce.balance_history WHERE order_id = 5;
SELECT event_type FROM commerce.events WHERE order_id = 5 ORDER BY event_id;
SELECT * FROM pg_temp.shop;

-- A large order, whose lines are not in the order of their options.
SELECT count(*) FROM generate_series(100, 250) n, commerce.create_product_option(1, 'no. ' || n, n, 1, n);
SELECT order_id, total FROM commerce.place_order(1, (
	SELECT jsonb_agg(jsonb_build_object('option_id', n, 'quantity', 1) ORDER BY n * 7 % 50) FROM generate_series(100, 149) n));
SELECT status, refunded FROM commerce.cancel_order(6);
SELECT count(*) FROM commerce.stock WHERE option_id >= 100 AND available = 1;

-- Ordered and cancelled in one transaction; cancelled and undone.
BEGIN;
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT status, refunded FROM commerce.cancel_order(7);
SELECT order_id, total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 10}]');
COMMIT;
BEGIN;
SELECT status, refunded FROM commerce.cancel_order(8);
ROLLBACK;
SELECT status FROM commerce.orders WHERE order_id = 8;
SELECT * FROM commerce.get_balance(1);
SELECT * FROM commerce.verify();
