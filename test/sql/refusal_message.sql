-- Every refusal: its code, what it says to people, and what its detail tells programs.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 5, 1);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 5,
		min_order_amount => 2000, per_user_limit => 4, policy_id => 1);
	PERFORM commerce.create_coupon_policy('to come', 'fixed', 100, 5, '2999-01-01 00:00+00',
		policy_id => 2);
	PERFORM commerce.create_coupon_policy('over', 'fixed', 100, 5, '2019-01-01 00:00+00',
		'2020-01-01 00:00+00', policy_id => 3);
	PERFORM commerce.create_coupon_policy('none left', 'fixed', 100, 0, policy_id => 4);
	PERFORM commerce.create_coupon_policy('past', 'fixed', 100, 5,
		valid_until => '2020-01-01 00:00+00', policy_id => 5);
	PERFORM commerce.charge_balance(1, 3000, 'key "1"');
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 4);
	PERFORM commerce.issue_coupon(1, 5);
	PERFORM commerce.use_coupon(1, 2, 5000);
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]', 3);
	PERFORM commerce.revoke_coupon(4);
END
$$;
UPDATE commerce.balances SET balance = 9223372036854775807 WHERE user_id = 1;
CREATE TEMP TABLE refusals AS
SELECT r.*
FROM (VALUES
	(1, $$charge_balance(9, 1)$$),
	(2, $$create_product_option(9, 'blue', 1)$$),
	(3, $$set_price(9, 1)$$),
	(4, $$get_order(9)$$),
	(5, $$close_coupon_policy(9)$$),
	(6, $$revoke_coupon(9)$$),
	(7, $$retry_event(9)$$),
	(8, $$charge_balance(1, 0)$$),
	(9, $$charge_balance(1, 1000000000001)$$),
	(10, $$use_balance(1, 0)$$),
	(11, $$use_coupon(1, 1, 0)$$),
	(12, $$get_balance(2)$$),
	(13, $$place_order(2, '[{"option_id": 1, "quantity": 1}]')$$),
	(14, $$charge_balance(1, 1)$$),
	(15, $$issue_coupon(1, 2)$$),
	(16, $$issue_coupon(1, 3)$$),
	(17, $$issue_coupon(1, 4)$$),
	(18, $$issue_coupon(1, 1)$$),
	(19, $$use_coupon(1, 2, 5000)$$),
	(20, $$use_coupon(1, 3, 5000)$$),
	(21, $$use_coupon(1, 5, 5000)$$),
	(22, $$use_coupon(1, 1, 1999)$$),
	(23, $$use_coupon(1, 4, 5000)$$),
	(24, $$place_order(1, '[{"option_id": 1, "quantity": 4}]')$$),
	(25, $$adjust_stock(1, -4)$$),
	(26, $$place_order(1, 'null')$$),
	(27, $$place_order(1, '[]')$$),
	(28, $$place_order(1, '[1]')$$),
	(29, $$place_order(1, '[{"option_id": 1, "quantity": 1}, {"option_id": 1}]')$$),
	(30, $$place_order(1, '[{"option_id": 1, "quantity": 1, "colour": "red"}]')$$),
	(31, $$place_order(1, '[{"option_id": 1, "quantity": 1.5}]')$$),
	(32, $$place_order(1, '[{"option_id": "one", "quantity": 1}]')$$),
	(33, $$place_order(1, '[{"option_id": 1, "quantity": 0}]')$$),
	(34, $$charge_balance(1, 3001, 'key "1"')$$),
	(35, $$fail_event(1, 1, 'no answer')$$),
	(36, $$discard_event(1)$$)
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r;
UPDATE commerce.balances SET balance = 1100 WHERE user_id = 1;
INSERT INTO refusals SELECT * FROM pg_temp.refusal($$SELECT commerce.use_balance(1, 1101)$$);
INSERT INTO refusals SELECT * FROM pg_temp.refusal(
	$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]')$$);

SELECT code, message, detail FROM refusals ORDER BY code, message COLLATE "C", detail::text COLLATE "C";

-- For people: lower case, no full stop, no function's name. For programs: an object.
SELECT code, message FROM refusals WHERE message !~ '^[a-z]' OR message ~ '\.$'
	OR message ~ '(charge|use|get)_balance|_coupon|_order\M|_event|set_price|adjust_stock|create_';
SELECT code, detail FROM refusals WHERE jsonb_typeof(detail) IS DISTINCT FROM 'object';

-- The whole of it, as psql shows it; nothing else comes with it.
SELECT commerce.use_balance(2, 5);
