-- Paging by key: a user's balance history and orders, newest first. The next page
-- starts from the last key of this one, and so is read from the index as the first
-- is, however far back; what is added meanwhile shifts nothing.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- 300 users with 200 orders and as many payments each.
INSERT INTO commerce.orders (order_id, user_id, status, subtotal, discount, total, paid_at)
SELECT n, 1 + n % 300, 'paid', 1, 0, 1, now() FROM generate_series(1, 60000) n;
INSERT INTO commerce.balance_history (user_id, entry_no, type, amount, balance_after, order_id)
SELECT 1 + n % 300, 1 + (n - 1) / 300, 'payment', -1, 1000 - (n - 1) / 300, n
FROM generate_series(1, 60000) n;
VACUUM ANALYZE commerce.orders, commerce.balance_history;

-- The first page, and the next after entry_no 181.
PREPARE first_entries AS SELECT entry_no, type, amount, balance_after, order_id, created_at
	FROM commerce.balance_history WHERE user_id = $1
	ORDER BY entry_no DESC LIMIT 20;
PREPARE next_entries AS SELECT entry_no, type, amount, balance_after, order_id, created_at
	FROM commerce.balance_history WHERE user_id = $1 AND entry_no < $2
	ORDER BY entry_no DESC LIMIT 20;
EXPLAIN (COSTS OFF) EXECUTE first_entries(7);
EXPLAIN (COSTS OFF) EXECUTE next_entries(7, 181);

-- The same for orders, the next after order_id 54006.
PREPARE first_orders AS SELECT order_id, status, total, refunded, placed_at
	FROM commerce.orders WHERE user_id = $1
	ORDER BY order_id DESC LIMIT 20;
PREPARE next_orders AS SELECT order_id, status, total, refunded, placed_at
	FROM commerce.orders WHERE user_id = $1 AND order_id < $2
	ORDER BY order_id DESC LIMIT 20;
EXPLAIN (COSTS OFF) EXECUTE first_orders(7);
EXPLAIN (COSTS OFF) EXECUTE next_orders(7, 54006);

-- A driver that keeps a plan for any values gets the same.
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE next_entries(7, 181);
EXPLAIN (COSTS OFF) EXECUTE next_orders(7, 54006);
RESET plan_cache_mode;

-- Page by page to the end: each row once, in order, while new ones come.
CREATE FUNCTION pg_temp.walk(page_query text, new_row text)
RETURNS TABLE (pages integer, rows integer, different integer, descending boolean)
LANGUAGE plpgsql AS $$
DECLARE
	keys bigint[] := '{}';
	page bigint[];
	last_key bigint := 9223372036854775807;
BEGIN
	pages := 0;
	LOOP
		EXECUTE page_query INTO page USING 7, last_key;
		EXIT WHEN page IS NULL;
		pages := pages + 1;
		keys := keys || page;
		last_key := page[array_length(page, 1)];
		EXECUTE new_row USING pages;
	END LOOP;
	SELECT count(*), count(DISTINCT key), bool_and(key < previous)
	INTO rows, different, descending
	FROM (SELECT key, lag(key) OVER (ORDER BY nth) AS previous
		  FROM unnest(keys) WITH ORDINALITY k (key, nth)) k;
	RETURN NEXT;
END
$$;
SELECT * FROM pg_temp.walk(
	'SELECT array_agg(entry_no ORDER BY entry_no DESC) FROM (SELECT entry_no
		FROM commerce.balance_history WHERE user_id = $1 AND entry_no < $2
		ORDER BY entry_no DESC LIMIT 20) page',
	'INSERT INTO commerce.balance_history VALUES (7, 200 + $1, ''charge'', 1, 1)');
SELECT * FROM pg_temp.walk(
	'SELECT array_agg(order_id ORDER BY order_id DESC) FROM (SELECT order_id
		FROM commerce.orders WHERE user_id = $1 AND order_id < $2
		ORDER BY order_id DESC LIMIT 20) page',
	'INSERT INTO commerce.orders (order_id, user_id, status, subtotal, discount, total)
		VALUES (60000 + $1, 7, ''paid'', 1, 0, 1)');
