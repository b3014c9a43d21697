-- Large batches: more requests and lines than are worked off in one go.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/requests.psql'
\set ECHO none
\i :helpers

-- Option 1 is what everybody wants, 2 is scarce, 11 to 1010 are one for each.
DO $$
BEGIN
	PERFORM commerce.create_user('buyer', n), commerce.charge_balance(n, 10000000) FROM generate_series(1, 40) n;
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'hot', 10, 100000, 1);
	PERFORM commerce.create_product_option(1, 'scarce', 10, 333, 2);
	PERFORM commerce.create_product_option(1, 'no. ' || n, n, 100, n) FROM generate_series(11, 1010) n;
	PERFORM commerce.create_coupon_policy('five', 'fixed', 5, 1000, per_user_limit => 1000, policy_id => 1);
	PERFORM commerce.issue_coupon(1 + n % 40, 1) FROM generate_series(0, 399) n;
END
$$;

-- A thousand for one option.
SELECT count(*), count(order_id), max(request_no) FROM commerce.place_orders((
	SELECT jsonb_agg(pg_temp.request(1 + n % 40, '1:1') ORDER BY n) FROM generate_series(0, 999) n));
SELECT option_id, available FROM commerce.stock WHERE option_id = 1;
SELECT DISTINCT balance, entry_count FROM commerce.balances;

-- A thousand for a scarce one: the first ones have it, as far as it goes, whatever part they are in.
SELECT sqlstate, count(*), min(request_no), max(request_no) FROM commerce.place_orders((
	SELECT jsonb_agg(pg_temp.request(1 + n % 40, '2:2 1:1') ORDER BY n) FROM generate_series(0, 999) n))
GROUP BY sqlstate ORDER BY sqlstate;
-- One is left: for who wants one, behind a thousand who want two.
SELECT request_no, sqlstate, detail FROM commerce.place_orders((
	SELECT jsonb_agg(pg_temp.request(1 + n % 40, '2:2') ORDER BY n) || pg_temp.request(7, '2:1') || pg_temp.request(7, '2:1')
	FROM generate_series(0, 999) n))
WHERE request_no > 999;
SELECT option_id, available FROM commerce.stock WHERE option_id <= 2 ORDER BY 1;

-- A thousand for a thousand different ones, and an order of all thousand among them.
SELECT count(order_id), count(*) FROM commerce.place_orders((
	SELECT jsonb_agg(CASE n WHEN 500 THEN pg_temp.request(3, (
			SELECT string_agg(o || ':2', ' ' ORDER BY o DESC) FROM generate_series(11, 1010) o))
		ELSE pg_temp.request(1 + n % 40, (11 + n) || ':1') END ORDER BY n)
	FROM generate_series(0, 999) n));
SELECT available, count(*), min(option_id) FROM commerce.stock WHERE option_id > 10 GROUP BY available ORDER BY 1;
SELECT count(*), min(line_no), max(line_no), bool_and(line_no = 1011 - option_id) AS as_asked
FROM commerce.order_items GROUP BY order_id HAVING count(*) = 1000;

-- Keys and coupons that come again in other parts: 300 keys, 400 coupons, over and over.
CREATE TEMP TABLE answers AS
SELECT r.*, 1 + (r.request_no - 1) % 300 AS key FROM commerce.place_orders((
	SELECT jsonb_agg(pg_temp.request(5, (11 + n % 300) || ':1', NULL, 'k' || n % 300) ORDER BY n) FROM generate_series(0, 999) n)) r;
SELECT count(order_id), count(DISTINCT order_id) FROM answers;
SELECT count(*) FROM answers GROUP BY key HAVING count(DISTINCT order_id) <> 1;
-- The first of each key is refused, the second differs, the third is like the second: refused, placed, the same.
SELECT sqlstate, count(*), count(DISTINCT order_id) AS orders, min(request_no), max(request_no) FROM commerce.place_orders((
	SELECT jsonb_agg(pg_temp.request(6, CASE WHEN n < 300 THEN '2:1' ELSE '1:1' END, NULL, 'r' || n % 300) ORDER BY n)
	FROM generate_series(0, 899) n))
GROUP BY sqlstate ORDER BY sqlstate;
SELECT sqlstate, count(*) FROM commerce.place_orders((
	SELECT jsonb_agg(pg_temp.request(6, '1:1', NULL, 'r' || n) ORDER BY n) FROM generate_series(0, 299) n))
GROUP BY sqlstate;
SELECT count(*) FROM commerce.idempotency_keys WHERE user_id = 6;
SELECT sqlstate, count(*), min(request_no), max(request_no) FROM commerce.place_orders((
	SELECT jsonb_agg(pg_temp.request(1 + n % 40, '1:1', 1 + n % 400) ORDER BY n) FROM generate_series(0, 999) n))
GROUP BY sqlstate ORDER BY sqlstate;
SELECT status, count(*), count(order_id) FROM commerce.coupons GROUP BY status;

-- A balance runs out in the third part; malformed requests count as such.
SELECT balance_after FROM commerce.use_balance(40, commerce.get_balance(40) - 4500);
SELECT sqlstate, count(*), min(request_no), max(request_no) FROM commerce.place_orders((
	SELECT jsonb_agg(CASE n % 10 WHEN 9 THEN pg_temp.request(40, '1:0') ELSE pg_temp.request(40, '1:1') END ORDER BY n)
	FROM generate_series(0, 999) n))
GROUP BY sqlstate ORDER BY sqlstate;
SELECT balance FROM commerce.balances WHERE user_id = 40;
SELECT count(*) FROM (
	SELECT entry_no, row_number() OVER (PARTITION BY user_id ORDER BY entry_no) AS nth FROM commerce.balance_history) h
WHERE entry_no <> nth;
SELECT (SELECT count(*) FROM commerce.orders) = (SELECT count(DISTINCT order_id) FROM commerce.events) AS one_event_each;

-- Nothing but empty requests, and none with a line at all.
SELECT sqlstate, count(*) FROM commerce.place_orders((SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 1000))) GROUP BY 1;
SELECT * FROM commerce.verify();
