------------------------------------------------------------------------------
-- Functions: moving a bucket of users from one node of a cluster to another
--
-- The giver takes all rows of the bucket's users out of its tables, and keeps them
-- in the one row of bucket_moves that tells of the move; the taker, once, puts them
-- into its own; then the giver forgets them. Each is one commit. So at any time they
-- are at one place, and both nodes are sound: doc/scale.md.
--
-- Lock order: who adds users to the bucket, the membership, so that the moves of one node
-- go one at a time, then all buckets and the bucket: base/bucket_lock.c of the sources.
------------------------------------------------------------------------------

CREATE FUNCTION commerce.lock_bucket(bucket integer, new_users_only boolean)
RETURNS void
AS 'MODULE_PATHNAME', 'commerce_lock_bucket'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.lock_bucket IS
'Part of moves (level admin): to the end of the transaction nobody adds a user to the bucket; or nobody works on its users, nor on those of many buckets. Raises 22004, 22023, 25001 above READ COMMITTED, 55000 where this is no node.';

-- Of an event neither where nor when it was written.
CREATE FUNCTION commerce.packed_columns(table_name text)
RETURNS TABLE (name text, own_type text, type text)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $packed_columns$
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
	CASE WHEN t.typarray = 0 OR t.typcategory = 'A' THEN 'text' ELSE format_type(a.atttypid, NULL) END
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = (SELECT c.oid FROM pg_class c
	WHERE c.relnamespace = 'commerce'::regnamespace AND c.relname = table_name) AND a.attnum > 0
  AND NOT a.attisdropped AND a.attgenerated = ''
  AND (table_name <> 'events' OR a.attname NOT IN ('origin', 'xact_id', 'follows_xact_id'))
$packed_columns$;
COMMENT ON FUNCTION commerce.packed_columns IS
'Part of moves (level admin): the columns of a table that move, and the type of the elements of an array that has all values of one.';

