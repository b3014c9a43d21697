-- How many policies of schema tuned do not add up, and users that have too many.
SELECT (SELECT count(*)
		FROM tuned.coupon_policies p
		JOIN tuned.coupon_quota q USING (policy_id)
		LEFT JOIN (SELECT policy_id, count(*) AS issued
				   FROM tuned.coupons GROUP BY policy_id) c USING (policy_id)
		WHERE p.quantity <> q.quantity + coalesce(c.issued, 0))
	+ (SELECT count(*)
	   FROM (SELECT policy_id FROM tuned.coupons c JOIN tuned.coupon_policies p USING (policy_id)
			 GROUP BY policy_id, user_id, per_user_limit
			 HAVING count(*) > per_user_limit) x);
