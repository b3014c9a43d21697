------------------------------------------------------------------------------
-- Buckets that move from node to node
--
-- The nodes have all that there is to know of a move, so any router can go on with one.
------------------------------------------------------------------------------

CREATE TYPE commerce_router.move AS (bucket integer, giver integer, move_id bigint, taker integer, status text);

CREATE FUNCTION commerce_router.has_bucket(node text, bucket integer)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT pg_catalog.get_bit(m.buckets, $2) = 1 FROM commerce.cluster_membership m;
$$;
COMMENT ON FUNCTION commerce_router.has_bucket IS 'Is the bucket a node''s?';

CREATE FUNCTION commerce_router.moves_at(node text, bucket integer)
RETURNS TABLE (giver integer, move_id bigint, moved integer, taker integer, status text)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT m.giver, m.move_id, m.moved, m.taker, m.status FROM commerce.node_moves($2) m;
$$;
COMMENT ON FUNCTION commerce_router.moves_at IS 'commerce.node_moves at a node.';

CREATE FUNCTION commerce_router.give_bucket(node text, bucket integer, taker integer)
RETURNS bigint
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.give_bucket($2, $3);
$$;
COMMENT ON FUNCTION commerce_router.give_bucket IS 'commerce.give_bucket at a node.';

CREATE FUNCTION commerce_router.bucket_contents(node text, move_id bigint)
RETURNS text
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.bucket_contents($2)::pg_catalog.text;
$$;
COMMENT ON FUNCTION commerce_router.bucket_contents IS 'commerce.bucket_contents at a node.';

CREATE FUNCTION commerce_router.take_bucket(node text, giver integer, move_id bigint, contents text)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.take_bucket($2, $3, $4::pg_catalog.json);
$$;
COMMENT ON FUNCTION commerce_router.take_bucket IS 'commerce.take_bucket at a node.';

CREATE FUNCTION commerce_router.bucket_given(node text, move_id bigint)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.bucket_given($2);
$$;
COMMENT ON FUNCTION commerce_router.bucket_given IS 'commerce.bucket_given at a node.';

CREATE FUNCTION commerce_router.refuse_bucket(node text, bucket integer, giver integer, move_id bigint)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.refuse_bucket($2, $3, $4);
$$;
COMMENT ON FUNCTION commerce_router.refuse_bucket IS 'commerce.refuse_bucket at a node.';

CREATE FUNCTION commerce_router.keep_bucket(node text, move_id bigint)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.keep_bucket($2);
$$;
COMMENT ON FUNCTION commerce_router.keep_bucket IS 'commerce.keep_bucket at a node.';

-- ---- where a bucket is ----

