-- The events of one order keep their order; those of others don't wait for them.

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
-- Order 1 was cancelled, order 2 too. Their first events are 1 and 2.
INSERT INTO commerce.events (event_id, event_type, order_id)
VALUES (6, 'order.cancelled', 1), (7, 'order.cancelled', 2);

-- Only the oldest of each order, though all are due and the batch has room.
SELECT event_id, event_type, order_id FROM commerce.claim_events();
SELECT count(*) FROM commerce.claim_events();

-- Delivered: the next one goes.
SELECT * FROM commerce.ack_events('{1, 3, 4, 5}', '{1, 1, 1, 1}');
SELECT event_id, event_type, order_id FROM commerce.claim_events();

-- Failed: the next one waits as long as its predecessor.
SELECT event_id, status FROM commerce.fail_event(2, 1, 'no answer', '1 hour');
SELECT count(*) FROM commerce.claim_events();

-- Its lease lapsed: the same event again, not the next.
UPDATE commerce.stored_deliveries SET status = 'running', due_at = clock_timestamp() WHERE event_id = 2;
SELECT event_id, event_type, attempt FROM commerce.claim_events();

-- Dead: it holds back its successors until somebody decides.
UPDATE commerce.stored_deliveries SET failures = 9 WHERE event_id = 2;
SELECT event_id, status FROM commerce.fail_event(2, 2, 'no answer');
SELECT count(*) FROM commerce.claim_events();

-- Retried: the dead one first.
BEGIN;
SELECT event_id, status FROM commerce.retry_event(2);
SELECT event_id, event_type, attempt FROM commerce.claim_events();
SELECT * FROM commerce.ack_events('{2}', '{3}');
SELECT event_id, event_type, attempt FROM commerce.claim_events();
ROLLBACK;

-- Discarded: given up, and the next one goes.
SELECT event_id, status FROM commerce.discard_event(2);
SELECT event_id, event_type, attempt FROM commerce.claim_events();

-- It dies by its lease in this very claim: its successor goes with none of it.
SELECT * FROM commerce.ack_events('{6, 7}', '{1, 1}');
INSERT INTO commerce.events (event_id, event_type, order_id)
VALUES (8, 'order.refunded', 3), (9, 'order.refunded', 3);
SELECT event_id, event_type FROM commerce.claim_events();
UPDATE commerce.stored_deliveries SET failures = 9, due_at = clock_timestamp() WHERE event_id = 8;
SELECT event_id, event_type FROM commerce.claim_events();
SELECT event_id, status FROM commerce.deliveries WHERE event_id > 7 ORDER BY event_id;

-- A small batch takes the oldest that can go, and is not used up by those that can't.
INSERT INTO commerce.events (event_id, event_type, order_id)
VALUES (10, 'order.refunded', 3), (11, 'order.refunded', 4), (12, 'order.refunded', 4), (13, 'order.refunded', 5);
SELECT event_id, order_id FROM commerce.claim_events(2);
SELECT event_id, order_id FROM commerce.claim_events(2);

-- A database that was the shop before, and becomes it again: its later events are claimed
-- too, after so many that the cursor in them was written down.
INSERT INTO commerce.events (event_id, event_type, order_id, origin, xact_id)
SELECT 10000 + n, 'order.paid', 1000 + n, 42, n FROM generate_series(1, 250) n;
SELECT count(*) FROM commerce.claim_events(1000) WHERE event_id > 10000;
SELECT count(*) FROM commerce.cursors WHERE origin = 42;
INSERT INTO commerce.events (event_id, event_type, order_id, origin, xact_id)
SELECT 10000 + n, 'order.paid', 1000 + n, 42, n FROM generate_series(251, 253) n;
SELECT event_id FROM commerce.claim_events(1000) WHERE event_id > 10000;
SELECT count(*) FROM commerce.claim_events(1000);
