------------------------------------------------------------------------------
-- Units from other nodes, and what all nodes have together
------------------------------------------------------------------------------

CREATE FUNCTION commerce_router.transfer_out(node text, counter text, object_id bigint, wanted bigint, taker integer,
	OUT transfer_id bigint, OUT quantity bigint)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT t.transfer_id, t.quantity FROM commerce.transfer_out(counter, object_id, wanted, taker) t;
$$;
COMMENT ON FUNCTION commerce_router.transfer_out IS 'commerce.transfer_out at a node.';

CREATE FUNCTION commerce_router.transfer_in(node text, counter text, object_id bigint, quantity bigint, giver integer,
	transfer_id bigint)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.transfer_in(counter, object_id, quantity, giver, transfer_id);
$$;
COMMENT ON FUNCTION commerce_router.transfer_in IS 'commerce.transfer_in at a node.';

CREATE FUNCTION commerce_router.transfer_settled(node text, transfer_id bigint)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.transfer_settled(transfer_id);
$$;
COMMENT ON FUNCTION commerce_router.transfer_settled IS 'commerce.transfer_settled at a node.';

-- What a node has of a counter, and which of its transfers are under way.
CREATE FUNCTION commerce_router.counter(node text, counter text, object_id bigint,
	OUT available bigint, OUT unsold bigint, OUT unsettled text)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT c.available, c.unsold, c.unsettled::text FROM commerce.counter_state($2, $3) c;
$$;
COMMENT ON FUNCTION commerce_router.counter IS 'What a node has of an option or a policy.';

CREATE FUNCTION commerce_router.add_coupon_quota(node text, policy_id bigint, added bigint)
RETURNS text
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.try_add_coupon_quota($2, $3)::text;
$$;
COMMENT ON FUNCTION commerce_router.add_coupon_quota IS 'commerce.try_add_coupon_quota at a node.';

CREATE FUNCTION commerce_router.finish_transfer(giver commerce_router.nodes, counter text, object_id bigint,
	transfer_id bigint, quantity bigint, taker integer)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $finish_transfer$
DECLARE
	taking_node commerce_router.nodes;
BEGIN
	SELECT * INTO taking_node FROM commerce_router.nodes n WHERE n.node_no = finish_transfer.taker;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM commerce_router.transfer_in(taking_node.conninfo, counter, object_id, quantity, giver.node_no, transfer_id);
	PERFORM commerce_router.transfer_settled(giver.conninfo, transfer_id);
	RETURN true;
EXCEPTION WHEN OTHERS THEN
	IF NOT commerce_router.is_away(SQLSTATE) THEN
		RAISE;
	END IF;
	RETURN false;
END
$finish_transfer$;
COMMENT ON FUNCTION commerce_router.finish_transfer IS
'The second and third step of a transfer, be it anybody''s; false where a node is away: it stays under way.';

CREATE TYPE commerce_router.counter_at AS (
	node_no		integer,
	available	bigint,
	unsold		bigint);
COMMENT ON TYPE commerce_router.counter_at IS 'What a node has of an option or a policy: see sweep.';

-- Looks at all nodes once, and finishes what it finds under way.
CREATE FUNCTION commerce_router.sweep(counter text, object_id bigint)
RETURNS SETOF commerce_router.counter_at
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $sweep$
#variable_conflict use_column
DECLARE
	node commerce_router.nodes;
	told record;
	under_way record;
	found commerce_router.counter_at;
BEGIN
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		found := (node.node_no, NULL, NULL);
		BEGIN
			SELECT * INTO told FROM commerce_router.counter(node.conninfo, sweep.counter, sweep.object_id);
			found := (node.node_no, told.available, told.unsold);
		EXCEPTION WHEN OTHERS THEN
			IF NOT commerce_router.is_away(SQLSTATE) THEN
				PERFORM commerce_router.raise_of_node(node.node_no, SQLSTATE, SQLERRM);
				RAISE;
			END IF;
		END;
		-- Of a node that is away nothing was told, which not even AND may look at.
		IF found.available IS NOT NULL THEN
			FOR under_way IN SELECT * FROM jsonb_to_recordset(coalesce(told.unsettled, '[]')::jsonb)
				AS t (transfer_id bigint, quantity bigint, taker integer)
			LOOP
				PERFORM commerce_router.finish_transfer(node, sweep.counter, sweep.object_id,
					under_way.transfer_id, under_way.quantity, under_way.taker);
			END LOOP;
		END IF;
		RETURN NEXT found;
	END LOOP;
