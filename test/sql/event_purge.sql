-- purge_events: delivered and discarded events go when they are old; others never.

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
SELECT count(*) FROM commerce.claim_events(4);
SELECT * FROM commerce.ack_events('{1, 2}', '{1, 1}');
UPDATE commerce.stored_deliveries SET status = 'dead', due_at = NULL WHERE event_id = 3;
SELECT event_id, status FROM commerce.discard_event(3);
UPDATE commerce.stored_deliveries SET status = 'dead', due_at = NULL WHERE event_id = 4;
SELECT * FROM commerce.purge_events();

-- The default is 7 days; delivered, discarded, dead and available, all that old.
UPDATE commerce.orders SET placed_at = now() - interval '9 days', paid_at = now() - interval '9 days';
UPDATE commerce.events SET created_at = now() - interval '9 days';
UPDATE commerce.stored_deliveries SET finished_at = finished_at - interval '7 days 1 second';
UPDATE commerce.stored_deliveries SET finished_at = now() - interval '6 days 23 hours' WHERE event_id = 2;
SELECT * FROM commerce.purge_events('10 days');
BEGIN;
SELECT * FROM commerce.purge_events();
SELECT event_id, status FROM commerce.deliveries ORDER BY event_id;
SELECT * FROM commerce.verify();
ROLLBACK;
SELECT count(*) FROM commerce.events;
SELECT * FROM commerce.purge_events('0');
SELECT event_id, status FROM commerce.deliveries ORDER BY event_id;
SELECT * FROM commerce.purge_events('0');

-- verify() doesn't miss what was purged, but it does miss a younger one.
SELECT * FROM commerce.verify();
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT * FROM pg_temp.violations('DELETE FROM commerce.events WHERE order_id = 6');

-- Running ones stay, however old; a purged order is as good as any.
SELECT event_id FROM commerce.claim_events();
UPDATE commerce.events SET created_at = now() - interval '9 days';
SELECT * FROM commerce.purge_events('0');
SELECT commerce.get_order(1) ->> 'status' AS status;
SELECT * FROM commerce.ack_events('{5, 6}', '{1, 1}');
SELECT * FROM commerce.purge_events('0');
SELECT event_id, status FROM commerce.deliveries ORDER BY event_id;
