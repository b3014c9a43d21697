------------------------------------------------------------------------------
-- What all nodes have together
------------------------------------------------------------------------------

CREATE FUNCTION commerce_router.stock_at(node text)
RETURNS TABLE (option_id bigint, product_id bigint, available bigint)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT s.option_id, s.product_id, s.available FROM commerce.stock s;
$$;
COMMENT ON FUNCTION commerce_router.stock_at IS 'The view stock of a node.';

CREATE FUNCTION commerce_router.coupon_quota_at(node text)
RETURNS TABLE (policy_id bigint, quantity bigint, issued bigint, remaining bigint)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT q.policy_id, q.quantity, q.issued, q.remaining FROM commerce.coupon_quota q;
$$;
COMMENT ON FUNCTION commerce_router.coupon_quota_at IS 'The view coupon_quota of a node.';

CREATE FUNCTION commerce_router.verify_at(node text)
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT v.check_name, v.object_id, v.expected, v.actual FROM commerce.verify_node() v;
$$;
COMMENT ON FUNCTION commerce_router.verify_at IS 'verify() at a node.';

CREATE FUNCTION commerce_router.transfers_at(node text)
RETURNS TABLE (is_out boolean, giver integer, taker integer, transfer_id bigint, counter text,
	object_id bigint, quantity bigint, is_settled boolean)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT t.is_out, t.giver, t.taker, t.transfer_id, t.counter, t.object_id, t.quantity, t.is_settled
	FROM commerce.node_transfers() t;
$$;
COMMENT ON FUNCTION commerce_router.transfers_at IS 'All transfers that a node knows of.';

