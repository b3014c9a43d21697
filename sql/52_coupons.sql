------------------------------------------------------------------------------
-- Functions: coupons
------------------------------------------------------------------------------

CREATE FUNCTION commerce.issue_coupon(user_id bigint, policy_id bigint,
	idempotency_key text DEFAULT NULL)
RETURNS commerce.coupons
AS 'MODULE_PATHNAME', 'commerce_issue_coupon'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.issue_coupon IS
'Issues one coupon of a policy to a user (level app). See doc/flow-chart.md, 2. Raises 22004, 22023, SC401, SC001, SC005, SC201 not yet, SC202 over, SC204 the user has per_user_limit already, SC203 sold out.';

CREATE FUNCTION commerce.issue_coupons(policy_id bigint, user_ids bigint[])
RETURNS TABLE (user_id bigint, coupon_id bigint, sqlstate text, message text,
	detail jsonb)
AS 'MODULE_PATHNAME', 'commerce_issue_coupons'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1000;
COMMENT ON FUNCTION commerce.issue_coupons IS
'Issues one coupon of a policy to each of up to commerce.max_batch_users users, or refuses that one: one row each, as the array has them; the last coupons go to the first in it (level admin). It has no idempotency key: called again, it issues again as far as per_user_limit allows. Raises for the call 22004, 22023, SC005, SC201 not yet, SC202 over; a row has SC001, SC204 the user has per_user_limit already, SC203 sold out.';

CREATE FUNCTION commerce.use_coupon(user_id bigint, coupon_id bigint, order_amount bigint,
	idempotency_key text DEFAULT NULL)
RETURNS commerce.coupons
AS 'MODULE_PATHNAME', 'commerce_use_coupon'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.use_coupon IS
'Uses a coupon outside of an order, on order_amount minor units; the row''s discount_amount is what it takes off (level app). See doc/flow-chart.md, 2. Raises 22004, 22023, SC101 order_amount <= 0, SC401, SC006 none or another user''s, SC211 used, SC214 revoked, SC212 expired, SC213 below the policy''s minimum.';
