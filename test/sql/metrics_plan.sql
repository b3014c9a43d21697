-- metrics() reads what is not delivered, and of much some, whatever statistics say.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Statistics of an empty shop.
VACUUM ANALYZE commerce.events, commerce.stored_deliveries, commerce.cursors;

-- 50,000 events, each of a transaction of its own. Subscription default has got to the
-- last 100; of those that it has passed, 2 are dead, 2 running and 1 has failed once. A
-- transaction of old ended since; of its 2 events 1 was discarded. Another subscription
-- has asked for none.
INSERT INTO commerce.events (event_id, event_type, order_id, origin, xact_id)
SELECT n, 'order.paid', n, commerce.event_origin(), n FROM generate_series(1, 50000) n
UNION ALL
SELECT 60000 + n, 'order.paid', n, commerce.event_origin(), 10 FROM generate_series(1, 2) n;
INSERT INTO commerce.stored_deliveries
	(event_id, subscription_no, order_id, origin, xact_id, status, attempt, failures, due_at, finished_at)
SELECT n, 1, n, commerce.event_origin(), n, d.status, 1, 0,
	CASE WHEN d.status IN ('running', 'available') THEN now() + interval '1 hour' END,
	CASE WHEN d.status = 'delivered' THEN now() END
FROM generate_series(1, 49900) n, LATERAL (
	SELECT CASE WHEN n IN (1, 2) THEN 'dead' WHEN n IN (30000, 30001) THEN 'running'
		WHEN n = 40000 THEN 'available' ELSE 'delivered' END::commerce.delivery_status) d (status);
INSERT INTO commerce.stored_deliveries
	(event_id, subscription_no, order_id, origin, xact_id, status, attempt, failures, finished_at)
VALUES (60001, 1, 1, commerce.event_origin(), 10, 'discarded', 0, 0, now());
INSERT INTO commerce.cursors (subscription_no, origin, cursor_no, next_xact_id, last_event_id,
	in_progress, doubtful_xact_ids, doubtful_event_ids)
SELECT 1, commerce.event_origin(), n, n * 24950, n * 24950, CASE n WHEN 2 THEN '{10}' ELSE '{}'::bigint[] END, '{}', '{}'
FROM generate_series(1, 2) n;
SELECT commerce.create_subscription('away', start_from => '-infinity') \g /dev/null
VACUUM commerce.events, commerce.stored_deliveries;

CREATE FUNCTION pg_temp.look(OUT subscription text, OUT figures text) RETURNS SETOF record
LANGUAGE sql AS $$
	SELECT labels->>'subscription', string_agg((labels->>'status') || ' ' || value, ', ' ORDER BY labels->>'status')
	FROM commerce.metrics() WHERE name = 'commerce_undelivered_events' GROUP BY 1 ORDER BY 1
$$;
-- What this transaction has read of the two tables.
CREATE FUNCTION pg_temp.reads(OUT relname name, OUT seq_scans bigint, OUT few boolean) RETURNS SETOF record
LANGUAGE sql AS $$
	SELECT c.relname, pg_stat_get_xact_numscans(c.oid), sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) < 4000
	FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
	WHERE c.oid IN ('commerce.events'::regclass, 'commerce.stored_deliveries'::regclass)
	GROUP BY c.oid, c.relname ORDER BY c.relname
$$;
SELECT FROM pg_temp.look(); -- plans are made
SELECT FROM pg_stat_force_next_flush();
BEGIN;
SELECT * FROM pg_temp.look();
SELECT * FROM pg_temp.reads();
COMMIT;

-- It is the same with statistics of now.
ANALYZE commerce.events, commerce.stored_deliveries, commerce.cursors;
SELECT FROM pg_temp.look();
SELECT FROM pg_stat_force_next_flush();
BEGIN;
SELECT * FROM pg_temp.look();
SELECT * FROM pg_temp.reads();
COMMIT;

-- What the views say of default is the same, all of it.
SELECT status, count(*) FROM commerce.deliveries WHERE subscription = 'default' GROUP BY status ORDER BY status;
SELECT event_id FROM commerce.unclaimed_deliveries WHERE subscription = 'default' AND event_id NOT BETWEEN 49901 AND 50000;

-- What the cursor has not passed and no delivery is stored of is what no claim has come to.
SELECT count(*) FROM (
	SELECT event_id, subscription FROM commerce.unpassed_events e
	WHERE NOT EXISTS (SELECT FROM commerce.stored_deliveries d
		WHERE d.event_id = e.event_id AND d.subscription_no = e.subscription_no)
	EXCEPT ALL SELECT event_id, subscription FROM commerce.unclaimed_deliveries) differ;
