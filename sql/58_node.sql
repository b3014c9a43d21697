------------------------------------------------------------------------------
-- Functions: a node of a cluster
------------------------------------------------------------------------------

CREATE FUNCTION commerce.bucket(user_id bigint)
RETURNS integer
AS 'MODULE_PATHNAME', 'commerce_bucket'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION commerce.bucket IS
'The bucket of a user, 0..4095: a hash of the id, the same on every node and router (level reader). Ids of orders, coupons and events that a node of a cluster makes have it in their lowest 12 bits. See doc/scale.md. Raises 22004.';

CREATE FUNCTION commerce.membership_changed()
RETURNS void
AS 'MODULE_PATHNAME', 'commerce_membership_changed'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.membership_changed IS
'Tells all sessions, when the transaction commits, that cluster_membership has changed (level admin). For whoever writes to it.';

CREATE FUNCTION commerce.join_cluster(node_no integer, buckets int4multirange,
	first_id bigint DEFAULT NULL, force boolean DEFAULT false)
RETURNS commerce.cluster_membership
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $join_cluster$
DECLARE
	map bytea := decode(repeat('00', 512), 'hex');
	n integer;
	last_value bigint;
	lost record;
	membership commerce.cluster_membership;
BEGIN
	IF node_no IS NULL OR buckets IS NULL OR force IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN node_no IS NULL THEN 'node_no'
			WHEN buckets IS NULL THEN 'buckets' ELSE 'force' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF node_no < 1 THEN
		RAISE EXCEPTION 'node_no must be at least 1'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT buckets <@ '{[0,4096)}'::int4multirange THEN
		RAISE EXCEPTION 'buckets must be of 0 to 4095'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF first_id < 4096 OR first_id % 4096 <> 0 OR first_id > 2::bigint ^ 52 THEN
		RAISE EXCEPTION 'first_id must be a multiple of 4096, up to 2^52'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR n IN SELECT generate_series(lower(r), upper(r) - 1) FROM unnest(buckets) r LOOP
		map := set_bit(map, n, 1);
	END LOOP;
	-- Nobody may be making ids meanwhile, or joining.
	LOCK TABLE commerce.cluster_membership, commerce.users, commerce.coupons, commerce.orders,
		commerce.events IN SHARE ROW EXCLUSIVE MODE;
	SELECT * INTO membership FROM commerce.cluster_membership;
	IF membership.node_no = join_cluster.node_no AND membership.buckets = map THEN
		PERFORM commerce.membership_changed(); -- refuses where nothing may be written
		RETURN membership;
	ELSIF FOUND THEN
		RAISE EXCEPTION 'this database is node % already', membership.node_no
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	IF NOT force AND current_setting('synchronous_standby_names') = '' THEN
		RAISE EXCEPTION 'node % has no synchronous standby', node_no
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = 'If its server is lost, so are orders that were acknowledged, and units that other nodes were given.',
				HINT = 'Set synchronous_standby_names, or force => true.';
	END IF;
	SELECT u.user_id, commerce.bucket(u.user_id) AS bucket INTO lost
	FROM commerce.users u
	WHERE NOT buckets @> commerce.bucket(u.user_id)
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'user % is in bucket %, which is not among those of node %',
			lost.user_id, lost.bucket, node_no
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;

	SELECT greatest((SELECT s.last_value FROM commerce.order_id_seq s),
		(SELECT s.last_value FROM commerce.coupon_id_seq s),
		(SELECT s.last_value FROM commerce.event_id_seq s)) INTO last_value;
	IF first_id IS NULL THEN
		first_id := (last_value + 1) * 4096;
	ELSIF first_id <= last_value AND (EXISTS (SELECT FROM commerce.orders)
		OR EXISTS (SELECT FROM commerce.coupons) OR EXISTS (SELECT FROM commerce.events)) THEN
		RAISE EXCEPTION 'first_id must be above every id there is: above %', last_value
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM setval(s::regclass, greatest(last_value, first_id / 4096), false)
	FROM unnest('{commerce.order_id_seq, commerce.coupon_id_seq, commerce.event_id_seq}'::text[]) s;

	INSERT INTO commerce.cluster_membership (node_no, first_id, buckets)
	VALUES (join_cluster.node_no, join_cluster.first_id, map)
	RETURNING * INTO membership;
	PERFORM commerce.membership_changed();
	RETURN membership;
