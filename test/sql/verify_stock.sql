-- verify() on stock and catalogue: each way they can be wrong is reported by its name.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/sound_shop.psql'
\set ECHO none
\i :helpers

SELECT * FROM commerce.verify();

-- Option 1: 20 brought in, 3 sold. Option 2: 20 brought in, 2 sold.
SELECT c.damage, v.*
FROM (VALUES
	(1, 'UPDATE commerce.stock_slots SET quantity = quantity + 1 WHERE option_id = 1'),
	(2, 'DELETE FROM commerce.stock_slots WHERE option_id = 2'),
	(3, 'INSERT INTO commerce.stock_slots VALUES (2, 9, 0, 5)'),
	(4, 'UPDATE commerce.stock_adjustments SET quantity = 19 WHERE option_id = 1'),
	(5, 'UPDATE commerce.order_items SET quantity = 3, refunded_quantity = 3 WHERE order_id = 2'),
	(6, 'UPDATE commerce.product_options SET price = -1 WHERE option_id = 2'),
	(7, 'UPDATE commerce.product_options SET product_id = 9 WHERE option_id = 2'),
	(8, 'DELETE FROM commerce.products'),
	(9, 'INSERT INTO commerce.stock_slots VALUES (9, 0, 0, 0)'),
	(10, $$INSERT INTO commerce.stock_adjustments VALUES (999, 9, 1, 'none such')$$)
) c (nth, damage), pg_temp.violations(c.damage) v
ORDER BY c.nth, v.check_name, v.object_id;

-- No stock below nothing: the table itself refuses it, and verify() looks again.
SELECT code FROM pg_temp.refusal('UPDATE commerce.stock_slots SET quantity = -1');
SELECT v.* FROM pg_temp.violations($$
	ALTER TABLE commerce.stock_slots DROP CONSTRAINT stock_slots_quantity_check;
	INSERT INTO commerce.stock_slots VALUES (1, 98, 0, 1), (1, 99, 0, -1)$$) v;

-- A sold quantity that came back is stock again, not a violation.
SELECT count(*) FROM pg_temp.violations($$
	UPDATE commerce.orders SET status = 'cancelled', closed_at = now(), refunded = total WHERE order_id = 2;
	UPDATE commerce.order_items SET refunded_quantity = quantity WHERE order_id = 2;
	UPDATE commerce.stock_slots SET quantity = quantity + 1 WHERE option_id = 1$$)
WHERE check_name = 'stock_conserved';
SELECT * FROM commerce.verify();