END
$sweep$;
COMMENT ON FUNCTION commerce_router.sweep IS
'What each node has of an option (counter stock) or policy (coupon_quota), in order of node_no (level admin); NULLs for one that is away. Transfers that it finds under way it finishes, which the figures may be too old for.';

CREATE FUNCTION commerce_router.shortage_mark()
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_shortage_mark'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce_router.shortage_mark IS
'Grows whenever nodes are asked what they have of something that is short; 0 where the library is not preloaded.';

CREATE FUNCTION commerce_router.begin_asking()
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_begin_asking'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce_router.begin_asking IS
'The next mark, for who is about to ask all nodes: see note_shortage.';

CREATE FUNCTION commerce_router.note_shortage(counter text, object_id bigint, mark bigint, total bigint)
RETURNS void
AS 'MODULE_PATHNAME', 'commerce_note_shortage'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce_router.note_shortage IS
'Tells the other sessions of this router that all nodes together have so little, asked after begin_asking() returned this mark. Raises 22004, 22023.';

CREATE FUNCTION commerce_router.gather_now(counter text, object_id bigint, wanted bigint, taker integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $gather_now$
DECLARE
	mark bigint;
	total bigint;
	here bigint;
	away integer;
	found commerce_router.counter_at[];
	giver record;
	moved record;
BEGIN
	mark := commerce_router.begin_asking();
	found := ARRAY(SELECT s FROM commerce_router.sweep(counter, object_id) s);
	SELECT sum(s.unsold), max(s.available) FILTER (WHERE s.node_no = taker),
		min(s.node_no) FILTER (WHERE s.unsold IS NULL)
	INTO total, here, away
	FROM unnest(found) s;
	IF here >= wanted THEN
		RETURN NULL;
	END IF;
	IF here IS NULL OR total < wanted AND away IS NOT NULL THEN
		PERFORM commerce_router.refuse_node(coalesce(away, taker));
	END IF;
	IF total < wanted THEN
		PERFORM commerce_router.note_shortage(counter, object_id, mark, total);
		RETURN total;
	END IF;
	FOR giver IN
		SELECT n AS node FROM unnest(found) s
		JOIN commerce_router.nodes n USING (node_no)
		WHERE s.node_no <> taker AND s.available > 0
		ORDER BY s.available DESC, s.node_no
	LOOP
		BEGIN
			SELECT * INTO moved
			FROM commerce_router.transfer_out((giver.node).conninfo, counter, object_id, wanted - here, taker);
		EXCEPTION WHEN OTHERS THEN
			-- It went away meanwhile. If it gave, whoever asks next finishes that.
			CONTINUE WHEN commerce_router.is_away(SQLSTATE);
			PERFORM commerce_router.raise_of_node((giver.node).node_no, SQLSTATE, SQLERRM);
			RAISE;
		END;
		CONTINUE WHEN moved.transfer_id IS NULL;
		PERFORM commerce_router.finish_transfer(giver.node, counter, object_id,
			moved.transfer_id, moved.quantity, taker);
		here := here + moved.quantity;
		EXIT WHEN here >= wanted;
	END LOOP;
	RETURN NULL;
END
$gather_now$;
COMMENT ON FUNCTION commerce_router.gather_now IS
'Asks all nodes, for gather(), which lets one session at a time do that.';

CREATE FUNCTION commerce_router.gather(counter text, object_id bigint, wanted bigint, taker integer,
	since bigint DEFAULT commerce_router.shortage_mark())
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_gather'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce_router.gather IS
'Has other nodes give node taker units, so that it has wanted of them. NULL: it may have, to be tried; else how many there are at all nodes together, fewer than wanted: that is certain. since: the mark of before the call. Raises 22004, 22023, SC901 where a node is away without which nobody can say.';

CREATE FUNCTION commerce_router.gather_stock(refused jsonb, taker integer,
	since bigint DEFAULT commerce_router.shortage_mark())
RETURNS text[]
AS 'MODULE_PATHNAME', 'commerce_gather_stock'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce_router.gather_stock IS
'What is to become of an order that node taker refused with SC301, by its DETAIL: NULL, to be tried again, or message and DETAIL with what all nodes have together. Raises 22004, 22023, SC901.';