END
$join_cluster$;
COMMENT ON FUNCTION commerce.join_cluster IS
'Makes this database node node_no (>= 1) of a cluster, with the users in these of the buckets 0..4095 (level admin). From now on ids of orders, coupons and events have their user''s bucket in the lowest 12 bits, and are at least first_id, a multiple of 4096 that is the same for all nodes; NULL: the lowest above all ids there are, for the first node. A shop that exists becomes the first node with all its users. Without a synchronous standby only with force. Called again, with the same buckets, it does nothing. See doc/scale.md. Raises 22004, 22023, 55000 where it has joined already, has no synchronous standby, or has users of other buckets.';

CREATE FUNCTION commerce.transfer_out(counter text, object_id bigint, wanted bigint, taker integer)
RETURNS commerce.transfers_out
AS 'MODULE_PATHNAME', 'commerce_transfer_out'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.transfer_out IS
'Takes units away for node taker: half of what is available here, or what is wanted (>= 1) if that is more, or all there is (level router). counter: stock, object_id an option; or coupon_quota, object_id a policy, whose quantity goes along. NULL: nothing is available. Until transfer_in was called at the taker, and transfer_settled here, counter_state tells of it as unsettled. See doc/scale.md. Raises 22004, 22023, 55000 where this is no node, SC003, SC005.';

CREATE FUNCTION commerce.transfer_in(counter text, object_id bigint, quantity bigint, giver integer,
	transfer_id bigint)
RETURNS boolean
AS 'MODULE_PATHNAME', 'commerce_transfer_in'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.transfer_in IS
'Adds units that transfer_out took away at node giver under this transfer_id, once: false if that was done before (level router). See doc/scale.md. Raises 22004, 22023, 22003 over 2^63-1, 55000 where this is no node, SC003, SC005 where the catalogue has not come yet.';

CREATE FUNCTION commerce.transfer_settled(transfer_id bigint)
RETURNS boolean
AS 'MODULE_PATHNAME', 'commerce_transfer_settled'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.transfer_settled IS
'Notes that the taker has the units of a transfer; false if it was noted, or there is none (level router). See doc/scale.md. Raises 22004.';

CREATE FUNCTION commerce.unsold(counter text, object_id bigint)
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_unsold'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION commerce.unsold IS
'What is available of an option (counter stock) or policy (coupon_quota) at this node, and was sent to others, less what was received (level router): transfers leave it as it is, so that its sum over all nodes is what the shop has left, wherever it is, also if they are asked one after the other. 0 for what is not known. See doc/scale.md. Raises 22004, 22023.';

