------------------------------------------------------------------------------
-- Functions: outbox
------------------------------------------------------------------------------

CREATE FUNCTION commerce.claim_events(batch_size integer DEFAULT 100,
	lease interval DEFAULT '30 seconds')
RETURNS TABLE (event_id bigint, event_type text, order_id bigint,
	attempt integer, payload jsonb)
AS 'MODULE_PATHNAME', 'commerce_claim_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
-- The indexes are the plan. Statistics lag behind a queue and would mislead.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off;
COMMENT ON FUNCTION commerce.claim_events IS
'Leases up to batch_size (1..10000) due events, longest due first, for lease (> 0, at most 1 day), counted from clock_timestamp() (level relay). Of one order only the oldest unfinished event can be claimed. An event whose lease lapsed is claimed again, or is dead after its last attempt. Deliver only after this transaction''s commit. Raises 22004, 22023.';

CREATE FUNCTION commerce.ack_events(event_ids bigint[], attempts integer[])
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_ack_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.ack_events IS
'Marks claimed events delivered and returns how many; one whose attempt is no longer the current one is not counted (level relay). NULL arrays count 0. Raises 22023 when the arrays differ in length.';

CREATE FUNCTION commerce.fail_event(event_id bigint, attempt integer, error text,
	retry_after interval DEFAULT NULL)
RETURNS commerce.outbox
AS 'MODULE_PATHNAME', 'commerce_fail_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.fail_event IS
'Gives a claimed event back with its error: available again after 5 s x 5^(attempt-1), at most 12 h, +- 10 %, or after retry_after (>= 0, cut at 12 h); dead after max_attempts. error is cut at 1000 characters (level relay). Raises 22004, 22023, SC007, SC501 lease lost.';

CREATE FUNCTION commerce.retry_event(event_id bigint)
RETURNS commerce.outbox
AS 'MODULE_PATHNAME', 'commerce_retry_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.retry_event IS
'Makes a dead event available now with as many attempts more as a new one has; attempt goes on counting (level admin). Raises 22004, SC007, SC502 not dead.';

CREATE FUNCTION commerce.discard_event(event_id bigint)
RETURNS commerce.outbox
AS 'MODULE_PATHNAME', 'commerce_discard_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.discard_event IS
'Gives a dead event up, so that its order''s later events can go (level admin). Raises 22004, SC007, SC502 not dead.';

CREATE FUNCTION commerce.purge_outbox(older_than interval DEFAULT '7 days')
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_purge_outbox'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.purge_outbox IS
'Deletes the events delivered (or, if discarded, created) at least so long ago (>= 0) and returns how many (level admin). Raises 22004, 22023.';
