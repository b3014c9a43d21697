-- A shop in which :events orders of one line wait to be transmitted, 50 us apart.
CREATE EXTENSION commerce;

INSERT INTO commerce.orders (order_id, user_id, status, subtotal, discount, total,
		placed_at, paid_at)
	SELECT n, 1 + n % 10000, 'paid', 1000, 0, 1000, at, at
	FROM generate_series(1, :events) n,
		LATERAL (SELECT now() - (:events - n) * interval '50 us') t (at);
INSERT INTO commerce.order_items (order_id, line_no, option_id, product_id, quantity,
		unit_price, discount_amount)
	SELECT order_id, 1, 1 + order_id % 10000, 1 + order_id % 2500, 1, total, 0
	FROM commerce.orders;
INSERT INTO commerce.events (event_id, event_type, order_id, created_at)
	SELECT order_id, 'order.paid', order_id, placed_at
	FROM commerce.orders ORDER BY order_id;
VACUUM ANALYZE;
