-- set_price and adjust_stock: what later orders pay, and what there is to sell.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 100, 10, 1);
	PERFORM commerce.create_product_option(1, 'blue', 200, 0, 2);
END
$$;

SELECT option_id, product_id, name, price FROM commerce.set_price(1, 150);
SELECT option_id, price FROM commerce.set_price(2, 0);
SELECT option_id, price FROM commerce.product_options ORDER BY option_id;

-- A signed quantity; the row returned is the stock as it stands now.
SELECT * FROM commerce.adjust_stock(1, 5);
SELECT * FROM commerce.adjust_stock(1, -3, 'damaged');
SELECT * FROM commerce.adjust_stock(option_id => 2, quantity => 4, reason => 'found in the attic');
SELECT adjustment_id, option_id, quantity, reason FROM commerce.stock_adjustments
WHERE adjustment_id > 1 ORDER BY adjustment_id;

-- Down to the last unit, and not one further.
SELECT available FROM commerce.adjust_stock(2, -4, 'sold elsewhere');
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.adjust_stock(2, -1)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.adjust_stock(1, -13)$$);
SELECT available FROM commerce.adjust_stock(1, -12);

-- Up to the largest bigint, and not one further.
SELECT available FROM commerce.adjust_stock(1, 9223372036854775807);
SELECT code FROM pg_temp.refusal($$SELECT commerce.adjust_stock(1, 1)$$);
SELECT available FROM commerce.adjust_stock(1, -9223372036854775807);

-- The most that can be asked for has no bigint opposite.
SELECT code, detail FROM pg_temp.refusal(
	$$SELECT commerce.adjust_stock(1, -9223372036854775808)$$);

-- No such option: found out before the stock is looked at.
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.set_price(3, 100)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.adjust_stock(3, 1)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.adjust_stock(3, -1)$$);

-- What was refused left no trace.
SELECT * FROM commerce.stock ORDER BY option_id;
SELECT option_id, count(*), sum(quantity) FROM commerce.stock_adjustments
GROUP BY option_id ORDER BY option_id;
SELECT * FROM commerce.verify();
