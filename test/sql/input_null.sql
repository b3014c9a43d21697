-- A NULL where the default is not NULL: 22004, whatever else is wrong.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('thing', 1);
	PERFORM commerce.create_product_option(1, 'red', 1, 1, 1);
END
$$;

-- Each argument in turn; the message names the argument.
SELECT c.call, r.code, r.message
FROM (VALUES
	(1, $$create_user(NULL)$$),
	(2, $$create_product(NULL)$$),
	(3, $$create_product_option(NULL, 'a', 1)$$),
	(4, $$create_product_option(1, NULL, 1)$$),
	(5, $$create_product_option(1, 'a', NULL)$$),
	(6, $$create_product_option(1, 'a', 1, NULL)$$),
	(7, $$set_price(NULL, 1)$$),
	(8, $$set_price(1, NULL)$$),
	(9, $$adjust_stock(NULL, 1)$$),
	(10, $$adjust_stock(1, NULL)$$),
	(11, $$adjust_stock(1, 1, NULL)$$),
	(12, $$create_coupon_policy(NULL, 'fixed', 1, 1)$$),
	(13, $$create_coupon_policy('a', NULL, 1, 1)$$),
	(14, $$create_coupon_policy('a', 'fixed', NULL, 1)$$),
	(15, $$create_coupon_policy('a', 'fixed', 1, NULL)$$),
	(16, $$create_coupon_policy('a', 'fixed', 1, 1, issue_from => NULL)$$),
	(17, $$create_coupon_policy('a', 'fixed', 1, 1, issue_until => NULL)$$),
	(18, $$create_coupon_policy('a', 'fixed', 1, 1, min_order_amount => NULL)$$),
	(19, $$create_coupon_policy('a', 'fixed', 1, 1, per_user_limit => NULL)$$),
	(20, $$create_coupon_policy('a', 'fixed', 1, 1, valid_until => NULL)$$),
	(21, $$create_coupon_policy('a', 'fixed', 1, 1, restore_on_cancel => NULL)$$),
	(22, $$close_coupon_policy(NULL)$$),
	(23, $$revoke_coupon(NULL)$$),
	(24, $$charge_balance(NULL, 1)$$),
	(25, $$charge_balance(1, NULL)$$),
	(26, $$use_balance(NULL, 1)$$),
	(27, $$use_balance(1, NULL)$$),
	(28, $$get_balance(NULL)$$),
	(29, $$issue_coupon(NULL, 1)$$),
	(30, $$issue_coupon(1, NULL)$$),
	(31, $$use_coupon(NULL, 1, 1)$$),
	(32, $$use_coupon(1, NULL, 1)$$),
	(33, $$use_coupon(1, 1, NULL)$$),
	(34, $$place_order(NULL, '[{"option_id": 1, "quantity": 1}]')$$),
	(35, $$place_order(1, NULL)$$),
	(36, $$quote_order(NULL, '[{"option_id": 1, "quantity": 1}]')$$),
	(37, $$quote_order(1, NULL)$$),
	(38, $$hold_order(NULL, '[{"option_id": 1, "quantity": 1}]')$$),
	(39, $$hold_order(1, NULL)$$),
	(40, $$hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => NULL)$$),
	(41, $$pay_order(NULL)$$),
	(42, $$cancel_order(NULL)$$),
	(43, $$refund_order(NULL, '[{"option_id": 1, "quantity": 1}]')$$),
	(44, $$refund_order(1, NULL)$$),
	(45, $$place_orders(NULL)$$),
	(46, $$expire_orders(NULL)$$),
	(47, $$get_order(NULL)$$),
	(48, $$purge_idempotency_keys(NULL)$$),
	(49, $$claim_events(NULL)$$),
	(50, $$claim_events(1, NULL)$$),
	(51, $$fail_event(NULL, 1, 'a')$$),
	(52, $$fail_event(1, NULL, 'a')$$),
	(53, $$fail_event(1, 1, NULL)$$),
	(54, $$retry_event(NULL)$$),
	(55, $$discard_event(NULL)$$),
	(56, $$purge_events(NULL)$$),
	(60, $$claim_events(1, '1 s', NULL)$$),
	(61, $$ack_events('{1}', '{1}', NULL)$$),
	(62, $$fail_event(1, 1, 'a', NULL, NULL)$$),
	(63, $$release_events('{1}', '{1}', NULL, NULL)$$),
	(64, $$retry_event(1, NULL)$$),
	(65, $$retry_events(NULL)$$),
	(66, $$discard_event(1, NULL)$$),
	(67, $$create_subscription(NULL)$$),
	(68, $$drop_subscription(NULL)$$),
	(69, $$pause_subscription(NULL)$$),
	(70, $$resume_subscription(NULL)$$),
	(57, $$grant_access(NULL, 'reader')$$),
	(58, $$grant_access('pg_monitor', NULL)$$),
	(59, $$revoke_access(NULL)$$)
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;

-- A NULL comes before everything else that is wrong with the call.
SELECT c.call, r.code
FROM (VALUES
	(1, $$create_user(NULL, 1)$$),
	(2, $$create_product_option(9, '', NULL)$$),
	(3, $$create_product_option(9, NULL, -1)$$),
	(4, $$set_price(9, NULL)$$),
	(5, $$set_price(NULL, -1)$$),
	(6, $$adjust_stock(9, 1, NULL, '')$$),
	(7, $$create_coupon_policy('', 'none', 0, -1, restore_on_cancel => NULL)$$),
	(8, $$charge_balance(NULL, 0)$$),
	(9, $$charge_balance(9, NULL, '')$$),
	(10, $$use_balance(NULL, 0)$$),
	(11, $$issue_coupon(9, NULL, '')$$),
	(12, $$use_coupon(9, NULL, 0)$$),
	(13, $$place_order(NULL, '[]')$$),
	(14, $$place_order(NULL, '[]', 9, '')$$),
	(15, $$quote_order(NULL, '[]')$$),
	(16, $$hold_order(9, '[]', ttl => NULL, idempotency_key => '')$$),
	(17, $$cancel_order(NULL, '')$$),
	(18, $$refund_order(NULL, '[]', '')$$),
	(19, $$claim_events(0, NULL)$$),
	(20, $$fail_event(9, 0, NULL, '-1 s')$$),
	(21, $$grant_access(NULL, 'nobody')$$)
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;

-- NULL arrays are no events; NULL elements are none either.
SELECT * FROM commerce.ack_events(NULL, NULL);
SELECT * FROM commerce.ack_events('{1}', NULL);
SELECT * FROM commerce.ack_events(NULL, '{1}');
SELECT * FROM commerce.ack_events('{NULL, 1, NULL}', '{1, NULL, NULL}');

-- Where NULL is the default, it means "none".
SELECT user_id FROM commerce.create_user('Lee', NULL);
SELECT entry_no FROM commerce.charge_balance(1, 5, NULL);
SELECT entry_no FROM commerce.charge_balance(1, 5, NULL);
SELECT available FROM commerce.adjust_stock(1, 1, 'more', NULL);
SELECT order_id, coupon_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, NULL);
SELECT line_no FROM commerce.quote_order(1, '[{"option_id": 1, "quantity": 1}]', NULL);
SELECT order_id, coupon_id FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, '1 hour', NULL);
SELECT order_id, cancel_reason FROM commerce.cancel_order(2, NULL);
SELECT order_id, status FROM commerce.refund_order(1, '[{"option_id": 1, "quantity": 1}]', NULL);
SELECT attempt FROM commerce.claim_events();
SELECT attempt, status FROM commerce.fail_event(1, 1, 'no answer', NULL);
SELECT * FROM commerce.verify();
