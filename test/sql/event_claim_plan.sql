-- How claim_events looks for events: by the indexes whatever statistics say, and
-- without missing any for thrift.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers
\set ECHO all

SELECT FROM commerce.create_user('Kim', 1);
SELECT FROM commerce.charge_balance(1, 100000);
SELECT FROM commerce.create_product('shirt', 1);
SELECT FROM commerce.create_product_option(1, 'red', 1, 100000, 1);

-- A session that has claimed where there was nothing, analyzed as such, keeps its plan.
VACUUM ANALYZE commerce.events, commerce.stored_deliveries, commerce.orders, commerce.order_items;
SELECT sum(claimed) FROM generate_series(1, 10) n, LATERAL (
	SELECT count(*) claimed FROM commerce.claim_events(n)) claims;
SELECT count(commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]'))
FROM generate_series(1, 5000);
SELECT FROM pg_stat_force_next_flush();
BEGIN;
SELECT count(*) FROM commerce.claim_events(2500, '1 hour');
SELECT relname, seq_scan FROM pg_stat_xact_user_tables
WHERE schemaname = 'commerce' AND relname IN ('events', 'stored_deliveries', 'orders', 'order_items')
ORDER BY relname;
COMMIT;
SELECT count(*) FROM commerce.claim_events(2500, '1 hour');

-- Where many events were, a session does not look at every claim. It must not
-- for ever miss one that turns up there: here, one whose transaction took long.
SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
FROM commerce.deliveries WHERE status = 'running';
SELECT count(*) FROM commerce.claim_events();
UPDATE commerce.stored_deliveries SET status = 'available', finished_at = NULL,
	due_at = now() - interval '1 hour' WHERE event_id = 1;
SELECT sum(claimed) FROM generate_series(1, 10) n, LATERAL (
	SELECT count(*) claimed FROM commerce.claim_events(n)) claims;
