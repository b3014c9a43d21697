-- popular_products reads the orders of its days and their lines, not all there are,
-- whatever else the session has asked for before.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- While the table's first pages fill, no order has to keep their summary up to date:
-- there is none yet, and 1 is made.
INSERT INTO commerce.orders (order_id, user_id, status, subtotal, discount, total, paid_at)
VALUES (0, 1, 'paid', 1, 0, 1, now() - interval '400 days');
SELECT brin_summarize_range('commerce.orders_paid_at_idx', 0);

-- 100,000 orders of a year with two lines each, 274 a day, paid in the middle of it.
INSERT INTO commerce.products SELECT n, 'product ' || n FROM generate_series(1, 10) n;
INSERT INTO commerce.orders (order_id, user_id, status, subtotal, discount, total, paid_at)
SELECT n, 1, 'paid', 1, 0, 1, now() - interval '12 hours' - (100000 - n) / 274 * interval '1 day'
FROM generate_series(1, 100000) n;
INSERT INTO commerce.order_items
SELECT n, line_no, 1, 1 + n % 10, 1, 1, 0
FROM generate_series(1, 100000) n, generate_series(1, 2) line_no;
VACUUM ANALYZE commerce.orders, commerce.order_items;

-- All of them, often enough for a plan made for so much to be kept; then the last
-- three days', 822 orders.
SELECT count(*) FROM generate_series(1, 10) n, commerce.popular_products(365 + n, 10);
SELECT FROM pg_stat_force_next_flush();
BEGIN;
SELECT sum(quantity), min(quantity), max(quantity) FROM commerce.popular_products(3, 10);
SELECT relname, seq_scan, idx_tup_fetch < 40000 AS few
FROM pg_stat_xact_user_tables
WHERE schemaname = 'commerce' AND relname IN ('orders', 'order_items') ORDER BY relname;
COMMIT;
