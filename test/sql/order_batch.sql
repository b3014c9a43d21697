-- Many orders in one call: in array order, each on its own, each seeing what the earlier ones did.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/requests.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1), commerce.create_user('Lee', 2), commerce.create_user('Park', 3);
	PERFORM commerce.charge_balance(1, 10000), commerce.charge_balance(2, 2500);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 20, 1);
	PERFORM commerce.create_product_option(1, 'blue', 300, 2, 2);
	PERFORM commerce.create_product_option(1, 'free', 0, 50, 3);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 500, 100, per_user_limit => 100, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 4);
END
$$;

-- As it is called: an array of objects with place_order's arguments by name.
SELECT * FROM commerce.place_orders('[
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 1}], "coupon_id": 1},
	{"user_id": 2, "items": [{"option_id": 1, "quantity": 3}], "idempotency_key": null},
	{"user_id": 2, "items": [{"option_id": 1, "quantity": 1}], "coupon_id": null, "idempotency_key": "lee-1"}]');
SELECT order_id, user_id, status, subtotal, discount, total, coupon_id, placed_at = now() AS now, paid_at = placed_at AS paid
FROM commerce.orders ORDER BY order_id DESC;
SELECT order_id, line_no, option_id, quantity, unit_price, discount_amount FROM commerce.order_items ORDER BY 1 DESC, 2;
SELECT user_id, entry_no, type, amount, balance_after, order_id
FROM commerce.balance_history WHERE type = 'payment' ORDER BY user_id, entry_no;
SELECT coupon_id, status, order_id, discount_amount FROM commerce.coupons ORDER BY coupon_id;
SELECT option_id, available FROM commerce.stock ORDER BY option_id;
SELECT event_type, order_id, status FROM commerce.deliveries ORDER BY event_id;

-- The last unit goes to who asks first, and a smaller wish after a refused one is still met.
SELECT * FROM pg_temp.batch(pg_temp.request(1, '2:2'), pg_temp.request(2, '2:1'), pg_temp.request(1, '2:1'));
-- A balance runs out, for a while: what costs less still goes.
SELECT request_no, sqlstate, detail FROM pg_temp.batch(
	pg_temp.request(2, '1:1'), pg_temp.request(2, '1:1'), pg_temp.request(2, '3:1'), pg_temp.request(1, '1:1'));
-- A coupon is used by the first who may.
SELECT request_no, sqlstate, message FROM pg_temp.batch(
	pg_temp.request(2, '1:1', 2), pg_temp.request(1, '1:1', 2), pg_temp.request(1, '1:1', 2), pg_temp.request(1, '1:1', 3));
-- The order that a refusal names is the one of the same call.
SELECT (detail ->> 'order_id')::bigint = first_value(order_id) OVER (ORDER BY request_no) AS same
FROM pg_temp.batch(pg_temp.request(1, '3:1', 4), pg_temp.request(1, '1:1', 4));
-- Nothing to pay: no entry, but an account is needed.
SELECT request_no, sqlstate, message FROM pg_temp.batch(pg_temp.request(3, '3:1'), pg_temp.request(2, '3:1'));
SELECT user_id, balance, entry_count FROM commerce.balances ORDER BY user_id;
SELECT * FROM commerce.verify();

-- None placed: nothing is written, and no key either.
BEGIN;
CREATE TEMP TABLE before AS SELECT * FROM commerce.stock_slots;
SELECT count(*), count(order_id) FROM pg_temp.batch(pg_temp.request(2, '1:9'), pg_temp.request(9, '1:1', 1, 'k'));
SELECT count(*) FROM (TABLE before EXCEPT TABLE commerce.stock_slots) d;
SELECT count(*) FROM commerce.idempotency_keys WHERE user_id = 9;
ROLLBACK;

-- Whatever their number, orders change each balance and each stock once.
CREATE TABLE pg_temp.log (name text, op text);
CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO pg_temp.log VALUES (TG_TABLE_NAME, TG_OP);
	RETURN NULL;
END
$$;
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON commerce.balances FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE ON commerce.stock_slots FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER c AFTER INSERT OR UPDATE OR DELETE ON commerce.events FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER d AFTER INSERT OR UPDATE OR DELETE ON commerce.balance_history FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT available FROM commerce.adjust_stock(2, 10);
TRUNCATE pg_temp.log;
SELECT count(order_id) FROM commerce.place_orders((SELECT jsonb_agg(pg_temp.request(1, '2:1 3:1')) FROM generate_series(1, 9)));
SELECT name, op, count(*) FROM pg_temp.log GROUP BY 1, 2 ORDER BY 1, 2;

-- Each history goes on without a gap, in the order of the requests.
SELECT bool_and(entry_no = nth AND balance_after = sum) FROM (
	SELECT user_id, entry_no, balance_after, row_number() OVER w AS nth, sum(amount) OVER w AS sum
	FROM commerce.balance_history WINDOW w AS (PARTITION BY user_id ORDER BY entry_no)) h;
-- One event an order.
SELECT count(*) FROM commerce.orders FULL JOIN commerce.events USING (order_id) WHERE user_id IS NULL OR event_id IS NULL;

-- A savepoint undoes it, and it can be done again; what follows in the transaction sees it.
BEGIN;
SAVEPOINT s;
SELECT count(order_id) FROM pg_temp.batch(pg_temp.request(1, '1:1', NULL, 'k'), pg_temp.request(1, '3:1'));
ROLLBACK TO s;
SELECT sqlstate FROM pg_temp.batch(pg_temp.request(1, '1:1', NULL, 'k'), pg_temp.request(1, '3:1'), pg_temp.request(1, '1:99'));
SELECT status, total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'k');
SELECT count(order_id) FROM pg_temp.batch(pg_temp.request(1, '1:1'), pg_temp.request(1, '1:1', NULL, 'k'));
COMMIT;
SELECT user_id, balance, entry_count FROM commerce.balances ORDER BY user_id;
-- In the SELECT list, and twice in one query.
SELECT (commerce.place_orders(jsonb_build_array(pg_temp.request(2, '3:1')))).sqlstate;
SELECT count(b.order_id) FROM generate_series(1, 3) i, commerce.place_orders(jsonb_build_array(pg_temp.request(2, '3:' || i))) b;
SELECT * FROM commerce.verify();
