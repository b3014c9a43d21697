-- How expire_orders looks for orders that are due: by their index, whatever statistics say.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

SELECT FROM commerce.create_user('Kim', 1);
SELECT FROM commerce.create_product('shirt', 1);
SELECT FROM commerce.create_product_option(1, 'red', 1, 100000, 1);

-- A session that swept when there was nothing, and analyzed as such, keeps its plan.
VACUUM ANALYZE commerce.orders, commerce.order_items;
SELECT sum(expired) FROM generate_series(1, 10) n, LATERAL (
	SELECT commerce.expire_orders(n) AS expired) sweeps;
SELECT count(commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl =>
	CASE WHEN n % 2 = 0 THEN interval '1 microsecond' ELSE '1 hour' END))
FROM generate_series(1, 4000) n;
SELECT FROM pg_stat_force_next_flush();
BEGIN;
SELECT * FROM commerce.expire_orders(500);
SELECT * FROM commerce.expire_orders(2000);
SELECT relname, seq_scan FROM pg_stat_xact_user_tables
WHERE schemaname = 'commerce' AND relname IN ('orders', 'order_items', 'stock_slots')
ORDER BY relname;
COMMIT;
SELECT * FROM commerce.expire_orders();
SELECT status, count(*) FROM commerce.orders GROUP BY status ORDER BY status;

-- Only what is pending is in that index.
SELECT pg_get_indexdef(indexrelid) FROM pg_index
WHERE indexrelid = 'commerce.orders_pending_idx'::regclass;
SELECT * FROM commerce.verify();
