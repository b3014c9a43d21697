-- :users users, and :policies policies of so many coupons that none runs out, in all schemas.
INSERT INTO commerce.users (user_id, name)
	SELECT n, 'user ' || n FROM generate_series(1, :users) n
	ON CONFLICT DO NOTHING;
SELECT count(*) FROM (
	SELECT commerce.create_coupon_policy('policy ' || n, 'percent', 10, 1000000000,
		valid_for => '30 days', policy_id => n)
	FROM generate_series(1, :policies) n
	OFFSET 0) x;
\ir copy_policies.sql
