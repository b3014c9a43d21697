-- popular_products: which orders count, what of them, in which order.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Products 1 to 6; product 1 has two options. One order each, in the order of ids.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 1000000);
	PERFORM commerce.create_product('product ' || n, n) FROM generate_series(1, 6) n;
	PERFORM commerce.create_product_option(n, 'plain', 1, 100, n) FROM generate_series(1, 6) n;
	PERFORM commerce.create_product_option(1, 'red', 1, 100, 7);
END
$$;

-- Nothing sold, nothing popular.
SELECT * FROM commerce.popular_products();

SELECT order_id FROM commerce.place_order(1,
	'[{"option_id": 1, "quantity": 2}, {"option_id": 7, "quantity": 3}, {"option_id": 2, "quantity": 4}]');
SELECT order_id FROM commerce.place_order(1,
	'[{"option_id": 2, "quantity": 3}, {"option_id": 3, "quantity": 9}]');
SELECT order_id FROM commerce.place_order(1,
	'[{"option_id": 6, "quantity": 5}, {"option_id": 5, "quantity": 5}]');
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 4, "quantity": 1}]');

-- All options of a product together; of equals the lower product_id first; five at most.
SELECT * FROM commerce.popular_products();
SELECT * FROM commerce.popular_products(max_results => 2);
SELECT count(*) FROM commerce.popular_products(1, 2147483647);

-- What was refunded counts no more, up to all of it; nor does an order not paid.
BEGIN;
UPDATE commerce.order_items SET refunded_quantity = 8 WHERE option_id = 3;
UPDATE commerce.order_items SET refunded_quantity = quantity WHERE order_id = 3;
UPDATE commerce.orders SET status = 'cancelled' WHERE order_id = 3;
UPDATE commerce.orders SET status = 'pending', paid_at = NULL WHERE order_id = 4;
SELECT * FROM commerce.popular_products();
ROLLBACK;

-- Times 24 hours, to the microsecond, also where some days have 23 or 25: in one of
-- these periods summer time has begun or ended.
SET TimeZone = 'America/New_York';
CREATE FUNCTION pg_temp.quantity_paid(ago interval, days integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
BEGIN
	UPDATE commerce.orders SET paid_at = now() - ago;
	SELECT coalesce(sum(quantity), 0) INTO found FROM commerce.popular_products(days, 100);
	RETURN found;
END
$$;
BEGIN;
SELECT days, place, pg_temp.quantity_paid(days * interval '24 hours' + earlier, days)
FROM (VALUES (1), (3), (90), (180), (270)) d (days),
	 (VALUES ('just within', '0'::interval), ('just out', '1 microsecond')) e (place, earlier)
ORDER BY days, place DESC;
ROLLBACK;
RESET TimeZone;

-- Among orders that count, some that do not: they were paid before.
BEGIN;
UPDATE commerce.orders SET paid_at = now() - interval '5 days' WHERE order_id IN (2, 3);
SELECT * FROM commerce.popular_products();
-- However long ago: more days than a timestamp can go back.
UPDATE commerce.orders SET paid_at = '1999-12-31 00:00+00' WHERE order_id = 2;
SELECT * FROM commerce.popular_products(2147483647, 1);
ROLLBACK;

-- The arguments: NULL, then their bounds, each naming the argument.
SELECT c.call, r.code, r.message
FROM (VALUES
	(1, 'NULL'), (2, 'NULL, 5'), (3, '3, NULL'), (4, '0, NULL'), (5, '0'), (6, '-1'),
	(7, '-2147483648'), (8, '3, 0'), (9, '3, -2147483648'), (10, '0, 0')
) c (nth, call), pg_temp.refusal(format('SELECT * FROM commerce.popular_products(%s)', c.call)) r
ORDER BY c.nth;

-- More units than a bigint holds are an error, no wrong number.
BEGIN;
UPDATE commerce.order_items SET quantity = 9223372036854775807 WHERE option_id = 2;
SELECT code FROM pg_temp.refusal('SELECT * FROM commerce.popular_products()');
ROLLBACK;

-- It reads only; may be joined; and whoever may call it needs no right to the tables.
BEGIN READ ONLY;
SELECT p.product_id, o.option_id, p.quantity
FROM commerce.popular_products(7, 1) p JOIN commerce.product_options o USING (product_id);
ROLLBACK;
BEGIN;
CREATE ROLE regress_commerce_caller;
GRANT USAGE ON SCHEMA commerce TO regress_commerce_caller;
GRANT EXECUTE ON FUNCTION commerce.popular_products TO regress_commerce_caller;
SET LOCAL ROLE regress_commerce_caller;
SELECT * FROM commerce.popular_products(max_results => 1);
ROLLBACK;
SELECT * FROM commerce.verify();
