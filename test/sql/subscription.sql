-- Subscriptions: made, paused, resumed, dropped; each has what it wants.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
END
$$;
CREATE FUNCTION pg_temp.claimed(name text) RETURNS TABLE (event_id bigint, event_type text)
LANGUAGE sql AS $$ SELECT event_id, event_type FROM commerce.claim_events(100, '1 hour', name) $$;

-- default is there from the start.
SELECT * FROM commerce.subscriptions;
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]');

-- What a name and the types may be, and when a start.
SELECT c.call, r.code, r.message
FROM (VALUES
	(1, $$''$$), (2, $$'Books'$$), (3, $$'a b'$$), (4, $$repeat('a', 64)$$), (5, $$'책'$$),
	(6, $$'books', '{}'$$), (7, $$'books', '{order.paid,NULL}'$$), (8, $$'books', '{order.lost}'$$),
	(9, $$'books', NULL, 'infinity'$$), (10, $$'books', NULL, now() + interval '1 hour'$$),
	(11, $$'books', NULL, '4000-01-01 BC'$$), (12, $$'default'$$)
) c (nth, call), pg_temp.refusal(format('SELECT commerce.create_subscription(%s)', c.call)) r
ORDER BY c.nth;
SELECT subscription, event_types FROM commerce.create_subscription(repeat('a', 63), '{order.paid,order.refunded}');
SELECT code FROM pg_temp.refusal($$SELECT commerce.create_subscription(repeat('a', 63))$$);
SELECT commerce.drop_subscription(repeat('a', 63));

-- From now on, from a time on, from the beginning; of some types only.
UPDATE commerce.events SET created_at = now() - interval '2 hours' WHERE event_id = 1;
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT count(*) FROM (
	SELECT commerce.create_subscription('new'), commerce.create_subscription('hour', start_from => now() - interval '1 hour'),
		commerce.create_subscription('all', start_from => '-infinity'),
		commerce.create_subscription('undone', '{order.cancelled,order.refunded}', '-infinity')) s;
SELECT status FROM commerce.cancel_order(1);
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT subscription, array_agg(event_id ORDER BY event_id) FROM commerce.deliveries GROUP BY subscription ORDER BY 1;
SELECT 'new', * FROM pg_temp.claimed('new');
SELECT 'hour', * FROM pg_temp.claimed('hour');
SELECT 'all', * FROM pg_temp.claimed('all');
SELECT 'undone', * FROM pg_temp.claimed('undone');

-- In one transaction: what was written before it was made is not for it.
BEGIN;
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT subscription FROM commerce.create_subscription('here');
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT * FROM pg_temp.claimed('here');
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT * FROM pg_temp.claimed('here');
ROLLBACK;

-- Paused: nothing is claimed, what was claimed goes on; over by itself, or resumed.
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.pause_subscription('all', now() - interval '1 s')$$);
SELECT code FROM pg_temp.refusal($$SELECT commerce.pause_subscription('all', NULL, '')$$);
SELECT subscription, paused_at IS NOT NULL AS paused, paused_until, pause_reason
FROM commerce.pause_subscription('all', until => 'infinity', reason => 'lunch');
SELECT * FROM pg_temp.claimed('all');
SELECT commerce.ack_events('{1}', '{1}', 'all');
SELECT subscription, paused_at, pause_reason FROM commerce.resume_subscription('all');
SELECT * FROM pg_temp.claimed('all');
SELECT paused_until > now() AS soon FROM commerce.pause_subscription('all', clock_timestamp() + interval '100 ms');
SELECT pg_sleep(0.15);
SELECT paused_at, paused_until FROM commerce.subscriptions WHERE subscription = 'all';

-- No such subscription.
SELECT c.call, r.code, r.detail
FROM (VALUES
	(1, $$claim_events(subscription => 'none')$$), (2, $$ack_events('{1}', '{1}', 'none')$$),
	(3, $$fail_event(1, 1, 'a', NULL, 'none')$$), (4, $$release_events('{1}', '{1}', NULL, 'none')$$),
	(5, $$pause_subscription('none')$$), (6, $$resume_subscription('none')$$),
	(7, $$drop_subscription('none')$$), (8, $$ack_events('{1}', '{1, 2}', 'none')$$)
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;

-- Released: without blame, and after a while.
SELECT commerce.release_events('{2, 3}', '{1, 1}', '1 hour', 'all');
SELECT commerce.release_events('{2}', '{1}', NULL, 'all');
SELECT event_id, status, attempt, failures, next_attempt_at > now() AS later FROM commerce.deliveries
WHERE subscription = 'all' ORDER BY event_id;
SELECT code FROM pg_temp.refusal($$SELECT commerce.release_events('{2}', '{1}', '-1 s', 'all')$$);

-- Dropped, and default too; made anew it has none of the old.
SELECT commerce.drop_subscription('all');
SELECT commerce.drop_subscription('default');
SELECT code FROM pg_temp.refusal('SELECT commerce.claim_events()');
SELECT subscription FROM commerce.create_subscription('default');
SELECT * FROM pg_temp.claimed('default');
SELECT commerce.drop_subscription(s) FROM unnest('{new,hour,undone}'::text[]) s;

-- What nobody wants any more goes, and what they left.
SELECT commerce.purge_events('0');
SELECT count(*) FROM commerce.events;
SELECT count(*) FROM commerce.stored_deliveries;
SELECT count(*) FROM commerce.cursors;
SELECT * FROM commerce.verify();
