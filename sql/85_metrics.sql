------------------------------------------------------------------------------
-- Functions: metrics
------------------------------------------------------------------------------

CREATE FUNCTION commerce.counters()
RETURNS TABLE (name text, function text, sqlstate text, subscription_no integer, outcome text,
	value bigint)
AS 'MODULE_PATHNAME', 'commerce_counters'
LANGUAGE C VOLATILE PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION commerce.counters IS
'Part of metrics(): what was counted in this database since the server started, and whether a notifier runs (level admin). Nothing is counted unless the library is preloaded.';

-- Of each subscription the first rows that three indexes have: a receiver that is behind
-- by millions of events need not be told by how many. Other plans would read whole tables.
CREATE FUNCTION commerce.undelivered()
RETURNS TABLE (subscription text, status commerce.delivery_status, events bigint,
	oldest timestamptz)
LANGUAGE SQL STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
SET jit = off
AS $undelivered$
WITH delivery AS (
	SELECT s.subscription_no, d.status, e.created_at
	FROM commerce.live_subscriptions s
	CROSS JOIN LATERAL (
		(SELECT d.status, d.origin, d.xact_id, d.event_id
		 FROM commerce.stored_deliveries d
		 WHERE d.subscription_no = s.subscription_no AND d.due_at IS NOT NULL
		 ORDER BY d.due_at LIMIT 1000)
		UNION ALL
		(SELECT d.status, d.origin, d.xact_id, d.event_id
		 FROM commerce.stored_deliveries d
		 WHERE d.subscription_no = s.subscription_no AND d.status = 'dead'
		 LIMIT 1000)) d
	JOIN commerce.events e
		ON e.origin = d.origin AND e.xact_id = d.xact_id AND e.event_id = d.event_id
	UNION ALL
	SELECT s.subscription_no, 'available', u.created_at
	FROM commerce.live_subscriptions s
	CROSS JOIN LATERAL (
		SELECT e.created_at
		FROM (
			-- OFFSET: what is passed is left out first, by index. The planner
			-- cannot know how few are left.
			SELECT e.event_id, e.created_at
			FROM commerce.unpassed_events e
			WHERE e.subscription_no = s.subscription_no
			OFFSET 0) e
		WHERE NOT EXISTS (
			SELECT FROM commerce.stored_deliveries d
			WHERE d.event_id = e.event_id AND d.subscription_no = s.subscription_no)
		LIMIT 1000) u
), counted AS MATERIALIZED (
	SELECT d.subscription_no, d.status, count(*) AS events, min(d.created_at) AS oldest
	FROM delivery d
	GROUP BY d.subscription_no, d.status
)
SELECT s.subscription, v.status, coalesce(c.events, 0), c.oldest
FROM commerce.live_subscriptions s
CROSS JOIN unnest('{available, running, dead}'::commerce.delivery_status[]) v (status)
LEFT JOIN counted c ON c.subscription_no = s.subscription_no AND c.status = v.status
$undelivered$;
COMMENT ON FUNCTION commerce.undelivered IS
'Part of metrics(): the events of each subscription that are not delivered, by status, and created_at of the oldest (level admin). It looks at 1,000 at most that no claim has come to, 1,000 that are due first, and 1,000 that are dead; where there are more, events is less than there are.';

CREATE FUNCTION commerce.metrics()
RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE SQL VOLATILE PARALLEL SAFE SECURITY DEFINER ROWS 100
SET search_path = pg_catalog, pg_temp
AS $metrics$
WITH undelivered AS MATERIALIZED (SELECT * FROM commerce.undelivered())
SELECT c.name, jsonb_strip_nulls(jsonb_build_object('function', c.function,
		'sqlstate', c.sqlstate, 'subscription', s.subscription, 'outcome', c.outcome)),
	c.value
FROM commerce.counters() c
LEFT JOIN commerce.live_subscriptions s USING (subscription_no)
WHERE c.subscription_no IS NULL OR s.subscription IS NOT NULL
UNION ALL
SELECT 'commerce_undelivered_events',
	jsonb_build_object('subscription', u.subscription, 'status', u.status), u.events
FROM undelivered u
UNION ALL
SELECT 'commerce_oldest_undelivered_seconds', jsonb_build_object('subscription', u.subscription),
	coalesce(greatest(extract(epoch FROM statement_timestamp() - min(u.oldest)), 0), 0)
FROM undelivered u
GROUP BY u.subscription
UNION ALL
SELECT 'commerce_subscription_paused', jsonb_build_object('subscription', s.subscription),
	(s.paused_at IS NOT NULL)::integer
FROM commerce.subscriptions s
UNION ALL
SELECT 'commerce_overdue_orders', '{}', count(*)
FROM (SELECT FROM commerce.orders o
	  WHERE o.status = 'pending' AND o.expires_at < statement_timestamp() - interval '1 minute'
	  LIMIT 10000) o
UNION ALL
SELECT 'commerce_notification_queue_usage', '{}', pg_notification_queue_usage()
$metrics$;
COMMENT ON FUNCTION commerce.metrics IS
'Figures of this shop, named as Prometheus wants them (level reader). Those that end in _total are counted since the server started, in shared memory: they are there only if the library is preloaded. The others are read from the tables, by index. See doc/operation.md, What to watch.';
