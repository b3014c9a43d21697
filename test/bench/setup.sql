-- The same shop in all three schemas.
\ir shop.sql

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
