SELECT name FROM commerce.create_product('shirt', 1);
SELECT name, price FROM commerce.create_product_option(1, 'red', 1000, 300, option_id => 1);
-- A call is committed at once at its node, also where many are in one statement.
SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 10000))
FROM generate_series(1, 1000) id;
