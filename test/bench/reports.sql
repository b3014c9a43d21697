-- How long reports take: 1,000,000 orders of a year with 2,000,000 lines, 10,000
-- users, options and coupon policies. Written straight into the tables, as nobody
-- but a superuser can: only their number, size and order matter here.
CREATE EXTENSION commerce;

INSERT INTO commerce.users SELECT n, 'user ' || n FROM generate_series(1, 10000) n;
INSERT INTO commerce.products SELECT n, 'product ' || n FROM generate_series(1, 2500) n;
INSERT INTO commerce.product_options
SELECT n, (n + 3) / 4, 'option ' || n, 1000 FROM generate_series(1, 10000) n;
INSERT INTO commerce.coupon_policies (policy_id, name, discount_type, discount_value,
	min_order_amount, quantity, per_user_limit, issue_from, issue_until, valid_until,
	restore_on_cancel, highest_limit)
SELECT n, 'policy ' || n, 'fixed', 100, 0, 10000, 1, now(), NULL, NULL, true, 1
FROM generate_series(1, 10000) n;

-- Each hundredth is or was in a rush, and has 64 slots.
INSERT INTO commerce.stock_slots
SELECT n, slot, 6, 100
FROM generate_series(1, 10000) n,
	 generate_series(0, CASE WHEN n % 100 = 0 THEN 63 ELSE 0 END) slot;
INSERT INTO commerce.coupon_quota_slots SELECT * FROM commerce.stock_slots;

-- The last order was paid just now, the first a year ago. 1, 2 or 3 lines each.
INSERT INTO commerce.orders (order_id, user_id, status, subtotal, discount, total,
	placed_at, paid_at)
SELECT n, 1 + n * 7919 % 10000, 'paid', 2000, 0, 2000, paid_at, paid_at
FROM generate_series(1, 1000000::bigint) n,
	 LATERAL (SELECT now() - (1000000 - n) * interval '365 days' / 1000000) t (paid_at);
INSERT INTO commerce.order_items (order_id, line_no, option_id, product_id, quantity,
	unit_price, discount_amount)
SELECT n, line_no, option_id, (option_id + 3) / 4, 1 + n % 3, 1000, 0
FROM generate_series(1, 1000000::bigint) n, generate_series(1, 1 + n % 3) line_no,
	 LATERAL (SELECT 1 + (n * 104729 + line_no * 3001) % 10000) o (option_id);
INSERT INTO commerce.balance_history (user_id, entry_no, type, amount, balance_after,
	order_id)
SELECT 1 + n * 7919 % 10000, (n + 9999) / 10000, 'payment', -2000, 1000000, n
FROM generate_series(1, 1000000::bigint) n;
INSERT INTO commerce.coupons (coupon_id, policy_id, user_id, status, issued_at,
	expires_at, issue_no)
SELECT n, 1 + (n + n / 10000) % 10000, 1 + n % 10000, 'issued', now(), NULL, 1
FROM generate_series(1, 1000000) n;

-- One order in ten was paid back, all over the year.
UPDATE commerce.orders SET status = 'cancelled', refunded = total, closed_at = now()
WHERE order_id % 10 = 1;
UPDATE commerce.order_items SET refunded_quantity = quantity WHERE order_id % 10 = 1;
VACUUM ANALYZE;

\ir milliseconds.sql

\echo '| Report, on 1,000,000 orders of a year | rows | ms, median of 20 | longest |'
\echo '|---|---:|---:|---:|'
SELECT format('| `%s` | %s | %s | %s |', report, row_count,
	round(median::numeric, 1), round(longest::numeric, 1))
FROM (VALUES
	(1, 'popular_products()'),
	(2, 'popular_products(30)'),
	(3, 'popular_products(366)'),
	(4, 'stock'),
	(5, 'stock WHERE option_id = 500'),
	(6, 'coupon_quota'),
	(7, 'coupon_quota WHERE policy_id = 500'),
	(8, 'coupon_wallet WHERE user_id = 500'),
	(9, 'balance_history WHERE user_id = 500 AND entry_no < 50 ORDER BY entry_no DESC LIMIT 20'),
	(10, 'orders WHERE user_id = 500 AND order_id < 500000 ORDER BY order_id DESC LIMIT 20')
) r (nth, report), pg_temp.measure('SELECT * FROM commerce.' || report)
ORDER BY nth;