CREATE FUNCTION commerce.counter_state(counter text, object_id bigint,
	OUT available bigint, OUT unsold bigint, OUT unsettled jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $counter_state$
BEGIN
	unsold := commerce.unsold(counter, object_id);
	IF counter = 'stock' THEN
		available := coalesce((SELECT sum(s.quantity) FROM commerce.stock_slots s
			WHERE s.option_id = counter_state.object_id), 0);
	ELSE
		available := coalesce((SELECT sum(s.quantity) FROM commerce.coupon_quota_slots s
			WHERE s.policy_id = counter_state.object_id), 0);
	END IF;
	unsettled := (SELECT jsonb_agg(jsonb_build_object('transfer_id', t.transfer_id, 'quantity', t.quantity,
			'taker', t.taker) ORDER BY t.transfer_id)
		FROM commerce.transfers_out t
		WHERE t.counter = counter_state.counter AND t.object_id = counter_state.object_id
		  AND t.settled_at IS NULL);
END
$counter_state$;
COMMENT ON FUNCTION commerce.counter_state IS
'What this node has of an option (counter stock) or policy (coupon_quota) for a router that asks all nodes (level router): available, what can be sold here now; unsold, as unsold() says; unsettled, [{transfer_id, quantity, taker}, ...], what left here and of which nobody has noted that it arrived, NULL where there is none: call transfer_in at its taker, then transfer_settled here. 0 for what is not known. See doc/scale.md. Raises 22004, 22023.';

CREATE FUNCTION commerce.add_coupon_quota(policy_id bigint, added bigint)
RETURNS commerce.coupon_policies
AS 'MODULE_PATHNAME', 'commerce_add_coupon_quota'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.add_coupon_quota IS
'Adds to this node''s part of a policy''s quantity, or takes from what is left of it when negative (level router). See doc/scale.md. Raises 22004, 22023, SC005, SC205.';

CREATE FUNCTION commerce.verify_node()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $verify_node$
SELECT * FROM commerce.verify()
$verify_node$;
COMMENT ON FUNCTION commerce.verify_node IS
'verify(), for a router, which may not read all tables itself (level router).';

CREATE FUNCTION commerce.node_transfers()
RETURNS TABLE (is_out boolean, giver integer, taker integer, transfer_id bigint, counter text,
	object_id bigint, quantity bigint, is_settled boolean)
LANGUAGE SQL STABLE PARALLEL SAFE SECURITY DEFINER ROWS 10000
SET search_path = pg_catalog, pg_temp
AS $node_transfers$
SELECT true, m.node_no, o.taker, o.transfer_id, o.counter, o.object_id, o.quantity, o.settled_at IS NOT NULL
FROM commerce.transfers_out o, commerce.cluster_membership m
UNION ALL
SELECT false, i.giver, m.node_no, i.transfer_id, i.counter, i.object_id, i.quantity, true
FROM commerce.transfers_in i, commerce.cluster_membership m
$node_transfers$;
COMMENT ON FUNCTION commerce.node_transfers IS
'All transfers that this node has made or taken (level router): is each out of one in at another?';

CREATE FUNCTION commerce.publish_catalogue()
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $publish_catalogue$
DECLARE
	columns text;
BEGIN
	SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
	FROM pg_attribute a
	WHERE a.attrelid = 'commerce.coupon_policies'::regclass AND a.attnum > 0 AND NOT a.attisdropped
	  AND a.attgenerated = '' AND a.attname <> 'quantity';
	EXECUTE format('CREATE PUBLICATION commerce_catalogue FOR TABLE commerce.products,
		commerce.product_options, commerce.coupon_policies (%s)', columns);
END
$publish_catalogue$;
COMMENT ON FUNCTION commerce.publish_catalogue IS
'Makes the publication commerce_catalogue, which the other nodes of a cluster subscribe to: products, options and policies, but for a policy''s quantity, of which each node has its part (level admin). See doc/scale.md. Raises 42710 where there is one.';

CREATE FUNCTION commerce.catalogue_is_followed()
RETURNS boolean
LANGUAGE SQL STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $catalogue_is_followed$
SELECT count(*) = 3 AND bool_and(r.srsubstate = 'r')
FROM pg_subscription_rel r
WHERE r.srrelid IN ('commerce.products'::regclass, 'commerce.product_options'::regclass,
	'commerce.coupon_policies'::regclass)
$catalogue_is_followed$;
COMMENT ON FUNCTION commerce.catalogue_is_followed IS
'Does this node follow the catalogue of another, and has it copied what was there before (level router)?';

-- For each function that a router forwards, one that returns its refusal. An update that
-- changes such a function drops its namesake, and makes it again by this.
DO $$
DECLARE
	f record;
BEGIN
	FOR f IN
		SELECT p.oid, p.proname, pg_get_function_arguments(p.oid) AS arguments,
			CASE WHEN p.proretset THEN 'json' ELSE p.prorettype::regtype::text END AS answer,
			CASE p.provolatile WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END AS volatility
		FROM pg_proc p
		WHERE p.pronamespace = 'commerce'::regnamespace
		  AND p.proname = ANY ('{create_user, set_user_name, erase_user, create_product,
			create_product_option, set_price, adjust_stock, create_coupon_policy,
			update_coupon_policy, close_coupon_policy, issue_coupons, revoke_coupon, spread_stock,
			spread_coupon_quota, charge_balance, use_balance, get_balance, issue_coupon, use_coupon,
			place_order, quote_order, hold_order, pay_order, cancel_order, refund_order,
			expire_orders, get_order, place_orders, popular_products, purge_idempotency_keys,
			add_coupon_quota}')
		  AND to_regproc('commerce.try_' || p.proname) IS NULL
		ORDER BY p.proname
	LOOP
		EXECUTE format('CREATE FUNCTION commerce.try_%s(%s, OUT answer %s, OUT sqlstate text,
			OUT message text, OUT detail text, OUT hint text)
			AS ''MODULE_PATHNAME'', ''commerce_try'' LANGUAGE C %s PARALLEL UNSAFE',
			f.proname, regexp_replace(f.arguments, ', OUT .*', ''), f.answer, f.volatility);
		EXECUTE format('COMMENT ON FUNCTION commerce.try_%s IS %L', f.proname,
			format('%s, with a refusal or another error of the call as a value: answer is its result%s, NULL if sqlstate is not NULL (level router). See doc/scale.md. Raises SC902, as a value, where the user is another node''s; and what tells of trouble, classes 25, 53, 57, 58 and XX, as an error.',
				f.proname, CASE f.answer WHEN 'json' THEN ', an array of its rows' ELSE '' END));
	END LOOP;
END
$$;
