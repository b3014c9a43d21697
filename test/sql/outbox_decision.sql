-- Dead events: retry_event gives ten more attempts, discard_event gives up.

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
UPDATE commerce.outbox SET status = 'dead', attempt = 10, last_error = 'no answer',
	next_attempt_at = now() + interval '1 day' WHERE event_id <= 3;

-- Available now; attempt goes on counting.
SELECT event_id, status, attempt, max_attempts, next_attempt_at <= clock_timestamp() AS due, last_error
FROM commerce.retry_event(1);
SELECT event_id, attempt FROM commerce.claim_events() WHERE event_id = 1;
SELECT status, attempt, max_attempts FROM commerce.fail_event(1, 11, 'no answer');
UPDATE commerce.outbox SET status = 'running', attempt = 19, locked_until = 'infinity' WHERE event_id = 1;
SELECT status, attempt FROM commerce.fail_event(1, 19, 'no answer', '0');
SELECT event_id, attempt FROM commerce.claim_events();
SELECT status, attempt FROM commerce.fail_event(1, 20, 'no answer', '0');
SELECT status, attempt, max_attempts FROM commerce.retry_event(1);

-- Given up for good.
SELECT event_id, status, attempt, delivered_at FROM commerce.discard_event(2);
SELECT event_id, attempt FROM commerce.claim_events();

-- Only what is dead can be decided on.
SELECT event_id, status FROM commerce.outbox ORDER BY event_id;
SELECT * FROM commerce.ack_events('{4}', '{1}');
SELECT c.call, r.code, r.detail
FROM (VALUES
	(1, 'retry_event(99)'), (2, 'discard_event(99)'),
	(3, 'retry_event(1)'), (4, 'discard_event(1)'),
	(5, 'retry_event(2)'), (6, 'discard_event(2)'),
	(7, 'retry_event(4)'), (8, 'discard_event(4)')
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;
SELECT status, attempt, max_attempts FROM commerce.fail_event(5, 1, 'no answer');
SELECT code, detail FROM pg_temp.refusal('SELECT commerce.retry_event(5)');
SELECT code, detail FROM pg_temp.refusal('SELECT commerce.discard_event(5)');

-- A discarded event is none that verify() misses.
SELECT * FROM commerce.verify();
