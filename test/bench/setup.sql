-- The same shop in all three schemas: 10,000 users with balances that do not run
-- out, 10,000 options with stock that does not either.
CREATE EXTENSION commerce;

SELECT count(*) FROM (
	SELECT commerce.create_user('user ' || n, n) FROM generate_series(1, 10000) n
	OFFSET 0) x;
SELECT count(*) FROM (
	SELECT commerce.charge_balance(n, 1000000000000) FROM generate_series(1, 10000) n
	OFFSET 0) x;
SELECT count(*) FROM (
	SELECT commerce.create_product('product ' || n, n) FROM generate_series(1, 2500) n
	OFFSET 0) x;
SELECT count(*) FROM (
	SELECT commerce.create_product_option((n + 3) / 4, 'option ' || n,
		1000 + n % 1000, 1000000000, n)
	FROM generate_series(1, 10000) n
	OFFSET 0) x;

INSERT INTO tuned.users SELECT * FROM commerce.users;
INSERT INTO tuned.balances SELECT * FROM commerce.balances;
INSERT INTO tuned.balance_history
	SELECT user_id, entry_no, type::text::tuned.balance_entry_type, amount,
		   balance_after, order_id, created_at
	FROM commerce.balance_history;
INSERT INTO tuned.products SELECT * FROM commerce.products;
INSERT INTO tuned.product_options SELECT * FROM commerce.product_options;
INSERT INTO tuned.stock SELECT option_id, available FROM commerce.stock;

INSERT INTO usual.users SELECT * FROM tuned.users;
INSERT INTO usual.balances SELECT * FROM tuned.balances;
INSERT INTO usual.balance_history SELECT * FROM tuned.balance_history;
INSERT INTO usual.products SELECT * FROM tuned.products;
INSERT INTO usual.product_options SELECT * FROM tuned.product_options;
INSERT INTO usual.stock SELECT * FROM tuned.stock;

CREATE TABLE commit_rate (n integer NOT NULL);
VACUUM ANALYZE;

-- Without this setting "no notification" would measure the wrong thing.
SELECT current_setting('commerce.notify');
