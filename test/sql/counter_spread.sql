-- spread_stock and spread_coupon_quota: split before a rush.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 1000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1, 100, 1);
	PERFORM commerce.create_product_option(1, 'blue', 1, 3, 2);
	PERFORM commerce.create_product_option(1, 'none', 1, 0, 3);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 1, 10, policy_id => 1);
END
$$;
CREATE VIEW pg_temp.slots AS
SELECT option_id, count(*) AS slots, sum(quantity) AS units, min(quantity) AS least, max(quantity) AS most,
	bool_and(level >= 0 AND (slot = 0 OR slot < 2 ^ level)) AS levels_fit
FROM commerce.stock_slots GROUP BY option_id;

-- Evenly; never fewer than there are; never more than there are units.
SELECT commerce.spread_stock(1, 7);
SELECT * FROM pg_temp.slots WHERE option_id = 1;
SELECT commerce.spread_stock(1, 3);
SELECT commerce.spread_stock(1, 64);
SELECT * FROM pg_temp.slots WHERE option_id = 1;
SELECT commerce.spread_stock(2, 64), commerce.spread_stock(3, 64);
SELECT slot, level, quantity FROM commerce.stock_slots WHERE option_id = 2 ORDER BY slot;

-- A restock keeps their number.
SELECT available FROM commerce.adjust_stock(1, 28);
SELECT * FROM pg_temp.slots WHERE option_id = 1;

-- Orders find what they want, across slots where they must.
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 100}]');
SELECT option_id, units FROM pg_temp.slots WHERE option_id = 1;
SELECT total FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]');
SELECT option_id, units FROM pg_temp.slots WHERE option_id = 2;

SELECT commerce.spread_coupon_quota(1, 4);
SELECT slot, level, quantity FROM commerce.coupon_quota_slots ORDER BY slot;
SELECT status FROM commerce.issue_coupon(1, 1);
SELECT * FROM commerce.coupon_quota;

SELECT c.why, r.code, r.message
FROM (VALUES
	('no option',	$$SELECT commerce.spread_stock(9, 4)$$),
	('no policy',	$$SELECT commerce.spread_coupon_quota(9, 4)$$),
	('none',		$$SELECT commerce.spread_stock(9, 0)$$),
	('too many',	$$SELECT commerce.spread_stock(1, 65)$$),
	('too many',	$$SELECT commerce.spread_coupon_quota(1, 65)$$),
	('NULL',		$$SELECT commerce.spread_stock(1, NULL)$$)
) c (why, statement), pg_temp.refusal(c.statement) r;
SELECT * FROM commerce.verify();
