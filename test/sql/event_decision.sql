-- What somebody decides: retry_event has an event delivered, discard_event gives it up.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- A shop with five orders, so five events.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.place_order(1, jsonb_build_array(
		jsonb_build_object('option_id', 1, 'quantity', n))) FROM generate_series(1, 5) n;
END
$$;
-- One in each state: 1 delivered, 2 dead, 3 waiting, 4 running, 5 not claimed.
SELECT count(*) FROM commerce.claim_events(4);
SELECT * FROM commerce.ack_events('{1}', '{1}');
UPDATE commerce.stored_deliveries SET failures = 9 WHERE event_id = 2;
SELECT status, failures FROM commerce.fail_event(2, 1, 'no answer');
SELECT status, failures FROM commerce.fail_event(3, 1, 'no answer');

-- What the state allows: the rest is refused.
SELECT c.call, r.code, r.detail
FROM (VALUES
	(1, 'retry_event(99)'), (2, 'discard_event(99)'),
	(3, 'retry_event(1)'), (4, 'discard_event(1)'),
	(5, 'retry_event(2)'), (6, 'discard_event(2)'),
	(7, 'retry_event(3)'), (8, 'discard_event(3)'),
	(9, 'retry_event(4)'), (10, 'discard_event(4)'),
	(11, 'retry_event(5)'), (12, 'discard_event(5)'),
	(13, 'retry_event(5, ''none'')'), (14, 'discard_event(5, ''none'')'),
	(15, 'retry_events(''none'')')
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;

-- A lapsed lease is no obstacle.
BEGIN;
UPDATE commerce.stored_deliveries SET due_at = clock_timestamp() WHERE event_id = 4;
SELECT status, attempt FROM commerce.retry_event(4);
ROLLBACK;
BEGIN;
UPDATE commerce.stored_deliveries SET due_at = clock_timestamp() WHERE event_id = 4;
SELECT status, attempt FROM commerce.discard_event(4);
ROLLBACK;

-- Available now, no failures; attempt goes on counting. A delivered one comes again.
SELECT event_id, status, attempt, failures, next_attempt_at <= clock_timestamp() AS due, last_error
FROM commerce.retry_event(2);
SELECT event_id, status, attempt, failures, delivered_at FROM commerce.retry_event(1);
SELECT event_id, status, attempt FROM commerce.retry_event(5);
SELECT event_id, attempt FROM commerce.claim_events();

-- All that are dead or wait.
UPDATE commerce.stored_deliveries SET failures = 9 WHERE event_id = 2;
SELECT status FROM commerce.fail_event(2, 2, 'no answer');
SELECT * FROM commerce.retry_events();
SELECT event_id, status, attempt, failures FROM commerce.deliveries ORDER BY event_id;
SELECT * FROM commerce.retry_events();

-- Given up for good: one that was not claimed too.
SELECT event_id, status, attempt, delivered_at FROM commerce.discard_event(2);
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT event_id, status, attempt FROM commerce.discard_event(6);
SELECT event_id, attempt FROM commerce.claim_events();
SELECT event_id, attempt FROM commerce.claim_events();
-- Or until somebody thinks better of it.
SELECT event_id, status FROM commerce.retry_event(6);
SELECT event_id, attempt FROM commerce.claim_events();
SELECT * FROM commerce.verify();
