-- The shop after :orders orders of one line, by :orders / 10 users, ten each, all
-- transmitted: as if they had been placed, but written at once.
\ir shop.sql
\set users :orders / 10

INSERT INTO commerce.users (user_id, name)
	SELECT n, 'user ' || n FROM generate_series(10001, :users) n;
INSERT INTO commerce.balances (user_id, balance, entry_count)
	SELECT n, 1000000000000 - 10 * 1000, 1 + 10 FROM generate_series(10001, :users) n;
UPDATE commerce.balances SET balance = balance - 10 * 1000, entry_count = 1 + 10
	WHERE user_id <= 10000;
INSERT INTO commerce.balance_history (user_id, entry_no, type, amount, balance_after)
	SELECT n, 1, 'charge', 1000000000000, 1000000000000
	FROM generate_series(10001, :users) n;

-- Order n is the user's order n / users + 1: 611953 shares no factor with a number of
-- users that is a power of ten, so that every user has one in each such run.
CREATE TEMP VIEW past AS
	SELECT n + 1 AS order_id, 1 + n * 611953 % (:users) AS user_id,
		   n / (:users) + 1 AS order_of_user, 1 + n * 7919 % 10000 AS option_id,
		   1000 AS total, now() - (:orders - n) * interval '100 ms' AS placed_at
	FROM generate_series(0, :orders - 1::bigint) n;
INSERT INTO commerce.orders (order_id, user_id, status, subtotal, discount, total,
		placed_at, paid_at)
	SELECT order_id, user_id, 'paid', total, 0, total, placed_at, placed_at FROM past;
INSERT INTO commerce.order_items (order_id, line_no, option_id, product_id, quantity,
		unit_price, discount_amount)
	SELECT order_id, 1, option_id, (option_id + 3) / 4, 1, total, 0 FROM past;
INSERT INTO commerce.balance_history (user_id, entry_no, type, amount, balance_after,
		order_id, created_at)
	SELECT user_id, order_of_user + 1, 'payment', -total,
		   1000000000000 - order_of_user * total, order_id, placed_at
	FROM past;
INSERT INTO commerce.events (event_id, event_type, order_id, created_at)
	SELECT order_id, 'order.paid', order_id, placed_at FROM past;
INSERT INTO commerce.stored_deliveries (event_id, subscription_no, order_id, origin, xact_id,
		status, attempt, failures, finished_at)
	SELECT event_id, 1, order_id, origin, xact_id, 'delivered', 1, 0, created_at
	FROM commerce.events;
SELECT setval('commerce.order_id_seq', :orders), setval('commerce.event_id_seq', :orders);

UPDATE commerce.stock_slots s SET quantity = quantity - sold
	FROM (SELECT option_id, count(*) AS sold FROM past GROUP BY option_id) p
	WHERE p.option_id = s.option_id;
VACUUM ANALYZE;
