------------------------------------------------------------------------------
-- The map: which nodes there are, and which users each has
------------------------------------------------------------------------------

CREATE TABLE commerce_router.nodes (
	node_no		integer PRIMARY KEY,
	conninfo	text NOT NULL,
	is_home		boolean NOT NULL,
	first_id	bigint NOT NULL
);
COMMENT ON TABLE commerce_router.nodes IS 'The nodes of the cluster. The nodes themselves have all else.';
COMMENT ON COLUMN commerce_router.nodes.is_home IS 'Is the catalogue made here? The others follow it.';
COMMENT ON COLUMN commerce_router.nodes.first_id IS 'Ids from here on have a bucket; the same for all nodes.';
CREATE UNIQUE INDEX nodes_home_idx ON commerce_router.nodes (is_home) WHERE is_home;

CREATE TABLE commerce_router.buckets (
	bucket	integer PRIMARY KEY,
	node_no	integer NOT NULL REFERENCES commerce_router.nodes
);
COMMENT ON TABLE commerce_router.buckets IS 'Which node has the users of a bucket, as the nodes last told.';

CREATE FUNCTION commerce_router.map_changed()
RETURNS void
AS 'MODULE_PATHNAME', 'commerce_map_changed'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce_router.map_changed IS
'Tells all sessions of this router, when the transaction commits, that nodes or buckets have changed.';

CREATE TYPE commerce_router.answer AS (
	answer		text,
	sqlstate	text,
	message		text,
	detail		text,
	hint		text);
COMMENT ON TYPE commerce_router.answer IS 'What a node''s try_ function returns, which comes as the text of one.';

CREATE FUNCTION commerce_router.check_top_level(function_name text)
RETURNS void
AS 'MODULE_PATHNAME', 'commerce_check_top_level'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce_router.check_top_level IS
'Raises 25001 inside a transaction block, naming the function.';

CREATE FUNCTION commerce_router.refuse(sqlstate text, message text, detail text, hint text)
RETURNS void
AS 'MODULE_PATHNAME', 'commerce_refuse'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce_router.refuse IS
'Raises what a node answered; nothing if sqlstate is NULL.';

CREATE FUNCTION commerce.bucket(user_id bigint)
RETURNS integer
AS 'MODULE_PATHNAME', 'commerce_bucket'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION commerce.bucket IS
'The bucket of a user, 0..4095: a hash of the id, the same on every node and router (level reader). Raises 22004.';

CREATE FUNCTION commerce_router.membership(node text, OUT node_no integer, OUT first_id bigint, OUT buckets text)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT m.node_no, m.first_id, m.buckets::text FROM commerce.cluster_membership m;
$$;
COMMENT ON FUNCTION commerce_router.membership IS 'What a node says of itself.';

CREATE FUNCTION commerce_router.refuse_node(node_no integer)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refuse_node$
BEGIN
	PERFORM commerce_router.refuse('SC901', format('node %s is not available', node_no),
		format('{"node_no": %s}', node_no), 'Try again, with the same idempotency key.');
END
$refuse_node$;
COMMENT ON FUNCTION commerce_router.refuse_node IS
'Raises SC901 for a node that is away, as route.c does. Why it is away the client is not told: a connection string may stand in that.';

-- What PL/Proxy raises where there is nobody, or somebody else.
CREATE FUNCTION commerce_router.is_away(sqlstate text)
RETURNS boolean
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $is_away$
SELECT sqlstate ~ '^(08|XX)' OR sqlstate IN ('57P01', '57P02', '57P03', '53300')
$is_away$;
COMMENT ON FUNCTION commerce_router.is_away IS
'Does an error with this SQLSTATE tell that the node is away?';

CREATE FUNCTION commerce_router.refresh()
RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $refresh$
DECLARE
	node commerce_router.nodes;
	found_buckets bytea;
	changed integer := 0;
	n integer;
BEGIN
	-- One at a time: two would only ask the same.
	PERFORM pg_advisory_xact_lock(hashtext('commerce_router.refresh'));
	FOR node IN SELECT * FROM commerce_router.nodes ORDER BY node_no LOOP
		BEGIN
			SELECT m.buckets::bytea INTO found_buckets FROM commerce_router.membership(node.conninfo) m;
		EXCEPTION WHEN OTHERS THEN
			CONTINUE WHEN commerce_router.is_away(SQLSTATE);
			RAISE;
		END;
		INSERT INTO commerce_router.buckets AS b (bucket, node_no)
		SELECT g, node.node_no FROM generate_series(0, 4095) g
		WHERE get_bit(found_buckets, g) = 1
		ON CONFLICT (bucket) DO UPDATE SET node_no = excluded.node_no
		WHERE b.node_no <> excluded.node_no;
		GET DIAGNOSTICS n = ROW_COUNT;
		changed := changed + n;
	END LOOP;
	IF changed > 0 THEN
		PERFORM commerce_router.map_changed();
	END IF;
	RETURN changed;
