-- issue_coupons: one to each of many users, the last ones by the order of the array.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('user', i) FROM generate_series(1, 9) i;
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 300, 4, policy_id => 1);
	PERFORM commerce.create_coupon_policy('twice', 'fixed', 300, 100, per_user_limit => 2, policy_id => 2);
	PERFORM commerce.create_coupon_policy('not yet', 'fixed', 300, 100, issue_from => now() + interval '1 day', policy_id => 3);
	PERFORM commerce.create_coupon_policy('over', 'fixed', 300, 100, issue_from => '2020-01-01 00:00+00',
		issue_until => '2020-01-02 00:00+00', policy_id => 4);
	PERFORM commerce.issue_coupon(5, 1);
END
$$;

-- Three are left: 7, 2 and 9 come first.
SELECT * FROM commerce.issue_coupons(1, '{7, 5, 99, 2, 9, 1, 3}');
SELECT * FROM commerce.coupon_quota WHERE policy_id = 1;
SELECT coupon_id, user_id FROM commerce.coupons ORDER BY coupon_id;

-- Twice in one call is twice, as far as the limit goes; and so is a second call.
SELECT user_id, coupon_id, sqlstate FROM commerce.issue_coupons(2, '{1, 2, 1, 1}');
SELECT user_id, coupon_id, sqlstate, detail FROM commerce.issue_coupons(2, '{1, 2, 3}');
SELECT user_id, issue_no FROM commerce.coupons WHERE policy_id = 2 ORDER BY 1, 2;

-- Who gets none as they are sold out has not reached the limit by that.
SELECT policy_id FROM commerce.create_coupon_policy('last', 'fixed', 300, 2, per_user_limit => 2, policy_id => 5);
SELECT user_id, coupon_id IS NOT NULL AS issued, sqlstate FROM commerce.issue_coupons(5, '{1, 2, 3, 3, 3, 2, 2, 99, 99}');
SELECT count(*) FROM commerce.issue_coupons(2, '{}');
SELECT count(*) FROM commerce.issue_coupons(2, '{{4, 5}, {6, 7}}');

-- What concerns the whole call.
SELECT c.why, r.code, r.message
FROM (VALUES
	('no policy id',	$$SELECT commerce.issue_coupons(NULL, '{1}')$$),
	('no users',		$$SELECT commerce.issue_coupons(1, NULL)$$),
	('a NULL',			$$SELECT commerce.issue_coupons(9, '{1, NULL}')$$),
	('no such policy',	$$SELECT commerce.issue_coupons(9, '{1}')$$),
	('not yet',			$$SELECT commerce.issue_coupons(3, '{1}')$$),
	('over',			$$SELECT commerce.issue_coupons(4, '{1}')$$)
) c (why, statement), pg_temp.refusal(c.statement) r;
SET commerce.max_batch_users = 2;
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.issue_coupons(2, '{1, 2, 3}')$$);
RESET commerce.max_batch_users;

-- Many, over several parts, some unknown.
SELECT commerce.update_coupon_policy(2, quantity => 5000) \g /dev/null
SELECT count(commerce.create_user('user', i)) FROM generate_series(1001, 4000) i;
SELECT sqlstate, count(*), count(DISTINCT user_id) FROM commerce.issue_coupons(2,
	ARRAY(SELECT i FROM generate_series(5000, 1001, -1) i)) GROUP BY 1;
SELECT * FROM commerce.coupon_quota WHERE policy_id = 2;
SELECT * FROM commerce.verify();

-- In REPEATABLE READ the quota is proved by its locks.
SELECT commerce.update_coupon_policy(1, quantity => 5) \g /dev/null
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT user_id, sqlstate FROM commerce.issue_coupons(1, '{4, 3, 1}');
COMMIT;
SELECT * FROM commerce.coupon_quota WHERE policy_id = 1;
SELECT * FROM commerce.verify();
