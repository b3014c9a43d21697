-- get_order: the order and its lines as one object, the same in every session.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 20, 11);
	PERFORM commerce.create_product_option(1, 'blue', 1500, 20, 12);
	PERFORM commerce.create_coupon_policy('10 %', 'percent', 10, 100, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1);
	PERFORM commerce.place_order(1, '[{"option_id": 12, "quantity": 2}, {"option_id": 11, "quantity": 1}]', 1);
	PERFORM commerce.place_order(1, '[{"option_id": 12, "quantity": 1}]');
END
$$;
-- A moment that can be printed.
UPDATE commerce.orders SET placed_at = '2026-03-01 00:30:00.5+09', paid_at = '2026-03-01 00:30:00+09',
	cancel_reason = E'a "reason" with \\ and 글' WHERE order_id = 1;

SELECT jsonb_pretty(commerce.get_order(1));

-- Every column of orders, and of order_items all but order_id; nothing else.
CREATE FUNCTION pg_temp.columns(relation regclass) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT attname::text FROM pg_attribute
	WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
$$;
(SELECT jsonb_object_keys(commerce.get_order(1))
 EXCEPT SELECT pg_temp.columns('commerce.orders'))
UNION ALL
(SELECT pg_temp.columns('commerce.orders')
 EXCEPT SELECT jsonb_object_keys(commerce.get_order(1)));
(SELECT jsonb_object_keys(commerce.get_order(1) -> 'items' -> 0)
 EXCEPT SELECT pg_temp.columns('commerce.order_items'))
UNION ALL
(SELECT pg_temp.columns('commerce.order_items')
 EXCEPT SELECT jsonb_object_keys(commerce.get_order(1) -> 'items' -> 0));

-- The session's settings don't show.
CREATE TEMP TABLE plain AS SELECT commerce.get_order(1) AS o;
SET TimeZone = 'Asia/Seoul';
SET DateStyle = 'German, DMY';
SET IntervalStyle = 'sql_standard';
SET bytea_output = 'escape';
SET extra_float_digits = -15;
SELECT commerce.get_order(1) = o AS same FROM plain;
SET TimeZone = 'Pacific/Kiritimati';
SET DateStyle = 'SQL, MDY';
SET search_path = pg_temp;
SET standard_conforming_strings = off;
SELECT commerce.get_order(1) = o AS same FROM plain;
SELECT commerce.get_order(1)::text = o::text AS same FROM plain;
-- ... and are as they were afterwards.
SHOW TimeZone;
SHOW DateStyle;
SHOW search_path;
RESET ALL;

-- Times that are no dates.
BEGIN;
UPDATE commerce.orders SET closed_at = 'infinity', expires_at = '-infinity' WHERE order_id = 2;
SELECT o -> 'closed_at' AS closed_at, o -> 'expires_at' AS expires_at FROM commerce.get_order(2) o;
UPDATE commerce.orders SET placed_at = '20000-01-01 00:00+00' WHERE order_id = 2;
SELECT o -> 'placed_at' AS placed_at FROM commerce.get_order(2) o;
ROLLBACK;

-- It reads the state now.
BEGIN;
UPDATE commerce.order_items SET refunded_quantity = 1 WHERE order_id = 2;
SELECT o #> '{items, 0, refunded_quantity}' AS refunded_quantity FROM commerce.get_order(2) o;
ROLLBACK;
BEGIN READ ONLY;
SELECT o -> 'total' AS total FROM commerce.get_order(2) o;
COMMIT;

SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.get_order(3)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.get_order(-9223372036854775808)$$);
