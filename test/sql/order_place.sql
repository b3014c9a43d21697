-- An order without a coupon: user, stock, balance, order, lines and event in one call.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product('coat', 2);
	PERFORM commerce.create_product_option(1, 'red', 1000, 10, 11);
	PERFORM commerce.create_product_option(1, 'blue', 1500, 10, 12);
	PERFORM commerce.create_product_option(2, 'long', 9000, 10, 21);
	PERFORM commerce.create_product_option(2, 'sample', 0, 10, 22);
	PERFORM commerce.charge_balance(1, 100000);
END
$$;

SELECT order_id, user_id, status, subtotal, discount, total, refunded, coupon_id,
	placed_at = now() AS placed_now, paid_at = now() AS paid_now, closed_at, expires_at, cancel_reason
FROM commerce.place_order(1, '[{"option_id": 21, "quantity": 1}, {"option_id": 11, "quantity": 3}]');

-- What it wrote: lines by first appearance at the price of this moment, one
-- payment, one event.
SELECT * FROM commerce.order_items ORDER BY line_no;
SELECT * FROM commerce.stock ORDER BY option_id;
SELECT user_id, entry_no, type, amount, balance_after, order_id
FROM commerce.balance_history WHERE entry_no > 1;
SELECT event_id, event_type, order_id, status, attempt, failures, locked_until, last_error,
	delivered_at
FROM commerce.deliveries;

-- The same option twice is one line, where it first appeared.
SELECT order_id, subtotal, total FROM commerce.place_order(1, '[
	{"option_id": 12, "quantity": 1}, {"option_id": 21, "quantity": 1},
	{"quantity": 2, "option_id": 12}]');
SELECT line_no, option_id, quantity FROM commerce.order_items WHERE order_id = 2 ORDER BY line_no;

-- Later prices leave earlier orders alone.
SELECT price FROM commerce.set_price(12, 2000);
SELECT total FROM commerce.place_order(1, '[{"option_id": 12, "quantity": 1}]');
SELECT order_id, option_id, unit_price FROM commerce.order_items
WHERE option_id = 12 ORDER BY order_id;

-- Everything there is, to the last unit and to the last coin.
SELECT available FROM commerce.stock WHERE option_id = 12;
SELECT amount, balance_after FROM commerce.use_balance(1, 56500);
SELECT total FROM commerce.place_order(1, '[{"option_id": 12, "quantity": 6}]');
SELECT * FROM commerce.get_balance(1);
SELECT available FROM commerce.stock WHERE option_id = 12;

-- For nothing: no balance entry, but an order and its event.
SELECT order_id, status, subtotal, total, paid_at IS NOT NULL AS paid
FROM commerce.place_order(1, '[{"option_id": 22, "quantity": 2}]');
SELECT count(*) FROM commerce.balance_history WHERE order_id = 5;
SELECT event_type FROM commerce.events WHERE order_id = 5;

-- Several in one transaction see each other's effects; undone together.
SELECT balance_after FROM commerce.charge_balance(1, 3000);
BEGIN;
SELECT total FROM commerce.place_order(1, '[{"option_id": 11, "quantity": 2}]');
SELECT total FROM commerce.place_order(1, '[{"option_id": 11, "quantity": 1}]');
SELECT code, detail FROM pg_temp.refusal(
	$$SELECT commerce.place_order(1, '[{"option_id": 11, "quantity": 1}]')$$);
SELECT count(*), sum(total) FROM commerce.orders WHERE order_id > 5;
ROLLBACK;
SELECT * FROM commerce.get_balance(1);
SELECT available FROM commerce.stock WHERE option_id = 11;
SELECT count(*) FROM commerce.orders;
SELECT count(*) FROM commerce.events;

-- In one statement too.
SELECT o.subtotal FROM generate_series(1, 3) i,
	commerce.place_order(1, jsonb_build_array(
		jsonb_build_object('option_id', 11, 'quantity', i))) o;
SELECT * FROM commerce.get_balance(1);
SELECT available FROM commerce.stock WHERE option_id = 11;
SELECT * FROM commerce.verify();
