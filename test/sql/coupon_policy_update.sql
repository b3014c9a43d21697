-- update_coupon_policy: what may change while coupons are issued, and what not.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 300, 3, per_user_limit => 2, policy_id => 1,
		issue_from => '2020-01-01 00:00+00');
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 2);
END
$$;

-- NULL leaves all as it is; each changes alone.
SELECT name, quantity, per_user_limit, issue_until, valid_until FROM commerce.update_coupon_policy(1);
SELECT name, quantity FROM commerce.update_coupon_policy(1, 'summer', 10);
SELECT * FROM commerce.coupon_quota;
SELECT quantity FROM commerce.update_coupon_policy(1, quantity => 2);
SELECT * FROM commerce.coupon_quota;
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.update_coupon_policy(1, quantity => 1)$$);
SELECT code FROM pg_temp.refusal($$SELECT commerce.issue_coupon(2, 1)$$);
SELECT quantity FROM commerce.update_coupon_policy(1, quantity => 5);
SELECT status FROM commerce.issue_coupon(2, 1);

-- A lower limit is for later coupons; verify() knows the highest there was.
SELECT per_user_limit FROM commerce.update_coupon_policy(1, per_user_limit => 1);
SELECT code FROM pg_temp.refusal($$SELECT commerce.issue_coupon(2, 1)$$);
SELECT * FROM commerce.verify();
SELECT per_user_limit FROM commerce.update_coupon_policy(1, per_user_limit => 3);
SELECT status FROM commerce.issue_coupon(1, 1);

-- Ends: infinity is none.
SELECT issue_until = '2090-01-01 00:00+00' AS until, valid_until = '2091-01-01 00:00+00' AS valid
FROM commerce.update_coupon_policy(1, issue_until => '2090-01-01 00:00+00', valid_until => '2091-01-01 00:00+00');
SELECT coupon_id, expires_at = '2091-01-01 00:00+00' AS expires FROM commerce.issue_coupon(2, 1);
SELECT issue_until, valid_until FROM commerce.update_coupon_policy(1, issue_until => 'infinity', valid_until => 'infinity');
SELECT count(*) FILTER (WHERE expires_at IS NULL) AS for_ever, count(*) FROM commerce.coupons;

-- The result keeps create's bounds where an argument touches them.
SELECT c.why, r.code, r.message
FROM (VALUES
	('no policy id',	$$SELECT commerce.update_coupon_policy(NULL)$$),
	('no such policy',	$$SELECT commerce.update_coupon_policy(9, quantity => 1)$$),
	('no name',			$$SELECT commerce.update_coupon_policy(1, '')$$),
	('bad, no policy',	$$SELECT commerce.update_coupon_policy(9, '')$$),
	('no quantity',		$$SELECT commerce.update_coupon_policy(1, quantity => -1)$$),
	('no limit',		$$SELECT commerce.update_coupon_policy(1, per_user_limit => 0)$$),
	('over before',		$$SELECT commerce.update_coupon_policy(1, issue_until => '2020-01-01 00:00+00')$$),
	('from infinity',	$$SELECT commerce.update_coupon_policy(1, issue_from => 'infinity')$$),
	('until -infinity',	$$SELECT commerce.update_coupon_policy(1, issue_until => '-infinity')$$),
	('valid -infinity',	$$SELECT commerce.update_coupon_policy(1, valid_until => '-infinity')$$),
	('year 10000',		$$SELECT commerce.update_coupon_policy(1, valid_until => '10000-01-01 00:00+00')$$)
) c (why, statement), pg_temp.refusal(c.statement) r;
-- Where it does not, an end that lies before the start is no hindrance.
UPDATE commerce.coupon_policies SET issue_until = issue_from;
SELECT name FROM commerce.update_coupon_policy(1, 'autumn');

-- A quota of the whole range, and back.
SELECT quantity FROM commerce.update_coupon_policy(1, quantity => 9223372036854775807);
SELECT quantity FROM commerce.update_coupon_policy(1, quantity => 5);
SELECT * FROM commerce.verify();
SELECT * FROM pg_temp.violations($$UPDATE commerce.coupon_policies SET highest_limit = 2$$);
