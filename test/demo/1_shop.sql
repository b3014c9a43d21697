\set ON_ERROR_STOP on
\echo '\n=== 1. A shop opens ===\n'
CREATE EXTENSION commerce;

\echo '\nThree users:\n'
SELECT user_id, name FROM commerce.create_user('Kim');
SELECT user_id, name FROM commerce.create_user('Lee');
SELECT user_id, name FROM commerce.create_user('Park');

\echo '\nA T-shirt in two sizes, and a mug of which there are only three:\n'
SELECT product_id, name FROM commerce.create_product('T-shirt');
SELECT option_id, name, price FROM commerce.create_product_option(1, 'M', 12000, stock => 50);
SELECT option_id, name, price FROM commerce.create_product_option(1, 'L', 13000, stock => 50);
SELECT product_id, name FROM commerce.create_product('Mug');
SELECT option_id, name, price FROM commerce.create_product_option(2, 'blue', 7000, stock => 3);
