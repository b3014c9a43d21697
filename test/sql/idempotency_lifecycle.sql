-- hold_order and refund_order with an idempotency key: done once, answered as things stand now.

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
	PERFORM commerce.create_product_option(1, 'blue', 500, 20, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1);
	PERFORM commerce.charge_balance(1, 10000);
	PERFORM commerce.charge_balance(2, 10000);
END
$$;
\set red '[{"option_id": 1, "quantity": 1}]'
\set two_red '[{"option_id": 1, "quantity": 2}]'

-- hold_order: the same order, whatever became of it.
SELECT order_id, status FROM commerce.hold_order(1, :'two_red', 1, '1 hour', 'k');
SELECT order_id, status FROM commerce.hold_order(1, '[{"quantity": 1, "option_id": 1}, {"option_id": 1, "quantity": 1.0}]', 1, '60 minutes', 'k');
SELECT order_id, status FROM commerce.pay_order(1);
SELECT order_id, status FROM commerce.hold_order(1, :'two_red', 1, '1 hour', 'k');
SELECT count(*) FROM commerce.orders;
SELECT available FROM commerce.stock WHERE option_id = 1;

-- Other items, coupon or time: a conflict. Another user or function: another key.
SELECT c.what, r.code, r.detail
FROM (VALUES
	(1, 'items',	$$hold_order(1, '[{"option_id": 1, "quantity": 3}]', 1, '1 hour', 'k')$$),
	(2, 'coupon',	$$hold_order(1, '[{"option_id": 1, "quantity": 2}]', NULL, '1 hour', 'k')$$),
	(3, 'ttl',		$$hold_order(1, '[{"option_id": 1, "quantity": 2}]', 1, '59 minutes', 'k')$$),
	(4, 'default',	$$hold_order(1, '[{"option_id": 1, "quantity": 2}]', 1, idempotency_key => 'k')$$)
) c (nth, what, call), pg_temp.refusal('SELECT commerce.' || c.call) r
ORDER BY c.nth;
SELECT order_id AS lees FROM commerce.hold_order(2, :'two_red', NULL, '1 hour', 'k') \gset
SELECT order_id AS kims FROM commerce.place_order(1, :'two_red', NULL, 'k') \gset
SELECT order_id > 1 AS another, user_id, status FROM commerce.orders WHERE order_id IN (:lees, :kims) ORDER BY user_id;

-- refund_order: once, in the scope of the order's user.
SELECT order_id = :kims AS this, refunded FROM commerce.refund_order(:kims, :'red', 'k');
SELECT order_id = :kims AS this, refunded FROM commerce.refund_order(:kims, :'red', 'k');
SELECT order_id = :kims AS this, refunded FROM commerce.refund_order(:kims, '[{"quantity": 1e0, "option_id": 1}]', 'k');
SELECT count(*) FROM commerce.events WHERE event_type = 'order.refunded';
SELECT code, detail FROM pg_temp.refusal(format($$SELECT commerce.refund_order(%s, '[{"option_id": 1, "quantity": 2}]', 'k')$$, :kims));
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.refund_order(1, '[{"option_id": 1, "quantity": 1}]', 'k')$$);
SELECT status FROM commerce.pay_order(:lees);
SELECT user_id, refunded FROM commerce.refund_order(:lees, :'red', 'k');

-- Without a key, or with another one, it is another refund.
SELECT status, refunded FROM commerce.refund_order(:kims, :'red', 'k2');
SELECT code FROM pg_temp.refusal(format($$SELECT commerce.refund_order(%s, '[{"option_id": 1, "quantity": 1}]', 'k3')$$, :kims));
SELECT code FROM pg_temp.refusal(format($$SELECT commerce.refund_order(%s, '[{"option_id": 1, "quantity": 1}]')$$, :kims));
-- As it is now: wholly refunded, though the first call refunded a part.
SELECT status, refunded FROM commerce.refund_order(:kims, :'red', 'k');

-- A refused call stores nothing: its key may be used for what is possible.
SELECT code FROM pg_temp.refusal($$SELECT commerce.refund_order(1, '[{"option_id": 2, "quantity": 1}]', 'k4')$$);
SELECT order_id, refunded FROM commerce.refund_order(1, :'red', 'k4');
SELECT code FROM pg_temp.refusal($$SELECT commerce.hold_order(1, '[{"option_id": 1, "quantity": 99}]', idempotency_key => 'k5')$$);
SELECT order_id AS held, status FROM commerce.hold_order(1, :'red', idempotency_key => 'k5') \gset

-- Neither stock nor coupon nor time is asked of a key that is known.
SELECT available FROM commerce.adjust_stock(1, -(SELECT available FROM commerce.stock WHERE option_id = 1));
SELECT order_id, status FROM commerce.hold_order(1, :'two_red', 1, '1 hour', 'k');
UPDATE commerce.orders SET expires_at = now() WHERE order_id = :held;
SELECT * FROM commerce.expire_orders();
SELECT order_id = :held AS same, status FROM commerce.hold_order(1, :'red', idempotency_key => 'k5');
SELECT user_id, function_name, idempotency_key FROM commerce.idempotency_keys ORDER BY 1, 2, 3;
SELECT * FROM commerce.verify();
