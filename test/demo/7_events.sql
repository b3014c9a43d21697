\echo '\n=== 7. The outside hears of it ===\n'
LISTEN commerce_outbox;

\echo '\nMeanwhile, in another session, Lee buys a T-shirt.\n'
\! psql -X -c "SELECT order_id, status, total FROM commerce.place_order(2, '[{\"option_id\": 1, \"quantity\": 1}]')"
\! sleep 0.2

\echo 'Here, with the next answer, comes the notification: "look at the events".\n'
SELECT event_id, event_type, order_id, status FROM commerce.deliveries ORDER BY event_id;

\echo '\nEvents are leased, delivered, acknowledged. Should the one who claimed them vanish,'
\echo 'the lease runs out and somebody else gets them. Of each order the first one comes first:\n'
CREATE TEMPORARY TABLE claimed AS SELECT * FROM commerce.claim_events(lease => '30 seconds');
SELECT event_id, event_type, order_id, attempt FROM claimed ORDER BY event_id;
SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt)) AS delivered FROM claimed;

\echo '\nThen the next:\n'
TRUNCATE claimed;
INSERT INTO claimed SELECT * FROM commerce.claim_events(lease => '30 seconds');
SELECT event_id, event_type, order_id, payload->'data'->'order'->>'cancel_reason' AS cancel_reason
FROM claimed ORDER BY event_id;

\echo '\nWhat the outside receives of the refund: the order as it is now, and what was refunded.\n'
\pset tuples_only on
\pset format unaligned
SELECT jsonb_pretty(payload) FROM claimed WHERE event_type = 'order.refunded';
\pset format aligned
\pset tuples_only off

\echo '\nAll delivered:\n'
SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt)) AS delivered FROM claimed;
SELECT event_id, event_type, order_id, status, attempt FROM commerce.deliveries ORDER BY event_id;
