-- Failed deliveries: backoff, the last attempt, lost leases.

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
SELECT count(*) FROM commerce.claim_events(100, '1 hour');

-- Given back: available again, later, with its error; the attempt is spent.
SELECT event_id, status, attempt, failures, locked_until, last_error, delivered_at,
	next_attempt_at > now() AS later
FROM commerce.fail_event(1, 1, 'HTTP 503');
SELECT count(*) FROM commerce.claim_events();

-- No such event; another attempt; not running (any more).
SELECT c.call, r.code, r.detail
FROM (VALUES
	(1, $$fail_event(99, 1, 'a')$$),
	(2, $$fail_event(2, 0, 'a')$$),
	(3, $$fail_event(2, 2, 'a')$$),
	(4, $$fail_event(1, 1, 'a')$$)
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;
SELECT * FROM commerce.ack_events('{2}', '{1}');
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.fail_event(2, 1, 'too late')$$);
SELECT event_id, status, last_error FROM commerce.deliveries WHERE event_id = 2;

-- (Event 1 would be due again if all this took seconds.)
UPDATE commerce.stored_deliveries SET due_at = now() + interval '1 hour' WHERE event_id = 1;
-- A lease that lapsed and was taken over is lost; one that nobody took over is not.
UPDATE commerce.stored_deliveries SET due_at = clock_timestamp() WHERE event_id = 3;
SELECT event_id, attempt FROM commerce.claim_events(100, '1 hour');
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.fail_event(3, 1, 'too late')$$);
UPDATE commerce.stored_deliveries SET due_at = clock_timestamp() WHERE event_id = 3;
SELECT event_id, status, attempt FROM commerce.fail_event(3, 2, 'slow');

-- retry_after, where it is longer than the backoff, is kept to exactly.
BEGIN;
SELECT event_id, status, next_attempt_at BETWEEN now() + interval '90 seconds'
	AND clock_timestamp() + interval '90 seconds' AS in_90_seconds
FROM commerce.fail_event(4, 1, 'HTTP 429', '90 seconds');
COMMIT;
-- A shorter one does not shorten it.
SELECT event_id, status, next_attempt_at > now() + interval '4 seconds' AS later
FROM commerce.fail_event(5, 1, 'HTTP 429', '0');

-- Backoff after failure n: 5 s x 5^(n-1), at most 12 h, give or take a tenth. A
-- hundred times each, so that a delay out of its range, or always the same, would show.
CREATE TEMP TABLE delays (attempt integer, longest numeric, shortest numeric);
DO $$
DECLARE
	before timestamptz;
	next timestamptz;
BEGIN
	FOR n IN 1..9 LOOP
		FOR i IN 1..100 LOOP
			UPDATE commerce.stored_deliveries SET status = 'running', attempt = n,
				failures = n - 1, due_at = now() + interval '1 day' WHERE event_id = 5;
			before := clock_timestamp();
			next := (commerce.fail_event(5, n, 'no answer')).next_attempt_at;
			INSERT INTO delays SELECT n, extract(epoch FROM next - before), extract(epoch FROM next - clock_timestamp());
		END LOOP;
	END LOOP;
END
$$;
SELECT attempt, base, bool_and(longest >= 0.9 * base AND shortest <= 1.1 * base) AS within,
	count(DISTINCT longest) > 50 AS spread,
	min(shortest) < 0.97 * base AND max(longest) > 1.03 * base AS both_ways
FROM delays, LATERAL (SELECT least(5 * 5 ^ (attempt - 1), 43200)) b (base)
GROUP BY attempt, base ORDER BY attempt;

-- (No other is due, however long that took.)
UPDATE commerce.stored_deliveries SET due_at = now() + interval '1 hour'
WHERE event_id <> 5 AND status IN ('running', 'available');
-- The tenth failure: dead, whatever retry_after says, however often it was claimed.
UPDATE commerce.stored_deliveries SET status = 'running', attempt = 19, failures = 8,
	due_at = now() + interval '1 day' WHERE event_id = 5;
SELECT status, attempt, failures, last_error FROM commerce.fail_event(5, 19, 'the ninth', '0');
UPDATE commerce.stored_deliveries SET due_at = now() WHERE event_id = 5;
SELECT event_id, attempt FROM commerce.claim_events(100, '1 hour');
SELECT status, attempt, failures, last_error, next_attempt_at, locked_until
FROM commerce.fail_event(5, 20, 'the tenth', '0');
SELECT count(*) FROM commerce.claim_events();
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.fail_event(5, 20, 'again')$$);

-- A lease that lapses is a failure: with the tenth it is dead, not claimed again.
UPDATE commerce.stored_deliveries SET status = 'running', failures = 9, due_at = clock_timestamp()
WHERE event_id = 4;
UPDATE commerce.stored_deliveries SET status = 'running', failures = 8, due_at = clock_timestamp()
WHERE event_id = 3;
SELECT event_id, attempt FROM commerce.claim_events(100, '1 hour');
SELECT event_id, status, attempt, failures, last_error FROM commerce.deliveries WHERE event_id >= 3 ORDER BY event_id;

-- The error is cut, and else kept whole.
UPDATE commerce.stored_deliveries SET status = 'running', due_at = now() + interval '1 day'
WHERE event_id = 1;
SELECT length(last_error) FROM commerce.fail_event(1, 1, repeat('글', 5000));
UPDATE commerce.stored_deliveries SET status = 'running' WHERE event_id = 1;
SELECT last_error = '' AS empty FROM commerce.fail_event(1, 1, '');
-- An event that somebody deleted by hand is not found.
BEGIN;
UPDATE commerce.stored_deliveries SET status = 'running', due_at = now() + interval '1 day' WHERE event_id = 1;
DELETE FROM commerce.events WHERE event_id = 1;
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.fail_event(1, 1, 'gone')$$);
ROLLBACK;
SELECT * FROM commerce.verify();