END
$refresh$;
COMMENT ON FUNCTION commerce_router.refresh IS
'Asks every node which buckets it has, and returns for how many this router thought otherwise (level admin). A router does so itself when a node says that a bucket is not its own. What a node that is away has stays as it was.';

CREATE FUNCTION commerce_router.add_node(conninfo text, is_home boolean DEFAULT false)
RETURNS commerce_router.nodes
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $add_node$
DECLARE
	told record;
	other commerce_router.nodes;
	added commerce_router.nodes;
BEGIN
	IF conninfo IS NULL OR is_home IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN conninfo IS NULL THEN 'conninfo' ELSE 'is_home' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	-- What is exchanged as text reads the same everywhere.
	IF conninfo !~ '\yoptions\s*=' THEN
		conninfo := conninfo || ' options=''-c datestyle=ISO -c intervalstyle=postgres''';
	END IF;
	LOCK TABLE commerce_router.nodes IN SHARE ROW EXCLUSIVE MODE;
	BEGIN
		SELECT * INTO told FROM commerce_router.membership(conninfo);
	EXCEPTION WHEN OTHERS THEN
		RAISE EXCEPTION 'there is no node of a cluster at "%"',
			regexp_replace(conninfo, '(password\s*=\s*)(''[^'']*''|\S+)', '\1...')
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = SQLERRM,
				HINT = 'commerce.join_cluster() makes a database one.';
	END;
	SELECT * INTO other FROM commerce_router.nodes n WHERE n.node_no = told.node_no AND n.conninfo <> add_node.conninfo;
	IF FOUND THEN
		RAISE EXCEPTION 'node % is known by another connection string', other.node_no
			USING ERRCODE = 'unique_violation', HINT = 'commerce_router.set_node() tells that it has moved.';
	END IF;
	SELECT * INTO other FROM commerce_router.nodes n WHERE n.node_no <> told.node_no AND n.first_id <> told.first_id;
	IF FOUND THEN
		RAISE EXCEPTION 'node % has joined with first_id %, and node % with %',
			told.node_no, told.first_id, other.node_no, other.first_id
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	INSERT INTO commerce_router.nodes (node_no, conninfo, is_home, first_id)
	VALUES (told.node_no, add_node.conninfo, add_node.is_home, told.first_id)
	ON CONFLICT (node_no) DO UPDATE SET is_home = excluded.is_home
	RETURNING * INTO added;
	PERFORM commerce_router.refresh();
	PERFORM commerce_router.map_changed();
	RETURN added;
END
$add_node$;
COMMENT ON FUNCTION commerce_router.add_node IS
'Adds a node that has joined the cluster, by its connection string, which names the user too (level admin): from the commit on its users'' calls go there. is_home: the catalogue is made here; one node is. Raises 22004, 23505 where another has its number or is home already, 55000 where no node is, or one of another cluster.';

CREATE FUNCTION commerce_router.set_node(node_no integer, conninfo text)
RETURNS commerce_router.nodes
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $set_node$
DECLARE
	changed commerce_router.nodes;
BEGIN
	IF node_no IS NULL OR conninfo IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN node_no IS NULL THEN 'node_no' ELSE 'conninfo' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF conninfo !~ '\yoptions\s*=' THEN
		conninfo := conninfo || ' options=''-c datestyle=ISO -c intervalstyle=postgres''';
	END IF;
	UPDATE commerce_router.nodes n SET conninfo = set_node.conninfo
	WHERE n.node_no = set_node.node_no
	RETURNING * INTO changed;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this router knows no node %', node_no
			USING ERRCODE = 'undefined_object';
	END IF;
	PERFORM commerce_router.map_changed();
	RETURN changed;
END
$set_node$;
COMMENT ON FUNCTION commerce_router.set_node IS
'Says that a node is elsewhere now (level admin). Raises 22004, 42704 where there is none of this number.';

CREATE FUNCTION commerce_router.remove_node(node_no integer)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $remove_node$
BEGIN
	IF node_no IS NULL THEN
		RAISE EXCEPTION 'node_no must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF EXISTS (SELECT FROM commerce_router.buckets b WHERE b.node_no = remove_node.node_no) THEN
		RAISE EXCEPTION 'node % has users', node_no
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Move its buckets to others first.';
	END IF;
	DELETE FROM commerce_router.nodes n WHERE n.node_no = remove_node.node_no;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this router knows no node %', node_no
			USING ERRCODE = 'undefined_object';
	END IF;
	PERFORM commerce_router.map_changed();
END
$remove_node$;
COMMENT ON FUNCTION commerce_router.remove_node IS
'Forgets a node that has no buckets any more (level admin). Raises 22004, 42704 where there is none of this number, 55000 where it has buckets.';