CREATE FUNCTION commerce_router.find_bucket(bucket integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $find_bucket$
DECLARE
	node commerce_router.nodes;
	away commerce_router.nodes;
BEGIN
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		BEGIN
			IF commerce_router.has_bucket(node.conninfo, bucket) THEN
				RETURN node.node_no;
			END IF;
		EXCEPTION WHEN OTHERS THEN
			IF NOT commerce_router.is_away(SQLSTATE) THEN
				PERFORM commerce_router.raise_of_node(node.node_no, SQLSTATE, SQLERRM);
				RAISE;
			END IF;
			away := node;
		END;
	END LOOP;
	IF away.node_no IS NOT NULL THEN
		PERFORM commerce_router.refuse_node(away.node_no);
	END IF;
	RETURN NULL;
END
$find_bucket$;
COMMENT ON FUNCTION commerce_router.find_bucket IS
'Asks the nodes which of them has a bucket; NULL: it is on its way. Raises SC901 where one is away that may have it.';

-- Callers learn in their transaction, which may be long: nobody waits for it.
CREATE FUNCTION commerce_router.learn_bucket(bucket integer, node_no integer)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $learn_bucket$
BEGIN
	IF current_setting('transaction_read_only') = 'off'
		AND pg_try_advisory_xact_lock(hashtext('commerce_router.buckets'), bucket) THEN
		INSERT INTO commerce_router.buckets AS b (bucket, node_no)
		VALUES (learn_bucket.bucket, learn_bucket.node_no)
		ON CONFLICT ON CONSTRAINT buckets_pkey DO UPDATE SET node_no = excluded.node_no
		WHERE b.node_no <> excluded.node_no;
		IF FOUND THEN
			PERFORM commerce_router.map_changed();
		END IF;
	END IF;
END
$learn_bucket$;
COMMENT ON FUNCTION commerce_router.learn_bucket IS
'Notes which node has a bucket, unless somebody is about to.';

CREATE FUNCTION commerce_router.await_bucket(bucket integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $await_bucket$
DECLARE
	until timestamptz := clock_timestamp() + interval '5 seconds';
	may_be_nobodys boolean;
	owner integer;
BEGIN
	LOOP
		owner := commerce_router.find_bucket(bucket);
		IF owner IS NOT NULL THEN
			RETURN owner;
		END IF;
		-- Nobody's, and not on its way: nothing will come of waiting.
		IF may_be_nobodys THEN
			PERFORM commerce_router.refuse('SC901', format('bucket %s is at no node that this router knows', bucket),
				format('{"bucket": %s}', bucket), 'Try again, with the same idempotency key.');
		ELSIF may_be_nobodys IS NULL THEN
			may_be_nobodys := NOT EXISTS (SELECT FROM commerce_router.moves(bucket));
			CONTINUE WHEN may_be_nobodys;
		END IF;
		IF clock_timestamp() > until THEN
			PERFORM commerce_router.refuse('SC901', format('bucket %s is on its way between two nodes', bucket),
				format('{"bucket": %s}', bucket), 'Try again, with the same idempotency key.');
		END IF;
		PERFORM pg_sleep(0.01 + 0.02 * random());
	END LOOP;
END
$await_bucket$;
COMMENT ON FUNCTION commerce_router.await_bucket IS
'The node that has a bucket, of which another said that it has not; waits for one that is on its way. Raises SC901 after 5 seconds, where a node is away that may have it, and where nobody has it.';

-- ---- moves ----

-- Each as it is now: its status at the giver, or what the taker says, which is later.
CREATE FUNCTION commerce_router.moves(bucket integer DEFAULT NULL)
RETURNS TABLE (moved integer, giver integer, move_id bigint, taker integer, status text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, pg_temp
AS $moves$
#variable_conflict use_column
DECLARE
	node commerce_router.nodes;
	told commerce_router.move[] := '{}';
BEGIN
	-- Givers first: what a taker has by then it may take after they have told.
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		told := told || ARRAY(SELECT (m.moved, m.giver, m.move_id, m.taker, m.status)::commerce_router.move
			FROM commerce_router.moves_at(node.conninfo, moves.bucket) m WHERE m.giver = node.node_no);
	END LOOP;
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		told := told || ARRAY(SELECT (m.moved, m.giver, m.move_id, m.taker, m.status)::commerce_router.move
			FROM commerce_router.moves_at(node.conninfo, moves.bucket) m WHERE m.taker = node.node_no);
	END LOOP;
	RETURN QUERY
		SELECT g.bucket, g.giver, g.move_id, g.taker, coalesce(t.status, g.status)
		FROM unnest(told) g
		LEFT JOIN unnest(told) t ON t.giver = g.giver AND t.move_id = g.move_id AND t.status IN ('taken', 'refused')
		WHERE g.status = 'giving';
EXCEPTION WHEN OTHERS THEN
	PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
	RAISE;
END
$moves$;
COMMENT ON FUNCTION commerce_router.moves IS
'Moves of a bucket (NULL: all) that are not finished (level admin): giving, on its way; taken, which the giver has not noted; or refused, to be undone. Raises SC901.';

CREATE FUNCTION commerce_router.moves_mark()
RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $moves_mark$
DECLARE
	until timestamptz := clock_timestamp() + interval '5 seconds';
	node commerce_router.nodes;
	mark text := '';
	on_its_way integer;
BEGIN
	LOOP
		SELECT min(m.moved) INTO on_its_way FROM commerce_router.moves() m WHERE m.status <> 'taken';
		EXIT WHEN on_its_way IS NULL;
		IF clock_timestamp() > until THEN
			PERFORM commerce_router.refuse('SC901', format('bucket %s is on its way between two nodes', on_its_way),
				format('{"bucket": %s}', on_its_way), 'Try again, with the same idempotency key.');
		END IF;
		PERFORM pg_sleep(0.01 + 0.02 * random());
	END LOOP;
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		mark := mark || ' ' || (SELECT count(*) FROM commerce_router.moves_at(node.conninfo, NULL) m);
	END LOOP;
	RETURN mark;
EXCEPTION WHEN OTHERS THEN
	PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
	RAISE;
END
$moves_mark$;
COMMENT ON FUNCTION commerce_router.moves_mark IS
'Waits until no bucket is on its way; the result is another one once one was. Raises SC901.';

CREATE FUNCTION commerce_router.undo_a_move(move commerce_router.move)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $undo_a_move$
DECLARE
	giving text := (SELECT n.conninfo FROM commerce_router.nodes n WHERE n.node_no = move.giver);
	taking text := (SELECT n.conninfo FROM commerce_router.nodes n WHERE n.node_no = move.taker);
BEGIN
	IF NOT commerce_router.refuse_bucket(taking, move.bucket, move.giver, move.move_id) THEN
		PERFORM commerce_router.bucket_given(giving, move.move_id);
		RETURN false;
	END IF;
	PERFORM commerce_router.keep_bucket(giving, move.move_id);
	PERFORM commerce_router.learn_bucket(move.bucket, move.giver);
	RETURN true;
END
$undo_a_move$;
COMMENT ON FUNCTION commerce_router.undo_a_move IS
'Gives a bucket that is on its way back to its giver; false: the taker has it.';

CREATE FUNCTION commerce_router.finish_move(move commerce_router.move)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $finish_move$
DECLARE
	giving text := (SELECT n.conninfo FROM commerce_router.nodes n WHERE n.node_no = move.giver);
	taking text := (SELECT n.conninfo FROM commerce_router.nodes n WHERE n.node_no = move.taker);
	contents text := commerce_router.bucket_contents(giving, move.move_id);
BEGIN
	IF contents IS NULL THEN
		RETURN; -- somebody else was faster
	END IF;
	FOR try IN 1..3 LOOP
		BEGIN
			PERFORM commerce_router.take_bucket(taking, move.giver, move.move_id, contents);
			EXIT;
		EXCEPTION WHEN OTHERS THEN
			IF commerce_router.is_away(SQLSTATE) THEN
				RAISE; -- nobody knows what became of it
			ELSIF SQLSTATE NOT IN ('55P03', '40001', '40P01') OR try = 3 THEN
				PERFORM commerce_router.undo_a_move(move);
				RAISE;
			END IF;
		END;
	END LOOP;
	PERFORM commerce_router.learn_bucket(move.bucket, move.taker);
	PERFORM commerce_router.bucket_given(giving, move.move_id);
END
$finish_move$;
COMMENT ON FUNCTION commerce_router.finish_move IS
'What follows give_bucket. If the taker cannot take the bucket, the giver keeps it, and the error is raised.';

CREATE FUNCTION commerce_router.move_one(bucket integer, to_node integer)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $move_one$
DECLARE
	move commerce_router.move;
	owner commerce_router.nodes;
	until timestamptz := clock_timestamp() + interval '30 seconds';
	has_moved boolean := false;
BEGIN
	LOOP
		-- What was begun comes first.
		FOR move.bucket, move.giver, move.move_id, move.taker, move.status IN SELECT * FROM commerce_router.moves(bucket) LOOP
			IF move.status = 'giving' AND move.taker <> to_node THEN
				RAISE EXCEPTION 'bucket % is on its way to node %', bucket, move.taker
					USING ERRCODE = 'object_not_in_prerequisite_state',
						HINT = 'commerce_router.undo_move() gives it back.';
			ELSIF move.status = 'giving' THEN
				PERFORM commerce_router.finish_move(move);
				has_moved := true;
			ELSE
				PERFORM commerce_router.undo_a_move(move);
			END IF;
		END LOOP;
		SELECT n.* INTO owner FROM commerce_router.nodes n WHERE n.node_no = commerce_router.find_bucket(bucket);
		IF owner.node_no = to_node THEN
			PERFORM commerce_router.learn_bucket(bucket, to_node);
			RETURN has_moved;
		ELSIF owner.node_no IS NOT NULL THEN
			BEGIN
				PERFORM commerce_router.give_bucket(owner.conninfo, bucket, to_node);
			EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
				IF clock_timestamp() > until THEN
					RAISE;
				END IF;
				PERFORM pg_sleep(0.2 * random());
			END;
		ELSIF clock_timestamp() > until THEN
			RAISE EXCEPTION 'bucket % is no node''s', bucket
				USING ERRCODE = 'object_not_in_prerequisite_state';
		END IF;
	END LOOP;
END
$move_one$;
COMMENT ON FUNCTION commerce_router.move_one IS 'Part of move_bucket.';

CREATE FUNCTION commerce_router.check_move(function_name text, bucket integer, to_node integer)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $check_move$
BEGIN
	PERFORM commerce_router.check_top_level(function_name);
	IF bucket IS NULL OR to_node IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN bucket IS NULL THEN 'bucket' ELSE 'to_node' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF bucket NOT BETWEEN 0 AND 4095 THEN
		RAISE EXCEPTION 'bucket must be from 0 to 4095' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT EXISTS (SELECT FROM commerce_router.nodes n WHERE n.node_no = to_node) THEN
		RAISE EXCEPTION 'this router knows no node %', to_node USING ERRCODE = 'undefined_object';
	END IF;
END
$check_move$;
COMMENT ON FUNCTION commerce_router.check_move IS 'The bounds of moves.';

CREATE FUNCTION commerce_router.move_bucket(bucket integer, to_node integer)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $move_bucket$
BEGIN
	PERFORM commerce_router.check_move('move_bucket', bucket, to_node);
	RETURN commerce_router.move_one(bucket, to_node);
END
$move_bucket$;
COMMENT ON FUNCTION commerce_router.move_bucket IS
'Moves the users of a bucket, 0..4095, with all that is theirs, to another node; false: they are there already (level admin). Their calls wait meanwhile, a second or two for 10,000 orders; all others go on. If it is interrupted, any router goes on where it was, when it is called again; or undo_move undoes it. A move that cannot be is undone, and the error raised. See doc/scale.md. Raises 22004, 22023, 25001, 42704 where there is no such node, 55000 where it is on its way to another one, or the taker lacks a subscription, SC901 where a node is away, 55P03 where a call takes too long to be waited for, 09000 where a trigger keeps a row.';

CREATE FUNCTION commerce_router.move_buckets(buckets int4multirange, to_node integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $move_buckets$
DECLARE
	moving integer;
	moved integer := 0;
BEGIN
	IF buckets IS NULL THEN
		RAISE EXCEPTION 'buckets must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT buckets <@ '{[0,4096)}'::int4multirange THEN
		RAISE EXCEPTION 'buckets must be of 0 to 4095' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM commerce_router.check_move('move_buckets', 0, to_node);
	FOR moving IN SELECT generate_series(lower(r), upper(r) - 1) FROM unnest(buckets) r LOOP
		moved := moved + commerce_router.move_one(moving, to_node)::integer;
	END LOOP;
	RETURN moved;
END
$move_buckets$;
COMMENT ON FUNCTION commerce_router.move_buckets IS
'move_bucket for many, one after the other; returns how many it moved (level admin). An error leaves those before it where they are now. Raises what move_bucket does.';

CREATE FUNCTION commerce_router.undo_move(bucket integer)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $undo_move$
DECLARE
	move commerce_router.move;
	has_undone boolean := false;
BEGIN
	PERFORM commerce_router.check_move('undo_move', bucket, (SELECT min(n.node_no) FROM commerce_router.nodes n));
	FOR move.bucket, move.giver, move.move_id, move.taker, move.status IN SELECT * FROM commerce_router.moves(bucket) LOOP
		has_undone := commerce_router.undo_a_move(move) OR has_undone;
	END LOOP;
	RETURN has_undone;
END
$undo_move$;
COMMENT ON FUNCTION commerce_router.undo_move IS
'Gives a bucket that is on its way back to the node that gave it; false: none is, or the taker has it (level admin). See doc/scale.md. Raises 22004, 22023, 25001, SC901 where a node is away.';

CREATE FUNCTION commerce_router.misplaced_buckets()
RETURNS TABLE (bucket integer, places bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $misplaced_buckets$
BEGIN
	RETURN QUERY
		WITH moves AS MATERIALIZED (
			SELECT m.moved FROM commerce_router.moves() m WHERE m.status <> 'taken'
		), owned AS MATERIALIZED (
			SELECT b.bucket
			FROM (SELECT count(*) FROM moves) first, commerce_router.nodes n
			CROSS JOIN LATERAL commerce_router.membership(n.conninfo) m
			CROSS JOIN generate_series(0, 4095) b (bucket)
			WHERE get_bit(m.buckets::bytea, b.bucket) = 1
		)
		SELECT g.bucket, count(p.bucket)
		FROM generate_series(0, 4095) g (bucket)
		LEFT JOIN (SELECT m.moved AS bucket FROM moves m UNION ALL SELECT o.bucket FROM owned o) p ON p.bucket = g.bucket
		GROUP BY g.bucket
		HAVING count(p.bucket) <> 1;
END
$misplaced_buckets$;
COMMENT ON FUNCTION commerce_router.misplaced_buckets IS
'Buckets that are not at one node, or on one way; one that moves meanwhile may seem to be one of them.';
