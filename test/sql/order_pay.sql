-- Paying a held order: from pending to paid, at the price it was held at.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 10, 1);
	PERFORM commerce.create_product_option(1, 'sample', 0, 10, 2);
	PERFORM commerce.create_coupon_policy('spring', 'percent', 10, 10, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1);
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 2}]', 1);
	PERFORM commerce.hold_order(1, '[{"option_id": 2, "quantity": 1}]');
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => 'P1D');
END
$$;

-- Without an account nothing is paid, not even nothing.
SELECT code, detail FROM pg_temp.refusal('SELECT commerce.pay_order(1)');
SELECT code, detail FROM pg_temp.refusal('SELECT commerce.pay_order(2)');
SELECT balance_after FROM commerce.charge_balance(1, 1799);
SELECT code, detail FROM pg_temp.refusal('SELECT commerce.pay_order(1)');
SELECT balance_after FROM commerce.charge_balance(1, 1);

-- Whatever happened to the price since.
SELECT price FROM commerce.set_price(1, 5000);
SELECT order_id, status, subtotal, discount, total, refunded, coupon_id, paid_at = now() AS paid_now,
	closed_at, expires_at = placed_at + interval '15 minutes' AS keeps_expires_at
FROM commerce.pay_order(1);
SELECT entry_no, type, amount, balance_after, order_id FROM commerce.balance_history ORDER BY entry_no;
SELECT event_id, event_type, order_id, refund FROM commerce.events;
SELECT coupon_id, status, order_id FROM commerce.coupons;

-- For nothing: no entry in the history, but an event.
SELECT order_id, status, total FROM commerce.pay_order(2);
SELECT count(*) FROM commerce.balance_history WHERE order_id = 2;
SELECT event_type FROM commerce.events WHERE order_id = 2;

-- Once only.
SELECT code, detail, message FROM pg_temp.refusal('SELECT commerce.pay_order(1)');

-- Until it expires, and not at that moment: half-open.
BEGIN;
UPDATE commerce.orders SET expires_at = now() WHERE order_id = 3;
SELECT code, detail ->> 'order_id' AS order_id, (detail ->> 'expires_at')::timestamptz = now() AS expires_at, message
FROM pg_temp.refusal('SELECT commerce.pay_order(3)');
UPDATE commerce.orders SET expires_at = now() + interval '1 microsecond' WHERE order_id = 3;
SELECT code FROM pg_temp.refusal('SELECT commerce.pay_order(3)');
ROLLBACK;

-- Held and paid in one transaction; undone together.
SELECT balance_after FROM commerce.charge_balance(1, 9000);
BEGIN;
SELECT order_id, status FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '1 microsecond');
SELECT order_id, status, total FROM commerce.pay_order(4);
SELECT order_id, status, total FROM commerce.pay_order(3);
ROLLBACK;
SELECT order_id, status FROM commerce.orders ORDER BY order_id;
SELECT * FROM commerce.get_balance(1);
SELECT * FROM commerce.verify();
