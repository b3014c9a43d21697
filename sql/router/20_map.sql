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

CREATE FUNCTION commerce_router.own_columns("row" text, type regtype)
RETURNS text
AS 'MODULE_PATHNAME', 'commerce_own_columns'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION commerce_router.own_columns IS
'The text of a node''s row without the columns that this type has not: those of a newer version, or a DBA''s, which come last.';

CREATE FUNCTION commerce.bucket(user_id bigint)
RETURNS integer
AS 'MODULE_PATHNAME', 'commerce_bucket'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION commerce.bucket IS
'The bucket of a user, 0..4095: a hash of the id, the same on every node and router (level reader). Raises 22004.';

CREATE FUNCTION commerce_router.membership(node text, OUT node_no integer, OUT first_id bigint, OUT buckets text,
	OUT version text)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT m.node_no, m.first_id, m.buckets::text AS buckets, e.extversion AS version
	FROM pg_catalog.pg_extension e
	LEFT JOIN commerce.cluster_membership m ON true
	WHERE e.extname = 'commerce';
$$;
COMMENT ON FUNCTION commerce_router.membership IS 'What a node says of itself; node_no is NULL where it has not joined a cluster.';

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

-- PL/Proxy says only which function and database it was.
CREATE FUNCTION commerce_router.raise_of_node(node_no integer, sqlstate text, message text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $raise_of_node$
DECLARE
	told text := substring(message FROM '^commerce_router\.\w+\(\d+\): \[[^]]*\] REMOTE ERROR: (.*)$');
BEGIN
	IF told IS NULL THEN
		RETURN;
	ELSIF sqlstate ~ '^(42|3F)' THEN
		RAISE EXCEPTION 'node %: %', node_no, told USING ERRCODE = sqlstate,
			HINT = 'A node has the extension commerce, of this router''s version or a newer one, and a role for routers: commerce.grant_access(..., ''router'').';
	END IF;
	RAISE EXCEPTION 'node %: %', node_no, told USING ERRCODE = sqlstate;
END
$raise_of_node$;
COMMENT ON FUNCTION commerce_router.raise_of_node IS
'Raises an error that came from a node anew, with the node''s number, as route.c does; nothing if it came from elsewhere.';

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
			PERFORM commerce_router.raise_of_node(node.node_no, SQLSTATE, SQLERRM);
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

-- What add_node() and set_node() want to know before they believe that a node is there.
CREATE FUNCTION commerce_router.ask_node(INOUT conninfo text, OUT node_no integer, OUT first_id bigint, OUT buckets bytea)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $ask_node$
DECLARE
	place text;
	told record;
	own_version text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'commerce_router');
BEGIN
	-- What is exchanged as text reads the same everywhere.
	IF conninfo !~ '\yoptions\s*=' THEN
		conninfo := conninfo || ' options=''-c datestyle=ISO -c intervalstyle=postgres''';
	END IF;
	place := regexp_replace(conninfo, '(password\s*=\s*)(''(?:[^''\\]|\\.)*(?:''|$)|(?:[^\s\\]|\\.)+)', '\1...', 'g');
	BEGIN
		SELECT * INTO told FROM commerce_router.membership(conninfo);
	EXCEPTION WHEN OTHERS THEN
		-- What libpq cannot read is told to nobody: it may be part of a password.
		IF SQLERRM ~ 'connection info string|connection option' OR conninfo ~* '^\s*postgres(ql)?://' THEN
			RAISE EXCEPTION 'conninfo must be of keywords and values, as in "host=node1 dbname=shop user=router"'
				USING ERRCODE = 'invalid_parameter_value';
		END IF;
		RAISE EXCEPTION 'there is no node of a cluster at "%"', place
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = SQLERRM,
				HINT = CASE WHEN commerce_router.is_away(SQLSTATE) THEN 'Its server must be there, and let this router''s server in.'
					WHEN SQLSTATE = '42501' THEN 'commerce.grant_access(..., ''router'') gives its user the rights.'
					ELSE 'CREATE EXTENSION commerce, and commerce.join_cluster(), make a database one.' END;
	END;
	IF told.node_no IS NULL THEN
		RAISE EXCEPTION 'there is no node of a cluster at "%"', place
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'This shop has not joined one.',
				HINT = 'commerce.join_cluster() makes a database one.';
	END IF;
	IF string_to_array(told.version, '.')::integer[] < string_to_array(own_version, '.')::integer[] THEN
		RAISE EXCEPTION 'node % has version % of the extension commerce, older than this router''s %',
			told.node_no, told.version, own_version
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Run ALTER EXTENSION commerce UPDATE at the node.';
	END IF;
	node_no := told.node_no;
	first_id := told.first_id;
	buckets := told.buckets;
