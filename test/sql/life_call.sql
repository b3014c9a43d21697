-- The functions wherever a function may stand, and in every kind of transaction.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 100, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, per_user_limit => 9, policy_id => 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.issue_coupon(1, 1);
END
$$;

-- As a column, as an argument, as a table's content.
SELECT (commerce.charge_balance(1, 1)).balance_after;
SELECT (commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]')).total;
CREATE TEMP TABLE placed AS SELECT * FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]');
INSERT INTO placed SELECT * FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 2}]');
SELECT count(*) AS same FROM placed p JOIN commerce.orders o USING (order_id) WHERE p = o;
SELECT pg_typeof(f) FROM commerce.use_balance(1, 1) f;
COPY (SELECT amount, balance_after FROM commerce.charge_balance(1, 5)) TO STDOUT;
VALUES ((SELECT available FROM commerce.adjust_stock(1, 1)));

-- In WITH, each reference counts once.
WITH c AS MATERIALIZED (SELECT * FROM commerce.charge_balance(1, 10))
SELECT a.entry_no = b.entry_no AS same FROM c a, c b;

-- Behind a cursor: called when the first row is fetched.
BEGIN;
DECLARE c CURSOR FOR SELECT h.amount FROM generate_series(1, 5) i, commerce.charge_balance(1, i) h;
SELECT count(*) FROM commerce.balance_history WHERE amount IN (2, 3);
FETCH 2 FROM c;
CLOSE c;
COMMIT;

-- As a prepared statement, with parameters of either plan.
PREPARE pay (bigint, bigint) AS SELECT amount FROM commerce.use_balance($1, $2);
SET plan_cache_mode = force_generic_plan;
EXECUTE pay (1, 11);
SET plan_cache_mode = force_custom_plan;
EXECUTE pay (1, 12);
RESET plan_cache_mode;

-- In PL/pgSQL: a refusal is caught like any error, and what came before it stays.
DO $$
DECLARE
	done commerce.balance_history;
BEGIN
	done := commerce.charge_balance(1, 1000000);
	BEGIN
		PERFORM commerce.charge_balance(1, 77);
		PERFORM commerce.use_balance(1, 1000000000);
	EXCEPTION WHEN SQLSTATE 'SC103' THEN
		RAISE INFO 'caught %, after a charge of %', SQLSTATE, done.amount;
	END;
END
$$;
SELECT count(*) FROM commerce.balance_history WHERE amount = 77;
-- With commits in between.
DO $$
BEGIN
	PERFORM commerce.charge_balance(1, 78);
	COMMIT;
	PERFORM commerce.charge_balance(1, 79);
	ROLLBACK;
	PERFORM commerce.charge_balance(1, 80);
END
$$;
SELECT amount FROM commerce.balance_history WHERE amount BETWEEN 78 AND 80 ORDER BY entry_no;

-- Every isolation level; twice the same row within one transaction.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', 1);
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT event_id FROM commerce.claim_events();
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT total FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]', NULL, 'k');
SELECT total FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]', NULL, 'k');
COMMIT;
SET default_transaction_isolation = 'serializable';
SELECT total FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]', NULL, 'k');
RESET default_transaction_isolation;

-- The readers in parallel workers.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT sum(commerce.get_balance(user_id)) = sum(balance) AS same FROM commerce.balances;
SELECT count(commerce.get_order(order_id)) = count(*) AS same FROM commerce.orders;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- In a read-only transaction the readers work, the writers say so.
BEGIN READ ONLY;
SELECT * FROM commerce.get_balance(1);
SELECT commerce.get_order(1) -> 'total' AS total;
SELECT line_total FROM commerce.quote_order(1, '[{"option_id": 1, "quantity": 2}]');
SELECT count(*) FROM commerce.verify();
SELECT c.call, r.code
FROM unnest(ARRAY[
	$x$create_user('Lee')$x$, $x$create_product('coat')$x$, $x$create_product_option(1, 'green', 1)$x$,
	$x$set_price(1, 1)$x$, $x$adjust_stock(1, 1)$x$, $x$create_coupon_policy('fall', 'fixed', 1, 1)$x$,
	$x$close_coupon_policy(1)$x$, $x$revoke_coupon(1)$x$, $x$charge_balance(1, 1)$x$, $x$use_balance(1, 1)$x$,
	$x$issue_coupon(1, 1)$x$, $x$use_coupon(1, 1, 1)$x$,
	$x$place_order(1, '[{"option_id": 1, "quantity": 1}]')$x$, $x$purge_idempotency_keys()$x$,
	$x$claim_events()$x$, $x$ack_events('{1}', '{1}')$x$, $x$fail_event(1, 1, 'no answer')$x$,
	$x$release_events('{1}', '{1}')$x$, $x$create_subscription('audit')$x$, $x$drop_subscription('default')$x$,
	$x$pause_subscription('default')$x$, $x$resume_subscription('default')$x$, $x$retry_events()$x$,
	$x$retry_event(1)$x$, $x$discard_event(1)$x$, $x$purge_events()$x$,
	$x$grant_access('pg_monitor', 'reader')$x$, $x$revoke_access('pg_monitor')$x$]) WITH ORDINALITY c (call, nth),
	pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
WHERE r.code <> '25006';
COMMIT;

-- A search_path full of traps changes nothing.
CREATE SCHEMA traps;
CREATE FUNCTION traps.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '2000-01-01'::timestamptz $$;
CREATE FUNCTION traps.wrong(bigint, bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
CREATE OPERATOR traps.= (FUNCTION = traps.wrong, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR traps.<= (FUNCTION = traps.wrong, LEFTARG = bigint, RIGHTARG = bigint);
CREATE TABLE traps.orders (order_id text);
SET search_path = traps, pg_catalog;
SELECT total FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]');
SELECT count(*) FROM commerce.claim_events();
SELECT * FROM commerce.ack_events('{1}', '{1}');
SELECT commerce.get_order(1) -> 'total' AS total;
SELECT count(*) FROM commerce.verify();
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA traps CASCADE;
RESET client_min_messages;
SELECT * FROM commerce.verify();
