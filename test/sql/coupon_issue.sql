-- Issuing: the period, the limit per user, the quota.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_coupon_policy('two each', 'fixed', 1000, 3, per_user_limit => 2,
		policy_id => 1);
	PERFORM commerce.create_coupon_policy('to come', 'fixed', 1000, 3, '2999-01-01 00:00+00',
		'2999-02-01 00:00+00', policy_id => 2);
	PERFORM commerce.create_coupon_policy('over', 'fixed', 1000, 3, '2019-01-01 00:00+00',
		'2019-02-01 00:00+00', policy_id => 3);
	PERFORM commerce.create_coupon_policy('none left', 'fixed', 1000, 0, policy_id => 4);
END
$$;

SELECT coupon_id, policy_id, user_id, status, issued_at = now() AS issued_now, expires_at,
	used_at, order_id, discount_amount
FROM commerce.issue_coupon(1, 1);
SELECT coupon_id FROM commerce.issue_coupon(1, 1);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 1)$$);
SELECT coupon_id, user_id FROM commerce.issue_coupon(2, 1);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.issue_coupon(2, 1)$$);
SELECT * FROM commerce.coupon_quota WHERE policy_id = 1;

-- The refusals, one by one, then several at a time: the first in order is told.
SELECT c.why, r.code, r.detail
FROM (VALUES
	('no user',					$$SELECT commerce.issue_coupon(3, 1)$$),
	('no policy',				$$SELECT commerce.issue_coupon(1, 5)$$),
	('no user, no policy',		$$SELECT commerce.issue_coupon(3, 5)$$),
	('not yet',					$$SELECT commerce.issue_coupon(1, 2)$$),
	('over',					$$SELECT commerce.issue_coupon(1, 3)$$),
	('no user, over',			$$SELECT commerce.issue_coupon(3, 3)$$),
	('sold out',				$$SELECT commerce.issue_coupon(1, 4)$$),
	('has them, sold out',		$$SELECT commerce.issue_coupon(1, 1)$$)
) c (why, statement), pg_temp.refusal(c.statement) r;

BEGIN;
UPDATE commerce.coupon_policies SET issue_from = '2998-01-01 00:00+00',
	issue_until = '2998-02-01 00:00+00' WHERE policy_id = 1;
SELECT 'not yet, has them, sold out' AS why, code
FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 1)$$);
UPDATE commerce.coupon_policies SET issue_from = '2018-01-01 00:00+00',
	issue_until = '2018-02-01 00:00+00' WHERE policy_id = 1;
SELECT 'over, has them, sold out' AS why, code
FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 1)$$);
ROLLBACK;

-- The period is half-open: its first moment is in, its last one is out.
BEGIN;
SELECT policy_id FROM commerce.create_coupon_policy('from now', 'fixed', 1, 1, now(),
	now() + interval '1 microsecond', policy_id => 5);
SELECT policy_id FROM commerce.create_coupon_policy('until now', 'fixed', 1, 1, '2000-01-01 00:00+00',
	now(), policy_id => 6);
SELECT policy_id FROM commerce.create_coupon_policy('from a moment later', 'fixed', 1, 1,
	now() + interval '1 microsecond', policy_id => 7);
SELECT policy_id FROM commerce.issue_coupon(1, 5);
SELECT code FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 6)$$);
SELECT code FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 7)$$);
ROLLBACK;

-- Closed: over at once, in the same transaction too.
BEGIN;
SELECT policy_id FROM commerce.create_coupon_policy('closed', 'fixed', 1, 1, '2000-01-01 00:00+00',
	policy_id => 8);
SELECT policy_id FROM commerce.close_coupon_policy(8);
SELECT code FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 8)$$);
COMMIT;
SELECT code FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 8)$$);

-- expires_at is the earlier of issued_at + valid_for and valid_until.
SELECT count(*) FROM (VALUES
	(11, interval '30 days', timestamptz 'infinity'),
	(12, NULL, '2999-01-01 00:00+00'),
	(13, '1 month', '2999-01-01 00:00+00'),
	(14, '1000 years', '2999-01-01 00:00+00'),
	(15, NULL, 'infinity')
) p (id, valid_for, valid_until), commerce.create_coupon_policy('p', 'fixed', 1, 1,
	valid_for => p.valid_for, valid_until => p.valid_until, policy_id => p.id);
SELECT p.policy_id, c.expires_at = c.issued_at + p.valid_for AS by_valid_for,
	c.expires_at = p.valid_until AS by_valid_until
FROM commerce.coupon_policies p, commerce.issue_coupon(2, p.policy_id) c
WHERE p.policy_id BETWEEN 11 AND 15 ORDER BY p.policy_id;

-- A refused issue takes nothing from the quota.
SELECT * FROM commerce.coupon_quota WHERE policy_id < 10 ORDER BY policy_id;
SELECT * FROM commerce.verify();