END
$ask_node$;
COMMENT ON FUNCTION commerce_router.ask_node IS
'Which node is there, and the connection string as it is kept. Raises 22023 for what libpq cannot read, and for a URI, 55000 where there is no node, or one of an older version than this router''s; without any password.';

CREATE FUNCTION commerce_router.add_node(conninfo text, is_home boolean DEFAULT false)
RETURNS commerce_router.nodes
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $add_node$
DECLARE
	told record;
	other commerce_router.nodes;
	shared integer;
	added commerce_router.nodes;
BEGIN
	IF conninfo IS NULL OR is_home IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN conninfo IS NULL THEN 'conninfo' ELSE 'is_home' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	LOCK TABLE commerce_router.nodes IN SHARE ROW EXCLUSIVE MODE;
	SELECT * INTO told FROM commerce_router.ask_node(conninfo);
	FOR other IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		IF other.first_id <> told.first_id THEN
			RAISE EXCEPTION 'node % has joined with first_id %, and node % with %',
				told.node_no, told.first_id, other.node_no, other.first_id
				USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'They are of different clusters.';
		ELSIF other.node_no = told.node_no AND other.conninfo <> told.conninfo THEN
			RAISE EXCEPTION 'node % is known by another connection string', other.node_no
				USING ERRCODE = 'unique_violation', HINT = 'commerce_router.set_node() tells that it has moved.';
		ELSIF other.node_no <> told.node_no AND other.is_home AND is_home THEN
			RAISE EXCEPTION 'node % is home to the catalogue already', other.node_no
				USING ERRCODE = 'unique_violation';
		END IF;
		CONTINUE WHEN other.node_no = told.node_no;
		BEGIN
			SELECT min(b) INTO shared
			FROM commerce_router.membership(other.conninfo) m, generate_series(0, 4095) b
			WHERE get_bit(m.buckets::bytea, b) = 1 AND get_bit(told.buckets, b) = 1;
		EXCEPTION WHEN OTHERS THEN
			CONTINUE WHEN commerce_router.is_away(SQLSTATE);
			PERFORM commerce_router.raise_of_node(other.node_no, SQLSTATE, SQLERRM);
			RAISE;
		END;
		IF shared IS NOT NULL THEN
			RAISE EXCEPTION 'bucket % is at node % and at node %', shared, other.node_no, told.node_no
				USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Each is at one node: see commerce.join_cluster().';
		END IF;
	END LOOP;
	INSERT INTO commerce_router.nodes (node_no, conninfo, is_home, first_id)
	VALUES (told.node_no, told.conninfo, add_node.is_home, told.first_id)
	ON CONFLICT (node_no) DO UPDATE SET is_home = excluded.is_home
	RETURNING * INTO added;
	PERFORM commerce_router.refresh();
	PERFORM commerce_router.map_changed();
	RETURN added;
END
$add_node$;
COMMENT ON FUNCTION commerce_router.add_node IS
'Adds a node that has joined the cluster, by its connection string of keywords and values, which names the user too (level admin): from the commit on its users'' calls go there. is_home: the catalogue is made here; one node is. Raises 22004, 22023, 23505 where another has its number or is home already, 55000 where no node is, or one of another cluster, of an older version than the router''s, or with a bucket that another node has.';

CREATE FUNCTION commerce_router.set_node(node_no integer, conninfo text)
RETURNS commerce_router.nodes
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $set_node$
DECLARE
	told record;
	changed commerce_router.nodes;
BEGIN
	IF node_no IS NULL OR conninfo IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN node_no IS NULL THEN 'node_no' ELSE 'conninfo' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT * INTO changed FROM commerce_router.nodes n WHERE n.node_no = set_node.node_no;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this router knows no node %', node_no
			USING ERRCODE = 'undefined_object';
	END IF;
	SELECT * INTO told FROM commerce_router.ask_node(conninfo);
	IF (told.node_no, told.first_id) <> (changed.node_no, changed.first_id) THEN
		RAISE EXCEPTION 'what is there is node % of a cluster with first_id %, not node % with %',
			told.node_no, told.first_id, changed.node_no, changed.first_id
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	UPDATE commerce_router.nodes n SET conninfo = told.conninfo
	WHERE n.node_no = set_node.node_no
	RETURNING * INTO changed;
	PERFORM commerce_router.map_changed();
	RETURN changed;
END
$set_node$;
COMMENT ON FUNCTION commerce_router.set_node IS
'Says that a node is elsewhere now, where it must be (level admin). Raises 22004, 22023, 42704 where there is none of this number, 55000 where it is not there, or of an older version than the router''s.';

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
