-- verify() on orders and their events: each way they can be wrong is reported by its name.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/sound_shop.psql'
\set ECHO none
\i :helpers

SELECT * FROM commerce.verify();

-- Order 1: lines of 2000 and 1000, 300 off, 2700 paid. Order 2: one line of 1000.
SELECT c.damage, v.*
FROM (VALUES
	(1, 'UPDATE commerce.orders SET subtotal = 1001, total = 1001 WHERE order_id = 2'),
	(2, 'UPDATE commerce.orders SET discount = 301, total = 2699 WHERE order_id = 1'),
	(3, 'UPDATE commerce.orders SET total = 999 WHERE order_id = 2'),
	(4, 'UPDATE commerce.order_items SET quantity = 2 WHERE order_id = 2'),
	(5, 'UPDATE commerce.order_items SET unit_price = 999 WHERE order_id = 2'),
	(6, 'UPDATE commerce.order_items SET discount_amount = discount_amount + 1 WHERE order_id = 1 AND line_no = 1'),
	(7, 'UPDATE commerce.order_items SET discount_amount = 1001 WHERE order_id = 2'),
	(8, 'UPDATE commerce.order_items SET discount_amount = -1 WHERE order_id = 2'),
	(9, 'UPDATE commerce.order_items SET refunded_quantity = 2 WHERE order_id = 2'),
	(10, 'UPDATE commerce.order_items SET refunded_quantity = -1 WHERE order_id = 2'),
	(11, 'UPDATE commerce.order_items SET line_no = 2 WHERE order_id = 2'),
	(12, 'DELETE FROM commerce.order_items WHERE order_id = 2'),
	(13, 'UPDATE commerce.order_items SET product_id = 2 WHERE order_id = 2'),
	(14, 'DELETE FROM commerce.balance_history WHERE order_id = 2'),
	(15, 'UPDATE commerce.balance_history SET order_id = NULL WHERE order_id = 2'),
	(16, 'UPDATE commerce.orders SET user_id = 1 WHERE order_id = 2'),
	(17, 'UPDATE commerce.orders SET user_id = 9 WHERE order_id = 2'),
	(18, 'UPDATE commerce.orders SET refunded = 1001 WHERE order_id = 2'),
	(19, 'UPDATE commerce.orders SET refunded = -1 WHERE order_id = 2'),
	(20, 'UPDATE commerce.orders SET paid_at = NULL WHERE order_id = 2'),
	(21, $$UPDATE commerce.orders SET status = 'pending' WHERE order_id = 2$$),
	(22, $$UPDATE commerce.orders SET status = 'expired' WHERE order_id = 2$$),
	(23, $$UPDATE commerce.orders SET status = 'cancelled', closed_at = now() WHERE order_id = 2$$),
	(24, $$UPDATE commerce.orders SET status = 'refunded', closed_at = now() WHERE order_id = 2$$),
	(25, 'DELETE FROM commerce.events WHERE order_id = 2'),
	(26, $$INSERT INTO commerce.events (event_type, order_id) VALUES ('order.paid', 2)$$),
	(27, $$INSERT INTO commerce.events (event_type, order_id) VALUES ('order.cancelled', 2)$$),
	(28, $$INSERT INTO commerce.events (event_type, order_id) VALUES ('order.refunded', 2)$$),
	(29, $$INSERT INTO commerce.events (event_id, event_type, order_id) VALUES (99, 'order.paid', 9)$$),
	(30, 'DELETE FROM commerce.orders WHERE order_id = 2'),
	(31, 'DELETE FROM commerce.product_options WHERE option_id = 2'),
	(32, $$UPDATE commerce.events SET event_type = 'order.lost' WHERE order_id = 2$$),
	(33, $$INSERT INTO commerce.balance_history VALUES (2, 4, 'refund', 100, 9000, 1); UPDATE commerce.orders SET refunded = 100 WHERE order_id = 1$$),
	(34, $$UPDATE commerce.orders SET status = 'partially_refunded' WHERE order_id = 2$$),
	(35, 'UPDATE commerce.order_items SET refunded_quantity = 1 WHERE order_id = 2'),
	(36, $$UPDATE commerce.balance_history SET type = 'refund', amount = 1 WHERE order_id = 2; UPDATE commerce.orders SET status = 'partially_refunded', refunded = 1 WHERE order_id = 2$$),
	(37, $$INSERT INTO commerce.idempotency_keys VALUES (2, 'place_order', 'k', '', 99)$$),
	(38, $$INSERT INTO commerce.idempotency_keys VALUES (2, 'charge_balance', 'k', '', 99)$$),
	(39, $$INSERT INTO commerce.idempotency_keys VALUES (2, 'issue_coupon', 'k', '', 99), (0, 'adjust_stock', 'k', '', 98)$$)
) c (nth, damage), pg_temp.violations(c.damage) v
ORDER BY c.nth, v.check_name, v.object_id;

-- A cancelled or expired order that was never paid needs no event and no money.
SELECT c.damage, v.check_name
FROM (VALUES
	(1, $$UPDATE commerce.orders SET status = 'cancelled', paid_at = NULL, closed_at = now(); DELETE FROM commerce.events$$),
	(2, $$UPDATE commerce.orders SET status = 'expired', paid_at = NULL, closed_at = now(); DELETE FROM commerce.events$$)
) c (nth, damage), pg_temp.violations(c.damage) v
WHERE v.check_name ~ 'event' ORDER BY c.nth, v.check_name, v.object_id;
SELECT * FROM commerce.verify();