CREATE FUNCTION commerce.pack_bucket(bucket integer, OUT contents json, OUT sold jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET datestyle = ISO
SET intervalstyle = postgres
SET jit = off -- compiling takes longer than it saves
SET lock_timeout = '1s'
AS $pack_bucket$
DECLARE
	first_id bigint;
	users bigint[];
	order_ids bigint[];
	origins bigint[];
	xact_ids bigint[];
	event_ids bigint[];
	from_xact_id bigint;
	whose text;
	part json;
	parts json[] := '{}';
	left_over bigint;
	table_name text;
BEGIN
	SELECT m.first_id INTO first_id FROM commerce.cluster_membership m;
	PERFORM commerce.lock_bucket(bucket, true);

	-- What takes long is done before anybody has to wait.
	users := ARRAY(SELECT u.user_id FROM commerce.users u WHERE commerce.bucket(u.user_id) = pack_bucket.bucket);
	order_ids := ARRAY(SELECT o.order_id FROM commerce.orders o
		WHERE o.user_id = ANY (users) AND o.order_id < first_id);
	from_xact_id := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
	SELECT array_agg(e.origin), array_agg(e.xact_id), array_agg(e.event_id)
	INTO origins, xact_ids, event_ids
	FROM commerce.events e
	WHERE (e.origin <> commerce.event_origin() OR e.xact_id < from_xact_id)
	  AND CASE WHEN e.order_id >= first_id THEN e.order_id % 4096 = pack_bucket.bucket
		ELSE e.order_id = ANY (order_ids) END;

	PERFORM commerce.lock_bucket(bucket, false);
	order_ids := ARRAY(SELECT o.order_id FROM commerce.orders o WHERE o.user_id = ANY (users));
	SELECT array_agg(e.origin), array_agg(e.xact_id), array_agg(e.event_id)
	INTO origins, xact_ids, event_ids
	FROM (
		SELECT e.*
		FROM unnest(origins, xact_ids, event_ids) k (origin, xact_id, event_id)
		JOIN commerce.events e USING (origin, xact_id, event_id)
		UNION ALL
		SELECT e.*
		FROM commerce.events e
		WHERE e.origin = commerce.event_origin() AND e.xact_id >= from_xact_id
		  AND CASE WHEN e.order_id >= first_id THEN e.order_id % 4096 = pack_bucket.bucket
			ELSE e.order_id = ANY (order_ids) END) e;

	sold := jsonb_build_object('stock', (
			SELECT coalesce(jsonb_object_agg(t.option_id, t.quantity), '{}')
			FROM (SELECT i.option_id, sum(i.quantity - i.refunded_quantity) AS quantity
				  FROM commerce.orders o JOIN commerce.order_items i USING (order_id)
				  WHERE o.user_id = ANY (users) AND o.status NOT IN ('cancelled', 'expired')
				  GROUP BY i.option_id) t
			WHERE t.quantity <> 0),
		'coupon_quota', (
			SELECT coalesce(jsonb_object_agg(t.policy_id, t.quantity), '{}')
			FROM (SELECT c.policy_id, count(*) AS quantity
				  FROM commerce.coupons c WHERE c.user_id = ANY (users)
				  GROUP BY c.policy_id) t));

	-- What a claim may come to as it is has nothing to be told.
	WITH gone AS (
		DELETE FROM commerce.stored_deliveries d USING unnest(event_ids) e (event_id)
		WHERE d.event_id = e.event_id
		RETURNING d.*
	)
	SELECT json_build_object('subscription', array_agg(s.subscription)::text, 'event_id', array_agg(g.event_id)::text,
		'status', array_agg(g.status)::text, 'attempt', array_agg(g.attempt)::text, 'failures', array_agg(g.failures)::text,
		'due_at', array_agg(g.due_at)::text, 'finished_at', array_agg(g.finished_at)::text,
		'last_error', array_agg(g.last_error)::text)
	INTO part
	FROM gone g
	JOIN commerce.live_subscriptions s USING (subscription_no)
	WHERE g.status <> 'available' OR g.attempt > 0;
	contents := json_build_object('deliveries', part,
		'subscriptions', (SELECT json_agg(s.subscription) FROM commerce.live_subscriptions s),
		'unwanted', (
			SELECT coalesce(json_agg(json_build_object('subscription', s.subscription, 'event_id', k.event_id)), '[]')
			FROM commerce.live_subscriptions s
			CROSS JOIN unnest(origins, xact_ids, event_ids) k (origin, xact_id, event_id)
			WHERE (s.event_types IS NOT NULL OR s.start_origin IS NOT NULL)
			  AND (SELECT count(*) FROM commerce.wanted_events w
				WHERE w.origin = k.origin AND w.xact_id = k.xact_id AND w.event_id = k.event_id
				  AND w.subscription_no = s.subscription_no) = 0),
		'purged_until', (SELECT h.purged_until FROM commerce.event_horizon h),
		'sequences', json_build_object(
			'user_id_seq', (SELECT s.last_value FROM commerce.user_id_seq s),
			'coupon_id_seq', (SELECT s.last_value FROM commerce.coupon_id_seq s),
			'order_id_seq', (SELECT s.last_value FROM commerce.order_id_seq s),
			'event_id_seq', (SELECT s.last_value FROM commerce.event_id_seq s)));

	FOR table_name, whose IN VALUES
		('events', '(origin, xact_id, event_id) IN (SELECT * FROM unnest($3, $4, $5))'),
		('order_items', 'order_id = ANY ($1)'), ('orders', 'user_id = ANY ($2)'), ('coupons', 'user_id = ANY ($2)'),
		('idempotency_keys', 'user_id = ANY ($2)'), ('balance_history', 'user_id = ANY ($2)'),
		('balances', 'user_id = ANY ($2)'), ('users', 'user_id = ANY ($2)')
	LOOP
		EXECUTE format('WITH gone AS (DELETE FROM commerce.%1$I WHERE %2$s RETURNING *)
			SELECT json_build_object(''table_name'', %1$L, ''count'', count(*), ''columns'', json_object(ARRAY[%3$s]))
			FROM gone g', table_name, whose, (
				SELECT string_agg(format('%L, array_agg(g.%I%s)::text', c.name, c.name, CASE WHEN c.type = 'text' THEN '::text' END), ', ')
				FROM commerce.packed_columns(table_name) c))
			INTO part USING order_ids, users, origins, xact_ids, event_ids;
		parts := part || parts;
		EXECUTE format('SELECT count(*) FROM commerce.%I WHERE %s', table_name, whose)
			INTO left_over USING order_ids, users, origins, xact_ids, event_ids;
		EXIT WHEN left_over <> 0;
	END LOOP;
	IF left_over <> 0 THEN
		RAISE EXCEPTION 'bucket % cannot be moved: rows of table % stay', bucket, table_name
			USING ERRCODE = 'triggered_action_exception', HINT = 'Does a trigger keep them?';
	END IF;
	contents := json_build_object('tables', array_to_json(parts), 'events', contents);
