------------------------------------------------------------------------------
-- Views
------------------------------------------------------------------------------

CREATE VIEW commerce.stock AS
	SELECT o.option_id, o.product_id,
		   coalesce((SELECT sum(s.quantity) FROM commerce.stock_slots s
					 WHERE s.option_id = o.option_id), 0)::bigint AS available
	FROM commerce.product_options o;
COMMENT ON VIEW commerce.stock IS 'Units of each option that can be bought now.';

CREATE VIEW commerce.coupon_quota AS
	SELECT p.policy_id, p.quantity,
		   p.quantity - q.remaining AS issued, q.remaining
	FROM commerce.coupon_policies p,
		 LATERAL (SELECT coalesce(sum(s.quantity), 0)::bigint AS remaining
				  FROM commerce.coupon_quota_slots s
				  WHERE s.policy_id = p.policy_id) q;
COMMENT ON VIEW commerce.coupon_quota IS 'Coupons of each policy: how many there are, were issued, remain.';

CREATE VIEW commerce.coupon_wallet AS
	SELECT c.*, p.name, p.discount_type, p.discount_value,
		   p.max_discount_amount, p.min_order_amount,
		   CASE WHEN c.status = 'issued' AND c.expires_at <= now() THEN 'expired'
				ELSE c.status::text END AS state
	FROM commerce.coupons c JOIN commerce.coupon_policies p USING (policy_id);
COMMENT ON VIEW commerce.coupon_wallet IS 'Coupons with their policy''s terms and their state now: issued, used, expired or revoked.';
