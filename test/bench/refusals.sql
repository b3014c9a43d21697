-- What a rush will empty: coupon policy 1 and option 10001, :units units each, in all
-- schemas.
SELECT policy_id FROM commerce.create_coupon_policy('rush', 'percent', 10, :units,
	policy_id => 1);
\ir copy_policies.sql

SELECT option_id FROM commerce.create_product_option(1, 'rush', 1000, :units, 10001);
INSERT INTO tuned.product_options
	SELECT * FROM commerce.product_options WHERE option_id = 10001;
INSERT INTO tuned.stock VALUES (10001, :units);
INSERT INTO usual.product_options
	SELECT * FROM commerce.product_options WHERE option_id = 10001;
INSERT INTO usual.stock VALUES (10001, :units);
VACUUM ANALYZE;
