-- Claiming events: oldest first, once each, leased; acknowledging them.

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
SELECT event_id, event_type, order_id, status, attempt, next_attempt_at = created_at AS due_at_once
FROM commerce.deliveries ORDER BY event_id;

-- A batch, then the next; what is leased is nobody else's.
SELECT event_id, event_type, order_id, attempt FROM commerce.claim_events(2);
SELECT event_id, event_type, order_id, attempt FROM commerce.claim_events(batch_size => 2);
SELECT event_id, event_type, order_id, attempt FROM commerce.claim_events();
SELECT count(*) FROM commerce.claim_events();
SELECT event_id, status, attempt, locked_until > now() AS leased, delivered_at
FROM commerce.deliveries ORDER BY event_id;

-- Acknowledged: delivered, for good.
SELECT * FROM commerce.ack_events('{1, 2}', '{1, 1}');
SELECT event_id, status, attempt, locked_until, delivered_at IS NOT NULL AS has_delivered_at
FROM commerce.deliveries WHERE event_id <= 2 ORDER BY event_id;
SELECT * FROM commerce.ack_events('{1, 2}', '{1, 1}');

-- Not counted: another attempt, no such event, nothing at all.
SELECT * FROM commerce.ack_events('{3, 3, 99}', '{0, 2, 1}');
SELECT * FROM commerce.ack_events('{}', '{}');
SELECT event_id, status FROM commerce.deliveries WHERE event_id = 3;
-- Counted once, and only the good ones.
SELECT * FROM commerce.ack_events('{3, 99, NULL, 3}', '{1, 1, 1, 1}');
SELECT event_id, status FROM commerce.deliveries WHERE event_id = 3;

-- Arrays of any shape.
BEGIN;
SELECT * FROM commerce.ack_events('{{4, 5}, {9, 9}}', '[0:3]={1, 1, 1, 1}');
ROLLBACK;

-- A lapsed lease: claimed again, as the next attempt; the first one is too late.
UPDATE commerce.stored_deliveries SET due_at = clock_timestamp() WHERE event_id = 4;
SELECT event_id, attempt FROM commerce.claim_events();
SELECT * FROM commerce.ack_events('{4}', '{1}');
SELECT * FROM commerce.ack_events('{4}', '{2}');

-- Lapsed, but nobody took over: still the current attempt.
UPDATE commerce.stored_deliveries SET due_at = clock_timestamp() WHERE event_id = 5;
SELECT * FROM commerce.ack_events('{5}', '{1}');
SELECT status, count(*) FROM commerce.deliveries GROUP BY status;

-- The payload: the event, and the order as it is at the claim.
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 7}]');
UPDATE commerce.orders SET cancel_reason = 'changed since' WHERE order_id = 6;
UPDATE commerce.events SET created_at = '2026-03-01 00:30:00.25+09' WHERE event_id = 6;
SET TimeZone = 'Asia/Seoul';
SET DateStyle = 'German';
SELECT payload #- '{data, order}' AS event, payload #> '{data, order}' = commerce.get_order(6) AS order_now,
	payload #>> '{data, order, cancel_reason}' AS cancel_reason
FROM commerce.claim_events();
RESET TimeZone;
RESET DateStyle;

-- The lease counts from the clock, not from the transaction's start.
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 8}]');
BEGIN;
SELECT pg_sleep(0.02);
SELECT event_id FROM commerce.claim_events(1, '1 hour');
SELECT locked_until >= now() + interval '1 hour 0.02 seconds' AS not_earlier,
	locked_until <= clock_timestamp() + interval '1 hour' AS not_later
FROM commerce.deliveries WHERE event_id = 7;
ROLLBACK;
-- An undone claim leaves the event available; 30 seconds is the default.
SELECT status, attempt FROM commerce.deliveries WHERE event_id = 7;
BEGIN;
SELECT event_id, attempt FROM commerce.claim_events();
SELECT locked_until >= now() + interval '30 seconds' AS not_earlier,
	locked_until <= clock_timestamp() + interval '30 seconds' AS not_later
FROM commerce.deliveries WHERE event_id = 7;
COMMIT;

-- Not due yet.
UPDATE commerce.stored_deliveries SET status = 'available',
	due_at = clock_timestamp() + interval '1 hour' WHERE event_id = 7;
SELECT count(*) FROM commerce.claim_events();
UPDATE commerce.stored_deliveries SET due_at = clock_timestamp() - interval '1 second' WHERE event_id = 7;
SELECT event_id, attempt FROM commerce.claim_events();

-- All that are running at once, as a relay does with its batch.
SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
FROM commerce.deliveries WHERE status = 'running';
SELECT status, count(*) FROM commerce.deliveries GROUP BY status;

-- A lease that lapses and is not handed out again takes no place in the batch: that of a later event of an order, the tenth.
SELECT status FROM commerce.cancel_order(1);
SELECT status FROM commerce.cancel_order(2);
SELECT event_id FROM commerce.claim_events(2);
SELECT status FROM commerce.retry_event(1);
UPDATE commerce.stored_deliveries SET due_at = clock_timestamp() - interval '1 second',
	failures = CASE event_id WHEN 9 THEN 9 ELSE 0 END WHERE status = 'running';
SELECT event_id, attempt FROM commerce.claim_events(1);
SELECT event_id, status, failures FROM commerce.deliveries WHERE event_id > 7 ORDER BY event_id;
SELECT * FROM commerce.verify();