END
$pack_bucket$;
COMMENT ON FUNCTION commerce.pack_bucket IS
'Part of moves (level admin): takes all rows of a bucket''s users out of their tables; contents is these rows, and what has become of their events, sold how many units they have. Raises 09000 where a trigger keeps one, 55P03.';

CREATE FUNCTION commerce.unpack_bucket(contents json)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET datestyle = ISO
SET intervalstyle = postgres
SET jit = off -- compiling takes longer than it saves
AS $unpack_bucket$
DECLARE
	tables json;
	events json;
	told record;
	here bigint := commerce.event_origin();
	own_xact_id bigint := pg_current_xact_id()::text::bigint;
	part record;
	names text;
	arrays text;
	expressions text;
	packed text[];
	n bigint;
	missing text;
BEGIN
	SELECT c.tables, c.events INTO tables, events FROM json_to_record(contents) c (tables json, events json);
	SELECT * INTO told
	FROM json_to_record(events) e (deliveries json, subscriptions json, unwanted json, purged_until timestamptz,
		sequences json);
	SELECT min(s) INTO missing
	FROM json_array_elements_text(told.subscriptions) s
	WHERE s NOT IN (SELECT l.subscription FROM commerce.live_subscriptions l);
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'this node has no subscription %', missing
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = 'The node that gives the bucket has it.',
				HINT = 'Make it here by create_subscription(), or drop it there.';
	END IF;

	FOR part IN SELECT * FROM json_to_recordset(tables) t (table_name text, count bigint, columns json) LOOP
		CONTINUE WHEN part.count = 0;
		-- Whatever columns either node has more of, the other does without.
		SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.name),
			string_agg(format('($1[%s])::%s[]', c.nth, c.type), ', ' ORDER BY c.name),
			string_agg(format('u.%I::%s', c.name, c.own_type), ', ' ORDER BY c.name),
			array_agg(c.value ORDER BY c.name)
		INTO names, arrays, expressions, packed
		FROM (SELECT p.*, j.value, row_number() OVER (ORDER BY p.name) AS nth
			  FROM commerce.packed_columns(part.table_name) p
			  JOIN json_each_text(part.columns) j ON j.key = p.name) c;
		EXECUTE format('INSERT INTO commerce.%1$I (%2$s) OVERRIDING SYSTEM VALUE
			SELECT %4$s FROM unnest(%3$s) u (%2$s)', part.table_name, names, arrays, expressions)
			USING packed;
		GET DIAGNOSTICS n = ROW_COUNT;
		IF n <> part.count THEN
			RAISE EXCEPTION 'a bucket cannot be moved: rows of table % are kept out', part.table_name
				USING ERRCODE = 'triggered_action_exception', HINT = 'Does a trigger keep them?';
		END IF;
	END LOOP;

	-- Events are this database's now, each as far as it had got. What somebody holds is
	-- nobody else's until the lease would have ended.
	INSERT INTO commerce.stored_deliveries (event_id, subscription_no, order_id, origin, xact_id,
		status, attempt, failures, due_at, finished_at, last_error)
	SELECT e.event_id, s.subscription_no, e.order_id, e.origin, e.xact_id,
		CASE d.status WHEN 'running' THEN 'available' ELSE d.status END, d.attempt, d.failures,
		d.due_at, d.finished_at, d.last_error
	FROM json_to_record(told.deliveries) p (subscription text, event_id text, status text,
		attempt text, failures text, due_at text, finished_at text, last_error text)
	CROSS JOIN LATERAL unnest(p.subscription::text[], p.event_id::bigint[], p.status::commerce.delivery_status[],
		p.attempt::integer[], p.failures::integer[], p.due_at::timestamptz[], p.finished_at::timestamptz[],
		p.last_error::text[])
		d (subscription, event_id, status, attempt, failures, due_at, finished_at, last_error)
	JOIN commerce.live_subscriptions s ON s.subscription = d.subscription
	JOIN commerce.events e ON e.origin = here AND e.xact_id = own_xact_id AND e.event_id = d.event_id
	WHERE s.event_types IS NULL AND s.start_origin IS NULL
	   OR (SELECT count(*) FROM commerce.wanted_events w
		WHERE w.origin = here AND w.xact_id = own_xact_id AND w.event_id = d.event_id
		  AND w.subscription_no = s.subscription_no) > 0;
	INSERT INTO commerce.stored_deliveries (event_id, subscription_no, order_id, origin, xact_id,
		status, attempt, failures, finished_at)
	SELECT w.event_id, w.subscription_no, w.order_id, w.origin, w.xact_id, 'discarded', 0, 0, now()
	FROM (
		SELECT u.subscription, u.event_id
		FROM json_to_recordset(told.unwanted)
			u (subscription text, event_id bigint)
		UNION ALL
		SELECT s.subscription, e.event_id
		FROM commerce.live_subscriptions s
		JOIN commerce.events e ON e.origin = here AND e.xact_id = own_xact_id
		WHERE s.subscription NOT IN (SELECT json_array_elements_text(told.subscriptions))
		) u
	CROSS JOIN LATERAL (
		SELECT w.* FROM commerce.wanted_events w
		WHERE w.origin = here AND w.xact_id = own_xact_id AND w.event_id = u.event_id
		  AND w.subscription = u.subscription) w;
	INSERT INTO commerce.event_horizon AS h (purged_until)
	SELECT told.purged_until WHERE told.purged_until IS NOT NULL
	ON CONFLICT (one_row) DO UPDATE SET purged_until = greatest(h.purged_until, excluded.purged_until);

	-- No id of theirs may come again, nor a later event have a lower one. Others take ids
	-- meanwhile, never so many; whoever moves a bucket here has locked the membership.
	FOR part IN SELECT q.key AS name, q.value::bigint AS given FROM json_each_text(told.sequences) q LOOP
		EXECUTE format('SELECT setval(%1$L, $1 + 1048576) FROM commerce.%2$I s WHERE s.last_value <= $1',
			format('commerce.%I', part.name), part.name) USING part.given;
	END LOOP;
	PERFORM pg_notify('commerce_outbox', '');
END
$unpack_bucket$;
COMMENT ON FUNCTION commerce.unpack_bucket IS
'Part of moves (level admin): puts what pack_bucket took out at one node into the tables of this one. Raises 09000 where a trigger keeps a row out, 55000 where a subscription is missing.';

CREATE FUNCTION commerce.give_bucket(bucket integer, taker integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10s'
AS $give_bucket$
DECLARE
	me commerce.cluster_membership;
	move commerce.bucket_moves;
BEGIN
	IF bucket IS NULL OR taker IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN bucket IS NULL THEN 'bucket' ELSE 'taker' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM commerce.lock_bucket(bucket, true);
	SELECT * INTO me FROM commerce.cluster_membership FOR UPDATE;
	IF taker < 1 OR taker = me.node_no THEN
		RAISE EXCEPTION 'taker must be the number of another node'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT * INTO move FROM commerce.bucket_moves m
	WHERE m.bucket = give_bucket.bucket AND m.giver = me.node_no AND m.status = 'giving'
	ORDER BY m.move_id DESC LIMIT 1;
	IF get_bit(me.buckets, bucket) = 0 AND move.taker = give_bucket.taker THEN
		RETURN move.move_id;
	ELSIF get_bit(me.buckets, bucket) = 0 THEN
		RAISE EXCEPTION 'bucket % is not node %''s to give', bucket, me.node_no
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = 'It is on its way to node ' || move.taker || '.';
	END IF;
	SELECT p.contents, p.sold INTO move.contents, move.sold FROM commerce.pack_bucket(bucket) p;
	UPDATE commerce.cluster_membership SET buckets = set_bit(buckets, give_bucket.bucket, 0);
	PERFORM commerce.membership_changed();
	INSERT INTO commerce.bucket_moves (giver, move_id, bucket, taker, status, contents, sold)
	VALUES (me.node_no, nextval('commerce.move_id_seq'), give_bucket.bucket, give_bucket.taker, 'giving',
		move.contents, move.sold)
	RETURNING * INTO move;
	RETURN move.move_id;
END
$give_bucket$;
COMMENT ON FUNCTION commerce.give_bucket IS
'Takes the users of a bucket, with all that is theirs, away from this node for node taker, and returns the move''s number (level router). From its commit on they are on their way, until take_bucket was called at the taker, with bucket_contents of this number; then bucket_given here. Their calls wait meanwhile; calls that have begun are waited for, about a second. Called again for the same taker, it returns the same number. See doc/scale.md. Raises 22004, 22023, 25001 above READ COMMITTED, 55000 where this is no node or the bucket is another''s, 55P03 where a call takes longer, 09000 where a trigger keeps a row.';

CREATE FUNCTION commerce.bucket_contents(move_id bigint)
RETURNS json
LANGUAGE SQL STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $bucket_contents$
SELECT json_build_object('bucket', m.bucket, 'sold', m.sold, 'contents', m.contents)
FROM commerce.bucket_moves m
JOIN commerce.cluster_membership c ON c.node_no = m.giver
WHERE m.move_id = bucket_contents.move_id AND m.status = 'giving'
$bucket_contents$;
COMMENT ON FUNCTION commerce.bucket_contents IS
'What take_bucket needs of a move from this node that is under way; NULL: there is none (level router).';

CREATE FUNCTION commerce.take_bucket(giver integer, move_id bigint, contents json)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10s'
AS $take_bucket$
DECLARE
	me commerce.cluster_membership;
	moved record;
	missing bigint;
	was text;
BEGIN
	SELECT * INTO moved FROM json_to_record(contents) c (bucket integer, sold jsonb, contents json);
	IF giver IS NULL OR move_id IS NULL OR moved.contents IS NULL OR moved.sold IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN giver IS NULL THEN 'giver'
			WHEN move_id IS NULL THEN 'move_id' ELSE 'contents' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM commerce.lock_bucket(moved.bucket, true);
	SELECT * INTO me FROM commerce.cluster_membership FOR UPDATE;
	INSERT INTO commerce.bucket_moves (giver, move_id, bucket, taker, status, sold, finished_at)
	VALUES (take_bucket.giver, take_bucket.move_id, moved.bucket, me.node_no, 'taken', moved.sold, now())
	ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		SELECT m.status INTO was FROM commerce.bucket_moves m
		WHERE m.giver = take_bucket.giver AND m.move_id = take_bucket.move_id;
		IF was = 'taken' THEN
			RETURN false;
		END IF;
		RAISE EXCEPTION 'this move of bucket % was undone', moved.bucket
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	SELECT min(u.key::bigint) INTO missing
	FROM jsonb_each(moved.sold) c
	CROSS JOIN LATERAL jsonb_each_text(c.value) u
	WHERE NOT CASE c.key
		WHEN 'stock' THEN EXISTS (SELECT FROM commerce.product_options o WHERE o.option_id = u.key::bigint)
		ELSE EXISTS (SELECT FROM commerce.coupon_policies p WHERE p.policy_id = u.key::bigint) END;
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'the catalogue has not come yet: % is missing', missing
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	PERFORM commerce.unpack_bucket(moved.contents);
	-- Whoever looked without a lock on it must be done, as they did not see these rows.
	PERFORM set_config('lock_timeout', '1s', true);
	PERFORM commerce.lock_bucket(moved.bucket, false);
	UPDATE commerce.cluster_membership SET buckets = set_bit(buckets, moved.bucket, 1);
	PERFORM commerce.membership_changed();
	RETURN true;
END
$take_bucket$;
COMMENT ON FUNCTION commerce.take_bucket IS
'Puts the users of a bucket, with all that is theirs, into this node, once: false if that was done before (level router). contents is what bucket_contents gives at node giver. See doc/scale.md. Raises 22004, 22023, 25001 above READ COMMITTED, 55000 where this is no node, where the move was undone, or a subscription or the catalogue is missing, 55P03, 09000 where a trigger keeps a row out.';

CREATE FUNCTION commerce.bucket_given(move_id bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $bucket_given$
BEGIN
	IF move_id IS NULL THEN
		RAISE EXCEPTION 'move_id must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	UPDATE commerce.bucket_moves m SET status = 'given', contents = NULL, finished_at = now()
	FROM commerce.cluster_membership c
	WHERE m.giver = c.node_no AND m.move_id = bucket_given.move_id AND m.status = 'giving';
	RETURN FOUND;
END
$bucket_given$;
COMMENT ON FUNCTION commerce.bucket_given IS
'Notes that the taker has the users of a bucket, and forgets them; false if it was noted, or there is no such move (level router). See doc/scale.md. Raises 22004.';

CREATE FUNCTION commerce.refuse_bucket(bucket integer, giver integer, move_id bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $refuse_bucket$
BEGIN
	IF bucket IS NULL OR giver IS NULL OR move_id IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN bucket IS NULL THEN 'bucket'
			WHEN giver IS NULL THEN 'giver' ELSE 'move_id' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	INSERT INTO commerce.bucket_moves (giver, move_id, bucket, taker, status, sold, finished_at)
	SELECT refuse_bucket.giver, refuse_bucket.move_id, refuse_bucket.bucket, c.node_no, 'refused', '{}', now()
	FROM commerce.cluster_membership c
	ON CONFLICT DO NOTHING;
	RETURN EXISTS (SELECT FROM commerce.bucket_moves m
		WHERE m.giver = refuse_bucket.giver AND m.move_id = refuse_bucket.move_id AND m.status = 'refused');
END
$refuse_bucket$;
COMMENT ON FUNCTION commerce.refuse_bucket IS
'Has this node refuse a move that is under way to it, for ever; false if it has taken the bucket already (level router). To undo a move: then keep_bucket at the giver. See doc/scale.md. Raises 22004.';

CREATE FUNCTION commerce.keep_bucket(move_id bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10s'
AS $keep_bucket$
DECLARE
	kept commerce.bucket_moves;
BEGIN
	IF move_id IS NULL THEN
		RAISE EXCEPTION 'move_id must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM commerce.lock_bucket(m.bucket, true)
	FROM commerce.bucket_moves m
	WHERE m.move_id = keep_bucket.move_id AND m.status = 'giving';
	SELECT m.* INTO kept
	FROM commerce.cluster_membership c
	JOIN commerce.bucket_moves m ON m.giver = c.node_no
	WHERE m.move_id = keep_bucket.move_id AND m.status = 'giving'
	FOR UPDATE;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM commerce.unpack_bucket(kept.contents);
	UPDATE commerce.bucket_moves m SET status = 'kept', contents = NULL, finished_at = now()
	WHERE m.giver = kept.giver AND m.move_id = kept.move_id;
	PERFORM set_config('lock_timeout', '1s', true);
	PERFORM commerce.lock_bucket(kept.bucket, false);
	UPDATE commerce.cluster_membership SET buckets = set_bit(buckets, kept.bucket, 1);
	PERFORM commerce.membership_changed();
	RETURN true;
END
$keep_bucket$;
COMMENT ON FUNCTION commerce.keep_bucket IS
'Undoes give_bucket, for a move that refuse_bucket has made the taker refuse, and for no other: the users are this node''s again (level router). False if there is no such move under way. See doc/scale.md. Raises 22004, 25001 above READ COMMITTED, 55P03, 55000, 09000 as take_bucket.';

CREATE FUNCTION commerce.node_moves(bucket integer DEFAULT NULL)
RETURNS TABLE (giver integer, move_id bigint, moved integer, taker integer, status text)
LANGUAGE SQL STABLE PARALLEL SAFE SECURITY DEFINER ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $node_moves$
SELECT m.giver, m.move_id, m.bucket, m.taker, m.status
FROM commerce.bucket_moves m
WHERE node_moves.bucket IS NULL OR m.bucket = node_moves.bucket
ORDER BY m.giver, m.move_id
$node_moves$;
COMMENT ON FUNCTION commerce.node_moves IS
'All moves that this node has made or taken, or those of one bucket (level router).';
