-- Idempotency keys in place_orders: place_order's own, and once only within a batch, too.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/requests.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1), commerce.create_user('Lee', 2);
	PERFORM commerce.charge_balance(1, 10000), commerce.charge_balance(2, 10000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 20, 1);
	PERFORM commerce.create_product_option(1, 'blue', 300, 20, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 500, 100, per_user_limit => 100, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1);
END
$$;

-- The same key again is the same order, whatever has become of it; another user's is another key.
SELECT request_no, order_id, sqlstate FROM pg_temp.batch(
	pg_temp.request(1, '1:1 2:2', NULL, 'a'), pg_temp.request(1, '2:1 2:1 1:1', NULL, 'a'),
	pg_temp.request(2, '1:1', NULL, 'a'), pg_temp.request(1, '1:1', NULL, 'b'));
SELECT count(*) FROM commerce.orders;
SELECT status FROM commerce.cancel_order(1);
SELECT request_no, order_id, sqlstate FROM pg_temp.batch(
	pg_temp.request(1, '1:1 2:2', NULL, 'a'), pg_temp.request(1, '1:1', NULL, 'b'));

-- place_order and place_orders know each other's keys.
SELECT order_id, status, total FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 2}, {"option_id": 1, "quantity": 1}]', NULL, 'a');
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]', NULL, 'b')$$);
SELECT order_id AS single FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]', NULL, 'c') \gset
SELECT order_id = :single AS same_order FROM pg_temp.batch(pg_temp.request(1, '2:1', NULL, 'c'));
-- hold_order's are others.
SELECT status FROM commerce.hold_order(1, '[{"option_id": 2, "quantity": 1}]', NULL, '1 hour', 'held');
SELECT order_id > :single AS new_order FROM pg_temp.batch(pg_temp.request(1, '2:1', NULL, 'held'));

-- Other arguments are refused: of an earlier call, or of an earlier request. A coupon is an argument.
SELECT request_no, order_id IS NOT NULL AS placed, sqlstate, message, detail FROM pg_temp.batch(
	pg_temp.request(1, '1:2', NULL, 'a'),
	pg_temp.request(1, '2:1', NULL, 'd'), pg_temp.request(1, '2:2', NULL, 'd'), pg_temp.request(1, '2:1', 1, 'd'),
	pg_temp.request(1, '2:1', NULL, 'd'));
-- That is told before anything else that is wrong, but for what is malformed.
SELECT request_no, sqlstate FROM pg_temp.batch(
	pg_temp.request(1, '9:1 1:999', 99, 'd'), pg_temp.request(1, '2:0', NULL, 'd'));

-- A known key answers though balance, stock and coupon are gone.
SELECT order_id AS with_coupon FROM pg_temp.batch(pg_temp.request(1, '1:1', 1, 'e')) \gset
BEGIN;
SELECT balance_after FROM commerce.use_balance(1, commerce.get_balance(1));
SELECT count(*) FROM commerce.stock s, commerce.adjust_stock(s.option_id, -s.available);
SELECT order_id = :with_coupon AS same_order FROM pg_temp.batch(pg_temp.request(1, '1:1', 1, 'e'));
ROLLBACK;

-- A refused request leaves its key to the next one that bears it, in this call ...
SELECT request_no, order_id = max(order_id) OVER () AS same_order, sqlstate FROM pg_temp.batch(
	pg_temp.request(2, '1:99', NULL, 'f'), pg_temp.request(2, '2:1', NULL, 'f'),
	pg_temp.request(2, '1:99', NULL, 'f'), pg_temp.request(2, '2:1', NULL, 'f'));
-- ... or in a later one, which sees the arguments that made the order,
SELECT request_no, sqlstate FROM pg_temp.batch(
	pg_temp.request(2, '2:1', NULL, 'f'), pg_temp.request(2, '1:99', NULL, 'f'));
-- and if all are refused, nothing is stored.
SELECT sqlstate FROM pg_temp.batch(
	pg_temp.request(2, '1:99', NULL, 'g'), pg_temp.request(2, '2:99', NULL, 'g'), pg_temp.request(2, '1:0', NULL, 'h'));
SELECT user_id, function_name, idempotency_key, object_id IN (SELECT order_id FROM commerce.orders) AS has_order
FROM commerce.idempotency_keys ORDER BY user_id, function_name, idempotency_key COLLATE "C";
SELECT sqlstate FROM pg_temp.batch(pg_temp.request(2, '1:1', NULL, 'g'), pg_temp.request(2, '1:1', NULL, 'h'));

-- Keys are compared by their bytes, and may hold any character.
SELECT count(DISTINCT order_id) FROM pg_temp.batch(
	pg_temp.request(1, '2:1', NULL, ' '), pg_temp.request(1, '2:1', NULL, '  '), pg_temp.request(1, '2:1', NULL, 'ä'),
	pg_temp.request(1, '2:1', NULL, 'a' || U&'\0308'), pg_temp.request(1, '2:1', NULL, 'Ä'), pg_temp.request(1, '2:1', NULL, '주문'),
	pg_temp.request(1, '2:1', NULL, E'\t\n"\\'), pg_temp.request(1, '2:1', NULL, 'ä'));

-- A key that was purged is new, though its order is there.
SELECT * FROM commerce.purge_idempotency_keys('0') \g /dev/null
SELECT order_id > :with_coupon AS new_order FROM pg_temp.batch(pg_temp.request(1, '1:1', NULL, 'e'));
-- An order that somebody deleted is not made again.
DELETE FROM commerce.order_items WHERE order_id = (SELECT max(order_id) FROM commerce.orders);
DELETE FROM commerce.orders WHERE order_id = (SELECT max(order_id) FROM commerce.orders);
SELECT sqlstate, message ~ '^order [0-9]+ not found$' AS says_so FROM pg_temp.batch(pg_temp.request(1, '1:1', NULL, 'e'));
