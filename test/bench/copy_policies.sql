-- The users and coupon policies of commerce for the peers as well.
INSERT INTO tuned.users SELECT * FROM commerce.users ON CONFLICT DO NOTHING;
INSERT INTO tuned.coupon_policies
	SELECT policy_id, name, discount_type::text::tuned.discount_type, discount_value,
		   max_discount_amount, min_order_amount, quantity, per_user_limit, issue_from,
		   issue_until, valid_for, valid_until, restore_on_cancel, created_at, highest_limit
	FROM commerce.coupon_policies;
INSERT INTO tuned.coupon_quota SELECT policy_id, quantity FROM tuned.coupon_policies;

INSERT INTO usual.users SELECT * FROM tuned.users ON CONFLICT DO NOTHING;
INSERT INTO usual.coupon_policies SELECT * FROM tuned.coupon_policies;
INSERT INTO usual.coupon_quota SELECT * FROM tuned.coupon_quota;
VACUUM ANALYZE;
