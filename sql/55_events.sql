------------------------------------------------------------------------------
-- Functions: events
------------------------------------------------------------------------------

CREATE FUNCTION commerce.create_subscription(subscription text,
	event_types text[] DEFAULT NULL, start_from timestamptz DEFAULT NULL)
RETURNS commerce.subscriptions
AS 'MODULE_PATHNAME', 'commerce_create_subscription'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.create_subscription IS
'Makes a subscription of this name, 1..63 characters of a-z 0-9 _ - (level admin). It gets every event of event_types (NULL: all) that is written from now on, and of the older ones those that were created at or after start_from; NULL: none, -infinity: all that were not purged. Raises 22004, 22023, 23505 when there is one of this name.';

CREATE FUNCTION commerce.drop_subscription(subscription text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_drop_subscription'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.drop_subscription IS
'Ends a subscription, default too, and returns how many unfinished deliveries that gives up; purge_events deletes what is left of it (level admin). Raises 22004, SC008.';

CREATE FUNCTION commerce.pause_subscription(subscription text,
	until timestamptz DEFAULT NULL, reason text DEFAULT NULL)
RETURNS commerce.subscriptions
AS 'MODULE_PATHNAME', 'commerce_pause_subscription'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.pause_subscription IS
'While a subscription is paused nothing of it is claimed; what was claimed before goes on (level relay). until NULL or infinity: until it is resumed. reason: 1..1000 characters, NULL: none. Raises 22004, 22023 when until has passed, SC008.';

CREATE FUNCTION commerce.resume_subscription(subscription text)
RETURNS commerce.subscriptions
AS 'MODULE_PATHNAME', 'commerce_resume_subscription'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.resume_subscription IS
'Ends a pause, if there is one, and notifies commerce_outbox (level relay). Raises 22004, SC008.';

CREATE FUNCTION commerce.claim_events(batch_size integer DEFAULT 100,
	lease interval DEFAULT '30 seconds', subscription text DEFAULT 'default')
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
'Leases up to batch_size (1..10000) due events of a subscription for lease (> 0, at most 1 day), counted from clock_timestamp() (level relay). Of one order only the oldest unfinished event can be claimed. A lapsed lease counts as a failure: the event is claimed again, or with the tenth is dead. Deliver only after this transaction''s commit. Raises 22004, 22023, SC008.';

CREATE FUNCTION commerce.ack_events(event_ids bigint[], attempts integer[],
	subscription text DEFAULT 'default')
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_ack_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.ack_events IS
'Marks claimed events delivered and returns how many; one whose attempt is no longer the current one is not counted (level relay). NULL arrays count 0. Raises 22004, 22023 when the arrays differ in length, SC008.';

CREATE FUNCTION commerce.fail_event(event_id bigint, attempt integer, error text,
	retry_after interval DEFAULT NULL, subscription text DEFAULT 'default')
RETURNS commerce.deliveries
AS 'MODULE_PATHNAME', 'commerce_fail_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.fail_event IS
'Gives a claimed event back with its error, which counts: available again after the greater of retry_after (>= 0, cut at 12 h) and 5 s x 5^(failures-1), at most 12 h, the latter +- 10 %; dead at the tenth failure. error is cut at 1000 characters (level relay). Raises 22004, 22023, SC008, SC007, SC501 lease lost.';

CREATE FUNCTION commerce.release_events(event_ids bigint[], attempts integer[],
	retry_after interval DEFAULT NULL, subscription text DEFAULT 'default')
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_release_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.release_events IS
'Gives claimed events back undelivered, which counts as no failure, and returns how many: available again after retry_after (>= 0, cut at 12 h; NULL: at once). One whose attempt is no longer the current one is not counted (level relay). NULL arrays count 0. Raises 22004, 22023, SC008.';

CREATE FUNCTION commerce.retry_event(event_id bigint,
	subscription text DEFAULT 'default')
RETURNS commerce.deliveries
AS 'MODULE_PATHNAME', 'commerce_retry_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.retry_event IS
'Makes an event available now, its failures 0 again; attempt goes on counting. A delivered or discarded one is delivered again, and what follows it in its order waits for it (level admin). Raises 22004, SC008, SC007, SC502 under a lease that has not lapsed.';

CREATE FUNCTION commerce.retry_events(subscription text DEFAULT 'default')
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_retry_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.retry_events IS
'Makes all events of a subscription that are dead or wait for their time available now, as retry_event does, and returns how many (level admin). Raises 22004, SC008.';

CREATE FUNCTION commerce.discard_event(event_id bigint,
	subscription text DEFAULT 'default')
RETURNS commerce.deliveries
AS 'MODULE_PATHNAME', 'commerce_discard_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.discard_event IS
'Gives an available or dead event up, or one whose lease has lapsed, so that its order''s later events can go (level admin). Raises 22004, SC008, SC007, SC502 otherwise.';

CREATE FUNCTION commerce.purge_events(older_than interval DEFAULT '7 days')
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_purge_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.purge_events IS
'Deletes the events, with their deliveries, that every subscription that wants them has finished with, or that none wants, and returns how many. Their age, at least older_than (>= 0), counts from the last delivered_at, else from created_at (level admin). Raises 22004, 22023.';
