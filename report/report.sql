-- What the report shows, a line each, its kind first; a name may hold what separates
-- lines and columns. One snapshot; level reader suffices, but for verify().
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL TimeZone = :'zone';
-- Whoever may create in public, say, has no operators of theirs called here.
SET LOCAL search_path = pg_catalog, pg_temp;

SELECT 'shop', translate(current_database(), E'\n\r\x1f', '   '), to_char(now(), 'YYYY-MM-DD HH24:MI TZ');

-- The last 30 days, also those without an order.
SELECT 'day', to_char(d.day, 'YYYY-MM-DD'), count(o.order_id), coalesce(sum(o.total), 0),
	coalesce(sum(o.refunded), 0)
FROM generate_series(date_trunc('day', now()) - interval '29 days', now(), interval '1 day') d (day)
LEFT JOIN commerce.orders o
	ON o.paid_at >= d.day AND o.paid_at < d.day + interval '1 day'
	-- All days together, for the index.
	AND o.paid_at >= date_trunc('day', now()) - interval '29 days'
GROUP BY d.day ORDER BY d.day;

SELECT 'best', translate(p.name, E'\n\r\x1f', '   '), p.quantity FROM commerce.popular_products(30, 5) p;

SELECT 'call', m.labels->>'function', m.labels->>'sqlstate', m.value
FROM commerce.metrics() m
WHERE m.name = 'commerce_calls_total'
  AND m.labels->>'function' IN ('place_order', 'place_orders', 'hold_order', 'pay_order', 'issue_coupon',
	'issue_coupons', 'charge_balance', 'use_balance', 'use_coupon', 'cancel_order', 'refund_order')
ORDER BY m.labels->>'sqlstate' = '00000' DESC, m.value DESC;

-- At the rate of the last 7 days, what is gone first.
WITH first_order AS MATERIALIZED (
	SELECT min(o.order_id) AS order_id
	FROM (SELECT o.order_id FROM commerce.orders o WHERE o.paid_at >= now() - interval '7 days' OFFSET 0) o
), sold AS (
	SELECT i.option_id, sum(i.quantity - i.refunded_quantity) AS quantity
	FROM commerce.order_items i JOIN commerce.orders o USING (order_id)
	WHERE i.order_id >= (SELECT f.order_id FROM first_order f) AND o.paid_at >= now() - interval '7 days'
	GROUP BY i.option_id
)
SELECT 'stock', translate(p.name, E'\n\r\x1f', '   '), translate(o.name, E'\n\r\x1f', '   '), s.available, d.quantity, s.available * 7.0 / d.quantity
FROM sold d
JOIN commerce.stock s USING (option_id)
JOIN commerce.product_options o USING (option_id)
JOIN commerce.products p ON p.product_id = o.product_id
WHERE d.quantity > 0
ORDER BY s.available / d.quantity, d.quantity DESC, o.option_id
LIMIT 10;

SELECT 'coupon', translate(p.name, E'\n\r\x1f', '   '), q.remaining, q.quantity, to_char(p.issue_until, 'YYYY-MM-DD HH24:MI')
FROM commerce.coupon_policies p JOIN commerce.coupon_quota q USING (policy_id)
WHERE p.issue_from <= now() AND (p.issue_until IS NULL OR p.issue_until > now())
ORDER BY q.remaining::numeric / q.quantity, p.policy_id
LIMIT 10;

SELECT 'delivery', s.subscription, coalesce(s.paused_at IS NOT NULL, false),
	max(m.value) FILTER (WHERE m.labels->>'status' = 'available'),
	max(m.value) FILTER (WHERE m.labels->>'status' = 'running'),
	max(m.value) FILTER (WHERE m.labels->>'status' = 'dead'),
	max(m.value) FILTER (WHERE m.name = 'commerce_oldest_undelivered_seconds')
FROM commerce.subscriptions s
LEFT JOIN (SELECT * FROM commerce.metrics()) m ON m.labels->>'subscription' = s.subscription
GROUP BY s.subscription, s.paused_at ORDER BY s.subscription;

SELECT has_function_privilege('commerce.verify()', 'EXECUTE') AS may_verify \gset
\if :may_verify
SELECT 'verified', count(*) FROM commerce.verify();
SELECT 'violation', v.check_name, v.object_id, v.expected, v.actual FROM commerce.verify() v LIMIT 20;
\endif
COMMIT;
