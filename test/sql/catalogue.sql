-- Users, products and their options: each function returns the row it wrote.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

SELECT user_id, name, created_at = now() AS created_now FROM commerce.create_user('Kim');
SELECT user_id, name FROM commerce.create_user('Kim'); -- names may repeat
SELECT user_id, name FROM commerce.create_user('Lee', 70);
SELECT user_id, name FROM commerce.users ORDER BY user_id;

SELECT product_id, name, created_at = now() AS created_now FROM commerce.create_product('shirt');
SELECT product_id, name FROM commerce.create_product('coat', 10);
SELECT product_id, name FROM commerce.products ORDER BY product_id;

-- An option has no stock unless told; a price of 0 is a price.
SELECT option_id, product_id, name, price, created_at = now() AS created_now
FROM commerce.create_product_option(1, 'red', 19900);
SELECT option_id, product_id, name, price
FROM commerce.create_product_option(1, 'blue', 20900, 5);
SELECT option_id, product_id, name, price
FROM commerce.create_product_option(product_id => 10, name => 'sample', price => 0,
	stock => 9223372036854775807, option_id => 100);
SELECT option_id, product_id, name, price FROM commerce.product_options ORDER BY option_id;
SELECT * FROM commerce.stock ORDER BY option_id;

-- The first stock is an adjustment; none is written for no stock.
SELECT option_id, quantity, created_at IS NOT NULL AS has_time
FROM commerce.stock_adjustments ORDER BY adjustment_id;

-- The highest price there is, and what a product must be before it has options.
SELECT price FROM commerce.create_product_option(1, 'priceless', 9223372036854775807);
SELECT code, detail FROM pg_temp.refusal(
	$$SELECT commerce.create_product_option(2, 'red', 100)$$);

-- An option is written whole or not at all.
BEGIN;
SELECT name FROM commerce.create_product_option(1, 'green', 100, 7);
ROLLBACK;
SELECT count(*) FROM commerce.product_options WHERE name = 'green';
SELECT count(*) FROM commerce.stock_adjustments WHERE quantity = 7;

SELECT * FROM commerce.verify();
