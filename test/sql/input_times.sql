-- What every language can read: no infinity, no interval that is partly negative.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

SELECT commerce.create_user('Kim', 1) \g /dev/null
SELECT commerce.create_product('shirt', 1), commerce.create_product_option(1, 'red', 1, 100, 1) \g /dev/null
SELECT issue_until, valid_for, valid_until
FROM commerce.create_coupon_policy('no end', 'fixed', 1, 10, per_user_limit => 9, policy_id => 1,
	issue_until => 'infinity', valid_until => 'infinity');
SELECT expires_at FROM commerce.issue_coupon(1, 1);
SELECT coupon_id, state FROM commerce.coupon_wallet;
SELECT status FROM commerce.use_coupon(1, 1, 10);
SELECT issue_until = now() AS closed FROM commerce.close_coupon_policy(1);

SELECT c.why, r.code, r.message
FROM (VALUES
	('for 290000 years',	$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, valid_for => '290000 years')$$),
	('mixed signs',			$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, valid_for => '1 month -1 day')$$),
	('mixed signs',			$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, valid_for => '-1 month 60 days')$$),
	('from infinity',		$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, issue_from => 'infinity')$$),
	('from -infinity',		$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, issue_from => '-infinity')$$),
	('until -infinity',		$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, issue_until => '-infinity')$$),
	('valid -infinity',		$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, valid_until => '-infinity')$$),
	('year 10000',			$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, valid_until => '10000-01-01 00:00+00')$$),
	('4713 BC',				$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, issue_from => '4713-01-01 00:00+00 BC')$$),
	('hold too long',		$$SELECT commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '7 days 1 second')$$),
	('hold 300,000 years',	$$SELECT commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '170000 years')$$),
	('hold mixed',			$$SELECT commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '1 day -1 hour')$$),
	('lease too long',		$$SELECT commerce.claim_events(1, '1 day 1 second')$$),
	('lease mixed',			$$SELECT commerce.claim_events(1, '1 day -1 second')$$),
	('too many events',		$$SELECT commerce.claim_events(10001)$$),
	('old keys',			$$SELECT commerce.purge_idempotency_keys('290000 years')$$),
	('old events',			$$SELECT commerce.purge_events('290000 years')$$)
) c (why, statement), pg_temp.refusal(c.statement) r;

-- At the bound it is still in.
SELECT extract(year FROM valid_until) FROM commerce.create_coupon_policy('x', 'fixed', 1, 1, valid_until => '9999-12-31 23:59:59.999999+00');
SELECT valid_for FROM commerce.create_coupon_policy('x', 'fixed', 1, 1, valid_for => '1000 years');
SELECT expires_at - placed_at FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '7 days');
SET commerce.max_hold_time = '1h';
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '61 minutes')$$);
RESET commerce.max_hold_time;

-- A longer retry_after is cut; so is a longer error.
SELECT commerce.charge_balance(1, 10), commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]') \g /dev/null
SELECT event_id, attempt FROM commerce.claim_events(1, '1 day');
SELECT next_attempt_at - now() BETWEEN '12 hours' AND '12 hours 1 minute' AS in_12_h, length(last_error)
FROM commerce.fail_event(1, 1, repeat('x', 100000), '290000 years');
