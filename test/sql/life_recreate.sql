-- DROP EXTENSION and CREATE EXTENSION in a session that has used it: nothing old is remembered.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- A day in the shop: every call once, and what it returns but for the times.
CREATE FUNCTION pg_temp.day() RETURNS TABLE (call text, result text)
LANGUAGE plpgsql AS $$
BEGIN
	FOREACH call IN ARRAY ARRAY[
		$x$create_user('Kim')$x$,
		$x$create_product('shirt')$x$,
		$x$create_product_option(1, 'red', 1000, 10)$x$,
		$x$set_price(1, 900)$x$,
		$x$adjust_stock(1, 5, 'more', 'k')$x$,
		$x$create_coupon_policy('spring', 'fixed', 100, 5, per_user_limit => 3)$x$,
		$x$charge_balance(1, 10000, 'k')$x$,
		$x$use_balance(1, 500, 'k')$x$,
		$x$get_balance(1)$x$,
		$x$issue_coupon(1, 1, 'k')$x$,
		$x$issue_coupon(1, 1)$x$,
		$x$issue_coupon(1, 1)$x$,
		$x$use_coupon(1, 1, 1000)$x$,
		$x$revoke_coupon(2)$x$,
		$x$close_coupon_policy(1)$x$,
		$x$quote_order(1, '[{"option_id": 1, "quantity": 2}]', 3)$x$,
		$x$place_order(1, '[{"option_id": 1, "quantity": 2}]', 3, 'k')$x$,
		$x$place_order(1, '[{"option_id": 1, "quantity": 2}]', 3, 'k')$x$,
		$x$place_order(1, '[{"option_id": 1, "quantity": 1}]')$x$,
		$x$get_order(1)$x$,
		$x$claim_events()$x$,
		$x$ack_events('{1}', '{1}')$x$,
		$x$fail_event(2, 1, 'no answer')$x$,
		$x$purge_outbox()$x$,
		$x$purge_idempotency_keys('0')$x$,
		$x$verify()$x$]
	LOOP
		EXECUTE format($x$
			SELECT string_agg(regexp_replace((to_jsonb(r) - '{created_at,updated_at,issued_at,
					issue_from,used_at,placed_at,paid_at,next_attempt_at,locked_until,payload}'::text[]
				)::text, '"[0-9]{4}-[0-9]{2}-[^"]*"', 'time', 'g'), ', ')
			FROM (SELECT * FROM commerce.%s) r$x$, call) INTO result;
		RETURN NEXT;
	END LOOP;
END
$$;
CREATE TEMP TABLE day AS SELECT * FROM pg_temp.day();
SELECT count(*) FROM day;

-- A session that knows the old tables, with the new ones.
PREPARE charge AS SELECT balance_after FROM commerce.charge_balance(1, 5);
EXECUTE charge;
DROP EXTENSION commerce;
SELECT count(*) FROM pg_namespace WHERE nspname = 'commerce';
\set VERBOSITY sqlstate
EXECUTE charge;
\set VERBOSITY default
CREATE EXTENSION commerce;
SELECT * FROM pg_temp.day() EXCEPT SELECT * FROM day;
EXECUTE charge;

-- Everything within one transaction.
BEGIN;
DROP EXTENSION commerce;
CREATE EXTENSION commerce;
SELECT * FROM pg_temp.day() EXCEPT SELECT * FROM day;
COMMIT;
EXECUTE charge;

-- The same undone: the tables of before are there again, with what was in them.
BEGIN;
DROP EXTENSION commerce;
CREATE EXTENSION commerce;
SELECT * FROM pg_temp.day() EXCEPT SELECT * FROM day;
EXECUTE charge;
ROLLBACK;
EXECUTE charge;
SELECT * FROM commerce.get_balance(1);
BEGIN;
SAVEPOINT before_the_drop;
DROP EXTENSION commerce;
CREATE EXTENSION commerce;
SELECT name FROM commerce.create_user('somebody else');
ROLLBACK TO before_the_drop;
EXECUTE charge;
SELECT name FROM commerce.create_user('Lee');
COMMIT;

-- Created in a subtransaction that is undone.
DROP EXTENSION commerce;
BEGIN;
SAVEPOINT before_the_create;
CREATE EXTENSION commerce;
SELECT name FROM commerce.create_user('nobody');
ROLLBACK TO before_the_create;
CREATE EXTENSION commerce;
SELECT * FROM pg_temp.day() EXCEPT SELECT * FROM day;
COMMIT;
EXECUTE charge;
SELECT * FROM commerce.verify();

-- A schema that somebody made beforehand is no place for it.
DROP EXTENSION commerce;
CREATE SCHEMA commerce;
\set VERBOSITY sqlstate
CREATE EXTENSION commerce;
\set VERBOSITY default
DROP SCHEMA commerce;
CREATE EXTENSION commerce;
SELECT name FROM commerce.create_user('Kim');
