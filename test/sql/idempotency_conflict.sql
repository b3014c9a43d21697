-- The same key with other arguments, and where a key ends.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 20, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 20, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, per_user_limit => 9, policy_id => 1);
	PERFORM commerce.create_coupon_policy('fall', 'fixed', 100, 10, per_user_limit => 9, policy_id => 2);
	PERFORM commerce.charge_balance(1, 100000, 'k');
	PERFORM commerce.charge_balance(2, 100000);
	PERFORM commerce.issue_coupon(1, 1);
END
$$;

-- One key is one thing per function and user.
SELECT entry_no FROM commerce.use_balance(1, 100000 / 2, 'k');
SELECT coupon_id FROM commerce.issue_coupon(1, 1, 'k');
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]', NULL, 'k');
SELECT available FROM commerce.adjust_stock(1, 5, 'delivery', 'k');
SELECT entry_no FROM commerce.charge_balance(2, 7, 'k');
SELECT coupon_id FROM commerce.issue_coupon(2, 2, 'k');
SELECT order_id FROM commerce.place_order(2, '[{"option_id": 2, "quantity": 2}]', NULL, 'k');

-- Other arguments than Kim gave: each one, one at a time.
SELECT c.call, r.code, r.detail
FROM (VALUES
	(1, $$charge_balance(1, 100001, 'k')$$),
	(2, $$use_balance(1, 49999, 'k')$$),
	(3, $$issue_coupon(1, 2, 'k')$$),
	(4, $$adjust_stock(2, 5, 'delivery', 'k')$$),
	(5, $$adjust_stock(1, 6, 'delivery', 'k')$$),
	(6, $$adjust_stock(1, -5, 'delivery', 'k')$$),
	(7, $$adjust_stock(1, 5, 'Delivery', 'k')$$),
	(8, $$adjust_stock(1, 5, idempotency_key => 'k')$$),
	(9, $$place_order(1, '[{"option_id": 2, "quantity": 2}]', NULL, 'k')$$),
	(10, $$place_order(1, '[{"option_id": 1, "quantity": 3}]', NULL, 'k')$$),
	(11, $$place_order(1, '[{"option_id": 1, "quantity": 2}]', 1, 'k')$$),
	(12, $$place_order(1, '[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 1}]', NULL, 'k')$$),
	(13, $$place_order(1, '[{"option_id": 1, "quantity": 2}, {"option_id": 1, "quantity": 2}]', NULL, 'k')$$)
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;

-- The conflict comes after the bounds and before every other refusal.
SELECT c.call, r.code
FROM (VALUES
	(1, $$charge_balance(1, 0, 'k')$$),
	(2, $$charge_balance(1, 1000000000001, 'k')$$),
	(3, $$use_balance(1, 0, 'k')$$),
	(4, $$use_balance(1, 1000000, 'k')$$),
	(5, $$issue_coupon(1, 99, 'k')$$),
	(6, $$adjust_stock(99, 5, 'delivery', 'k')$$),
	(7, $$adjust_stock(1, -1000, 'delivery', 'k')$$),
	(8, $$place_order(1, '[]', NULL, 'k')$$),
	(9, $$place_order(1, '[{"option_id": 99, "quantity": 1}]', NULL, 'k')$$),
	(10, $$place_order(1, '[{"option_id": 1, "quantity": 1000}]', NULL, 'k')$$),
	(11, $$place_order(1, '[{"option_id": 1, "quantity": 2}]', 99, 'k')$$)
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;

-- The default spelled out is the same argument.
SELECT available FROM commerce.adjust_stock(2, 1, idempotency_key => 'default');
SELECT available FROM commerce.adjust_stock(2, 1, 'restock', 'default');

-- No user, no key: nothing to find, nothing stored.
SELECT code FROM pg_temp.refusal($$SELECT commerce.charge_balance(9, 100000, 'k')$$);
SELECT count(*) FROM commerce.idempotency_keys WHERE user_id = 9;

-- A refused call stores nothing: its key may come again with other arguments.
SELECT code FROM pg_temp.refusal($$SELECT commerce.use_balance(1, 1000000, 'again')$$);
SELECT amount FROM commerce.use_balance(1, 1, 'again');
SELECT code FROM pg_temp.refusal($$SELECT commerce.adjust_stock(1, -1000, 'lost', 'again')$$);
SELECT available FROM commerce.adjust_stock(1, -1, 'lost', 'again');
SELECT code FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 99, 'again')$$);
SELECT policy_id FROM commerce.issue_coupon(1, 2, 'again');
SELECT code FROM pg_temp.refusal(
	$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1000}]', NULL, 'again')$$);
SELECT subtotal FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'again');

-- The same call, refused before, may succeed later.
SELECT code FROM pg_temp.refusal(
	$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 23}]', NULL, 'later')$$);
SELECT available FROM commerce.adjust_stock(1, 10);
SELECT subtotal FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 23}]', NULL, 'later');
SELECT * FROM commerce.verify();