-- What a view calls, its reader calls.
CREATE FUNCTION commerce_router.all_stock()
RETURNS TABLE (option_id bigint, product_id bigint, available bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $all_stock$
DECLARE
	node commerce_router.nodes;
BEGIN
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		RETURN QUERY SELECT a.* FROM commerce_router.stock_at(node.conninfo) a;
	END LOOP;
EXCEPTION WHEN OTHERS THEN
	PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
	RAISE;
END
$all_stock$;
COMMENT ON FUNCTION commerce_router.all_stock IS 'The view stock of every node, for whoever may read this router''s. Raises SC901.';

CREATE FUNCTION commerce_router.all_coupon_quota()
RETURNS TABLE (policy_id bigint, quantity bigint, issued bigint, remaining bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $all_coupon_quota$
DECLARE
	node commerce_router.nodes;
BEGIN
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		RETURN QUERY SELECT a.* FROM commerce_router.coupon_quota_at(node.conninfo) a;
	END LOOP;
EXCEPTION WHEN OTHERS THEN
	PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
	RAISE;
END
$all_coupon_quota$;
COMMENT ON FUNCTION commerce_router.all_coupon_quota IS 'The view coupon_quota of every node, for whoever may read this router''s. Raises SC901.';

CREATE VIEW commerce.stock AS
	SELECT s.option_id, min(s.product_id) AS product_id, sum(s.available)::bigint AS available
	FROM commerce_router.all_stock() s
	GROUP BY s.option_id;
COMMENT ON VIEW commerce.stock IS 'Units of each option that can be bought now, at all nodes together; what is on its way between two is not in it.';

CREATE VIEW commerce.coupon_quota AS
	SELECT q.policy_id, sum(q.quantity)::bigint AS quantity, sum(q.issued)::bigint AS issued,
		sum(q.remaining)::bigint AS remaining
	FROM commerce_router.all_coupon_quota() q
	GROUP BY q.policy_id;
COMMENT ON VIEW commerce.coupon_quota IS 'Coupons of each policy at all nodes together: how many there are, were issued, remain.';

CREATE FUNCTION commerce.verify()
RETURNS TABLE (node_no integer, check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $verify$
#variable_conflict use_column
DECLARE
	node commerce_router.nodes;
BEGIN
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		BEGIN
			RETURN QUERY
				SELECT node.node_no, v.*
				FROM commerce_router.verify_at(node.conninfo) v;
		EXCEPTION WHEN OTHERS THEN
			PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
			RAISE;
		END;
	END LOOP;
	-- What is there at all nodes must be read at takers first: then no transfer in is read
	-- without its transfer out.
	RETURN QUERY
		WITH ins AS MATERIALIZED (
			SELECT t.* FROM commerce_router.nodes n
			CROSS JOIN LATERAL commerce_router.transfers_at(n.conninfo) t
			WHERE NOT t.is_out
		), outs AS MATERIALIZED (
			SELECT t.* FROM (SELECT count(*) FROM ins) first,
				commerce_router.nodes n
			CROSS JOIN LATERAL commerce_router.transfers_at(n.conninfo) t
			WHERE t.is_out
		)
		SELECT coalesce(o.giver, i.giver),
			CASE WHEN o.transfer_id IS NULL THEN 'transfer_in_has_out'
				WHEN i.transfer_id IS NULL THEN 'transfer_out_has_in' ELSE 'transfer_is_the_same' END,
			coalesce(o.transfer_id, i.transfer_id), coalesce(o.quantity, 0)::numeric, coalesce(i.quantity, 0)::numeric
		FROM outs o
		FULL JOIN ins i ON i.giver = o.giver AND i.transfer_id = o.transfer_id
		WHERE o.transfer_id IS NULL
		   OR i.transfer_id IS NULL AND (o.is_settled OR EXISTS (
				SELECT FROM commerce_router.nodes n WHERE n.node_no = o.taker) IS FALSE)
		   OR (o.counter, o.object_id, o.quantity, o.taker) <> (i.counter, i.object_id, i.quantity, i.taker);
	-- What moves meanwhile looks so once, and not twice.
	RETURN QUERY
		WITH once AS MATERIALIZED (
			SELECT * FROM commerce_router.misplaced_buckets() b
		)
		SELECT 0, 'bucket_has_one_node', b.bucket::bigint, 1::numeric, b.places::numeric
		FROM (SELECT count(*) FROM once) first, commerce_router.misplaced_buckets() b
		WHERE EXISTS (SELECT FROM once) AND b.bucket IN (SELECT o.bucket FROM once o);
END
$verify$;
COMMENT ON FUNCTION commerce.verify IS
'Every node''s verify(), that every transfer between nodes has arrived once, and as it left; one that is under way is no violation; and that every bucket is at one node, or on one way, with 0 for the node (level admin). One row per violation, with the node; none when all hold. Raises SC901 where a node is away.';

CREATE FUNCTION commerce_router.metrics_at(node text)
RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT m.name, m.labels, m.value FROM commerce.metrics() m;
$$;
COMMENT ON FUNCTION commerce_router.metrics_at IS 'metrics() at a node.';

CREATE FUNCTION commerce.metrics()
RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER ROWS 100
SET search_path = pg_catalog, pg_temp
AS $metrics$
#variable_conflict use_column
DECLARE
	node commerce_router.nodes;
BEGIN
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		BEGIN
			RETURN QUERY
				SELECT m.name, m.labels || jsonb_build_object('node_no', node.node_no::text), m.value
				FROM commerce_router.metrics_at(node.conninfo) m;
			RETURN QUERY SELECT 'commerce_node_up', jsonb_build_object('node_no', node.node_no::text), 1::double precision;
		EXCEPTION WHEN OTHERS THEN
			IF NOT commerce_router.is_away(SQLSTATE) THEN
				PERFORM commerce_router.raise_of_node(node.node_no, SQLSTATE, SQLERRM);
				RAISE;
			END IF;
			RETURN QUERY SELECT 'commerce_node_up', jsonb_build_object('node_no', node.node_no::text), 0::double precision;
		END;
	END LOOP;
END
$metrics$;
COMMENT ON FUNCTION commerce.metrics IS
'Every node''s metrics(), with the label node_no; and commerce_node_up, 0 for one that is away (level reader).';
