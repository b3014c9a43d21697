-- How long metrics() takes on :orders paid orders with an event each, written straight
-- into the tables: first nobody has ever asked for an event, then all but 1,000 are
-- delivered, then 5 more subscriptions have asked for none.
CREATE EXTENSION commerce;
SET commerce.notify = off;

INSERT INTO commerce.orders (order_id, user_id, status, subtotal, discount, total,
	placed_at, paid_at)
SELECT n, 1 + n * 7919 % 10000, 'paid', 2000, 0, 2000, paid_at, paid_at
FROM generate_series(1, :orders::bigint) n,
	 LATERAL (SELECT now() - (:orders - n) * (interval '365 days' / :orders)) t (paid_at);
-- As if each had been a transaction of its own.
INSERT INTO commerce.events (event_id, event_type, order_id, created_at, origin, xact_id)
SELECT order_id, 'order.paid', order_id, placed_at, commerce.event_origin(), order_id
FROM commerce.orders ORDER BY order_id;
VACUUM ANALYZE commerce.orders, commerce.events;

\ir milliseconds.sql
\set measured 'format(''| %s | %s | %s |'', what, round(median::numeric, 1), round(longest::numeric, 1)) FROM pg_temp.measure(''SELECT count(*) FROM commerce.metrics()'')'

\echo '| metrics(), on' :orders 'orders | ms, median of 20 | longest |'
\echo '|---|---:|---:|'
SELECT :measured, (VALUES ('nobody has asked for an event')) w (what);

INSERT INTO commerce.stored_deliveries (event_id, subscription_no, order_id, origin, xact_id,
	status, attempt, failures, finished_at)
SELECT event_id, 1, order_id, origin, xact_id, 'delivered', 1, 0, created_at
FROM commerce.events WHERE order_id <= :orders - 1000;
INSERT INTO commerce.cursors (subscription_no, origin, cursor_no, next_xact_id, last_event_id,
	in_progress, doubtful_xact_ids, doubtful_event_ids)
SELECT 1, commerce.event_origin(), 1, :orders - 1000 + 1, 0, '{}', '{}', '{}';
VACUUM ANALYZE commerce.stored_deliveries;
SELECT :measured, (VALUES ('all but 1000 events are delivered')) w (what);

SELECT commerce.create_subscription('unread_' || n, start_from => '-infinity')
FROM generate_series(1, 5) n \g /dev/null
SELECT :measured, (VALUES ('5 more subscriptions have asked for none')) w (what);
\echo
SELECT '- events counted: ' || string_agg(value::text, ' ' ORDER BY labels->>'subscription', labels->>'status')
FROM commerce.metrics() WHERE name = 'commerce_undelivered_events';
