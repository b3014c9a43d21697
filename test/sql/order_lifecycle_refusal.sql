-- Why a held order is not paid, an order not cancelled or refunded, and which of several reasons is told.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- One order of Kim's in each state, of two red and one blue with a total of
-- 2500; order 8 is Lee's, who has no account; order 2 is past its time.
DO $$
DECLARE
	items CONSTANT jsonb := '[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 1}]';
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 100, 2);
	PERFORM commerce.charge_balance(1, 10000);
	PERFORM commerce.hold_order(1, items) FROM generate_series(1, 3);
	PERFORM commerce.place_order(1, items) FROM generate_series(4, 7);
	PERFORM commerce.hold_order(2, items);
	PERFORM commerce.hold_order(1, items);
	PERFORM commerce.refund_order(5, '[{"option_id": 1, "quantity": 1}]');
	PERFORM commerce.refund_order(6, items);
	PERFORM commerce.cancel_order(7);
	PERFORM commerce.cancel_order(9);
	UPDATE commerce.orders SET expires_at = '2020-01-01 00:00+00' WHERE order_id = 3;
	PERFORM commerce.expire_orders();
	UPDATE commerce.orders SET expires_at = '2020-01-02 00:00+00' WHERE order_id = 2;
	PERFORM commerce.use_balance(1, commerce.get_balance(1));
END
$$;
SELECT order_id, user_id, status FROM commerce.orders ORDER BY order_id;

-- Each call on an order in each state, and on none.
SELECT o.order_id, o.status, p.code AS pay, c.code AS cancel, r.code AS refund
FROM (SELECT order_id, status::text FROM commerce.orders UNION ALL VALUES (99, 'none')) o,
	pg_temp.refusal(format('SELECT commerce.pay_order(%s)', o.order_id)) p,
	pg_temp.refusal(format('SELECT commerce.cancel_order(%s)', o.order_id)) c,
	pg_temp.refusal(format($$SELECT commerce.refund_order(%s, '[{"option_id": 1, "quantity": 1}]')$$, o.order_id)) r
ORDER BY o.order_id;

-- What they say.
SELECT c.call, r.*
FROM (VALUES
	(1, 'pay_order(99)'), (2, 'cancel_order(99)'), (3, 'pay_order(2)'), (4, 'pay_order(3)'), (5, 'pay_order(4)'),
	(6, 'pay_order(8)'), (7, 'cancel_order(5)'), (8, 'cancel_order(7)'),
	(9, $$refund_order(1, '[{"option_id": 1, "quantity": 1}]')$$),
	(10, $$refund_order(6, '[{"option_id": 1, "quantity": 1}]')$$),
	(11, $$refund_order(5, '[{"option_id": 3, "quantity": 7}, {"option_id": 2, "quantity": 1}, {"option_id": 1, "quantity": 2}]')$$)
) c (nth, call), pg_temp.refusal('SELECT commerce.' || c.call) r
ORDER BY c.nth;

-- Two reasons at a time, each with the next in order: the earlier is told.
SELECT c.why, r.code
FROM (VALUES
	(1, 'items > order',	$$refund_order(99, '[]')$$),
	(2, 'items > order',	$$refund_order(99, '[]', 'k')$$),
	(3, 'order, with a key', $$refund_order(99, '[{"option_id": 1, "quantity": 1}]', 'k')$$),
	(4, 'state > excess',	$$refund_order(1, '[{"option_id": 1, "quantity": 9}]')$$),
	(5, 'expired > account', $$pay_order(98)$$),
	(6, 'account, not expired', $$pay_order(8)$$)
) c (nth, why, call), pg_temp.refusal(
	'UPDATE commerce.orders SET user_id = 2, order_id = 98 WHERE order_id = 2; SELECT commerce.' || c.call) r
ORDER BY c.nth;

-- A balance that cannot take more: after state and excess, before anything is given back.
SET commerce.max_charge_amount = '9223372036854775807';
SELECT balance_after FROM commerce.charge_balance(1, 9223372036854775807);
SELECT c.call, r.*
FROM (VALUES
	(1, 'cancel_order(4)'), (2, 'cancel_order(1)'), (3, 'cancel_order(7)'),
	(4, $$refund_order(4, '[{"option_id": 2, "quantity": 1}]')$$),
	(5, $$refund_order(4, '[{"option_id": 2, "quantity": 2}]')$$)
) c (nth, call), pg_temp.refusal('SELECT commerce.' || c.call) r
ORDER BY c.nth;
-- To the last coin.
SELECT balance_after FROM commerce.use_balance(1, 500);
SELECT refunded FROM commerce.refund_order(4, '[{"option_id": 2, "quantity": 1}]');
SELECT * FROM commerce.get_balance(1);

-- A stock that cannot take more: the server's own error; nothing else of the order went back.
SELECT balance_after FROM commerce.use_balance(1, 5000);
SELECT available FROM commerce.adjust_stock(1, 9223372036854775807 - (SELECT available FROM commerce.stock WHERE option_id = 1));
SELECT c.call, r.code, r.message
FROM (VALUES
	(1, 'cancel_order(1)'), (2, $$refund_order(5, '[{"option_id": 1, "quantity": 1}]')$$), (3, 'expire_orders()')
) c (nth, call), pg_temp.refusal('SELECT commerce.' || c.call) r
ORDER BY c.nth;
SELECT available FROM commerce.adjust_stock(1, -2);
SELECT * FROM commerce.expire_orders();
SELECT status, refunded FROM commerce.refund_order(5, '[{"option_id": 2, "quantity": 1}]');
SELECT option_id, available FROM commerce.stock ORDER BY option_id;

-- Nothing was done that was refused.
SELECT order_id, status, refunded FROM commerce.orders ORDER BY order_id;
SELECT * FROM commerce.verify();
