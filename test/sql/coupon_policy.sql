-- Coupon policies: the row, its defaults and bounds, and the end of issuing.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- The defaults: from now on, for ever, no cap, no minimum, one a user, comes back.
SELECT policy_id, name, discount_type, discount_value, max_discount_amount,
	min_order_amount, quantity, per_user_limit, restore_on_cancel,
	issue_from = now() AS from_now, issue_until, valid_for, valid_until,
	created_at = now() AS created_now
FROM commerce.create_coupon_policy('spring', 'fixed', 1000, 100);

-- Everything given.
SELECT policy_id, name, discount_type, discount_value, max_discount_amount,
	min_order_amount, quantity, per_user_limit, restore_on_cancel,
	issue_from AT TIME ZONE 'UTC' AS issue_from,
	issue_until AT TIME ZONE 'UTC' AS issue_until, valid_for,
	valid_until AT TIME ZONE 'UTC' AS valid_until
FROM commerce.create_coupon_policy(name => 'fall', discount_type => 'percent',
	discount_value => 15, quantity => 10, issue_from => '2020-09-01 00:00+00',
	issue_until => '2020-10-01 00:00+00', max_discount_amount => 5000,
	min_order_amount => 20000, per_user_limit => 2, valid_for => '30 days',
	valid_until => '2021-01-01 00:00+00', restore_on_cancel => false, policy_id => 50);
SELECT * FROM commerce.coupon_quota ORDER BY policy_id;

-- Each bound, from both sides. A fixed discount may pass 100.
CREATE FUNCTION pg_temp.policy(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT code FROM pg_temp.refusal(
		'SELECT commerce.create_coupon_policy(' || arguments || ')')
$$;
SELECT c.arguments, pg_temp.policy(c.arguments) AS code
FROM (VALUES
	($$'a', 'fixed', 0, 1$$),
	($$'a', 'fixed', 1, 1$$),
	($$'a', 'fixed', 9223372036854775807, 1$$),
	($$'a', 'percent', 0, 1$$),
	($$'a', 'percent', 1, 1$$),
	($$'a', 'percent', 100, 1$$),
	($$'a', 'percent', 101, 1$$),
	($$'a', 'percentage', 10, 1$$),
	($$'a', 'Fixed', 10, 1$$),
	($$'a', '', 10, 1$$),
	($$'a', 'fixed', 1, -1$$),
	($$'a', 'fixed', 1, 0$$),
	($$'a', 'fixed', 1, 9223372036854775807$$),
	($$'a', 'fixed', 1, 1, max_discount_amount => 0$$),
	($$'a', 'fixed', 1, 1, max_discount_amount => 1$$),
	($$'a', 'fixed', 1, 1, max_discount_amount => NULL$$),
	($$'a', 'fixed', 1, 1, min_order_amount => -1$$),
	($$'a', 'fixed', 1, 1, min_order_amount => 0$$),
	($$'a', 'fixed', 1, 1, per_user_limit => 0$$),
	($$'a', 'fixed', 1, 1, per_user_limit => 1$$),
	($$'a', 'fixed', 1, 1, per_user_limit => 2147483647$$),
	($$'a', 'fixed', 1, 1, valid_for => '0'$$),
	($$'a', 'fixed', 1, 1, valid_for => '-1 day'$$),
	($$'a', 'fixed', 1, 1, valid_for => '1 microsecond'$$),
	($$'a', 'fixed', 1, 1, valid_for => NULL$$),
	($$'a', 'fixed', 1, 1, now(), now()$$),
	($$'a', 'fixed', 1, 1, now(), now() - interval '1 microsecond'$$),
	($$'a', 'fixed', 1, 1, now(), now() + interval '1 microsecond'$$),
	($$'a', 'fixed', 1, 1, '0001-01-01 00:00+00', 'infinity'$$),
	($$'a', 'fixed', 1, 1, '-infinity', 'infinity'$$),
	($$'a', 'fixed', 1, 1, 'infinity', 'infinity'$$)
) c (arguments);

-- close_coupon_policy: issuing ends now; an end that has passed stays.
SELECT issue_until = now() AS ends_now FROM commerce.close_coupon_policy(1);
SELECT issue_until = now() AS ends_now FROM commerce.close_coupon_policy(1);
SELECT issue_until AT TIME ZONE 'UTC' AS issue_until FROM commerce.close_coupon_policy(50);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.close_coupon_policy(2)$$);
