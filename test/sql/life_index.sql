-- The tables' storage may change between calls: reindexed, rewritten, analysed, indexed by users.

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
SELECT balance_after FROM commerce.charge_balance(1, 1000);

REINDEX TABLE CONCURRENTLY commerce.balances;
REINDEX TABLE CONCURRENTLY commerce.stock_slots;
REINDEX TABLE CONCURRENTLY commerce.orders;
REINDEX TABLE CONCURRENTLY commerce.outbox;
REINDEX TABLE CONCURRENTLY commerce.coupons;
REINDEX TABLE CONCURRENTLY commerce.idempotency_keys;
REINDEX TABLE CONCURRENTLY commerce.product_options;
SELECT balance_after FROM commerce.charge_balance(1, 1000);
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT event_id FROM commerce.claim_events();

REINDEX SCHEMA commerce;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT event_id FROM commerce.claim_events();

-- Within the transaction of the calls, and undone.
BEGIN;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
REINDEX TABLE commerce.orders;
REINDEX TABLE commerce.stock_slots;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
ROLLBACK;
SELECT balance_after FROM commerce.use_balance(1, 1);

VACUUM FULL commerce.balances;
VACUUM FULL commerce.orders;
VACUUM (FREEZE, ANALYZE) commerce.stock_slots;
CLUSTER commerce.outbox USING outbox_pkey;
ANALYZE commerce.orders;
SELECT subtotal FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');

-- Users' own indexes: on columns that calls change, unique, on expressions, partial.
CREATE INDEX balances_of_users ON commerce.balances (balance);
CREATE INDEX ON commerce.stock_slots (quantity);
CREATE INDEX ON commerce.orders ((total / 1000), status);
CREATE INDEX ON commerce.orders (placed_at) WHERE status = 'paid';
CREATE INDEX ON commerce.outbox (status);
CREATE UNIQUE INDEX ON commerce.coupons (coupon_id, status);
SELECT subtotal FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]');
SELECT balance_after FROM commerce.charge_balance(1, 5000);
SELECT count(*) FROM commerce.claim_events();
-- They find what the calls wrote.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT user_id FROM commerce.balances WHERE balance = (SELECT balance_after FROM commerce.balance_history
	ORDER BY entry_no DESC LIMIT 1);
SELECT count(*) FROM commerce.balances WHERE balance < 1000;
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT * FROM commerce.verify();

-- Another primary key index in the place of ours is as good, whatever its name.
DO $$
BEGIN
	ALTER TABLE commerce.balances DROP CONSTRAINT balances_pkey;
	ALTER TABLE commerce.balances ADD CONSTRAINT balances_of_users_pkey PRIMARY KEY (user_id);
	ALTER INDEX commerce.orders_pkey RENAME TO orders_primary;
END
$$;
SELECT balance_after > 0 AS charged FROM commerce.charge_balance(1, 1);
SELECT status FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');

-- Without one there is no way to the row: a plain error, and the session lives on.
ALTER TABLE commerce.balances DROP CONSTRAINT balances_of_users_pkey;
SELECT code <> 'none' AS refused, code LIKE 'SC%' AS as_refusal
FROM pg_temp.refusal($$SELECT commerce.charge_balance(1, 1)$$);
ALTER TABLE commerce.balances ADD PRIMARY KEY (user_id);
SELECT balance_after > 0 AS charged FROM commerce.charge_balance(1, 1);
SELECT * FROM commerce.verify();
