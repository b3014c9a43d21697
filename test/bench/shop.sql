-- A shop: 10,000 users with balances that do not run out, 10,000 options with stock
-- that does not either.
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

VACUUM ANALYZE;
