------------------------------------------------------------------------------
-- Functions of the shop that are more than one call to one node
------------------------------------------------------------------------------

CREATE FUNCTION commerce_router.home()
RETURNS commerce_router.nodes
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $home$
DECLARE
	node commerce_router.nodes;
BEGIN
	SELECT * INTO node FROM commerce_router.nodes n WHERE n.is_home;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this router knows no node that is home to the catalogue'
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	RETURN node;
END
$home$;
COMMENT ON FUNCTION commerce_router.home IS 'The node at which the catalogue is made. Raises 55000.';

CREATE FUNCTION commerce_router.catalogue_position(node text)
RETURNS text
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT pg_catalog.pg_current_wal_lsn()::text;
$$;
COMMENT ON FUNCTION commerce_router.catalogue_position IS 'Where the WAL of a node ends.';

CREATE FUNCTION commerce_router.catalogue_has_reached(node text, wal_position text, slots text[])
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT count(*) = cardinality($3)
	FROM pg_catalog.pg_replication_slots s
	WHERE s.slot_name::text = ANY ($3) AND s.active AND s.confirmed_flush_lsn >= $2::pg_catalog.pg_lsn;
$$;
COMMENT ON FUNCTION commerce_router.catalogue_has_reached IS
'Have the subscriptions with these slots all of a node''s WAL until this position?';

CREATE FUNCTION commerce_router.catalogue_is_followed(node text)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT commerce.catalogue_is_followed();
$$;
COMMENT ON FUNCTION commerce_router.catalogue_is_followed IS 'commerce.catalogue_is_followed at a node.';

CREATE FUNCTION commerce_router.wait_for_catalogue()
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $wait_for_catalogue$
DECLARE
	home commerce_router.nodes := commerce_router.home();
	wal_position text;
	until timestamptz := clock_timestamp() + interval '10 seconds';
	node commerce_router.nodes;
	slots text[] := '{}';
	late text[];
	is_ready boolean;
BEGIN
	wal_position := commerce_router.catalogue_position(home.conninfo);
	FOR node IN SELECT * FROM commerce_router.nodes n WHERE NOT n.is_home ORDER BY n.node_no LOOP
		BEGIN
			LOOP
				is_ready := commerce_router.catalogue_is_followed(node.conninfo);
				EXIT WHEN is_ready OR clock_timestamp() > until;
				PERFORM pg_sleep(0.02);
			END LOOP;
		EXCEPTION WHEN OTHERS THEN
			-- It catches up by itself when it is back.
			CONTINUE WHEN commerce_router.is_away(SQLSTATE);
			PERFORM commerce_router.raise_of_node(node.node_no, SQLSTATE, SQLERRM);
			RAISE;
		END;
		slots := slots || ('commerce_node_' || node.node_no);
	END LOOP;
	WHILE NOT commerce_router.catalogue_has_reached(home.conninfo, wal_position, slots) LOOP
		IF clock_timestamp() > until THEN
			late := ARRAY(SELECT s FROM unnest(slots) s
				WHERE NOT commerce_router.catalogue_has_reached(home.conninfo, wal_position, ARRAY[s]));
			RAISE WARNING 'the catalogue was not followed for 10 seconds: %',
				replace(array_to_string(late, ', '), 'commerce_node_', 'node ')
				USING HINT = 'Its subscription must be there, with a slot of this name at the home: commerce_node_ and its number.';
			EXIT;
		END IF;
		PERFORM pg_sleep(0.002);
	END LOOP;
EXCEPTION WHEN OTHERS THEN
	IF NOT commerce_router.is_away(SQLSTATE) THEN
		PERFORM commerce_router.raise_of_node(home.node_no, SQLSTATE, SQLERRM);
		RAISE;
	END IF;
	-- What the caller wanted is done.
	RAISE WARNING 'node % is not available: the others may not have what was made there', home.node_no;
END
$wait_for_catalogue$;
COMMENT ON FUNCTION commerce_router.wait_for_catalogue IS
'Returns when every node that is there has what was made or changed at the home of the catalogue, to which node N subscribes with the slot commerce_node_N; with a WARNING after 10 seconds, or where the home is away by then.';

-- A call at every node, whose answers are bigints; one that is away is an error.
CREATE FUNCTION commerce_router.refuse_away(node commerce_router.nodes, sqlstate text, message text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refuse_away$
BEGIN
	IF commerce_router.is_away(sqlstate) THEN
		PERFORM commerce_router.refuse_node(node.node_no);
	END IF;
	PERFORM commerce_router.raise_of_node(node.node_no, sqlstate, message);
END
$refuse_away$;
COMMENT ON FUNCTION commerce_router.refuse_away IS
'Raises SC901 if this SQLSTATE says that the node is away, and another error that came from it with its number; nothing for one from elsewhere.';

CREATE FUNCTION commerce.expire_orders(batch_size integer DEFAULT 1000)
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $expire_orders$
DECLARE
	node commerce_router.nodes;
	told commerce_router.answer;
	expired bigint := 0;
BEGIN
	PERFORM commerce_router.check_top_level('expire_orders');
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		BEGIN
			told := commerce_router.expire_orders(node.conninfo, batch_size)::commerce_router.answer;
		EXCEPTION WHEN OTHERS THEN
			IF NOT commerce_router.is_away(SQLSTATE) THEN
				PERFORM commerce_router.raise_of_node(node.node_no, SQLSTATE, SQLERRM);
				RAISE;
			END IF;
			RAISE WARNING 'node % is not available', node.node_no;
			CONTINUE;
		END;
		PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
		expired := expired + told.answer::bigint;
	END LOOP;
	RETURN expired;
END
$expire_orders$;
COMMENT ON FUNCTION commerce.expire_orders IS
'Closes up to batch_size pending orders of each node past their expires_at, gives back their stock and coupons, and returns how many (level app). A node that is away is a WARNING. Raises 22004, 22023, 25001.';

CREATE FUNCTION commerce.purge_idempotency_keys(older_than interval DEFAULT '7 days')
RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $purge_idempotency_keys$
DECLARE
	node commerce_router.nodes;
	told commerce_router.answer;
	purged bigint := 0;
BEGIN
	PERFORM commerce_router.check_top_level('purge_idempotency_keys');
	BEGIN
		FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
			told := commerce_router.purge_idempotency_keys(node.conninfo, older_than)::commerce_router.answer;
			PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
			purged := purged + told.answer::bigint;
		END LOOP;
	EXCEPTION WHEN OTHERS THEN
		PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
		RAISE;
	END;
	RETURN purged;
END
$purge_idempotency_keys$;
COMMENT ON FUNCTION commerce.purge_idempotency_keys IS
'Deletes idempotency keys that are older, at all nodes, and returns how many (level admin). Raises 22004, 22023, 25001, SC901.';

CREATE FUNCTION commerce.spread_stock(option_id bigint, slots integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $spread_stock$
DECLARE
	node commerce_router.nodes;
	told commerce_router.answer;
	most integer := 0;
BEGIN
	PERFORM commerce_router.check_top_level('spread_stock');
	BEGIN
		FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
			told := commerce_router.spread_stock(node.conninfo, option_id, slots)::commerce_router.answer;
			PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
			most := greatest(most, told.answer::integer);
		END LOOP;
	EXCEPTION WHEN OTHERS THEN
		PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
		RAISE;
	END;
	RETURN most;
END
$spread_stock$;
COMMENT ON FUNCTION commerce.spread_stock IS
'Splits each node''s stock of an option before a rush, and returns the most slots that a node has then (level admin). Raises 22004, 22023, 25001, SC003, SC901.';

CREATE FUNCTION commerce.spread_coupon_quota(policy_id bigint, slots integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $spread_coupon_quota$
DECLARE
	node commerce_router.nodes;
	told commerce_router.answer;
	most integer := 0;
BEGIN
	PERFORM commerce_router.check_top_level('spread_coupon_quota');
	BEGIN
		FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
			told := commerce_router.spread_coupon_quota(node.conninfo, policy_id, slots)::commerce_router.answer;
			PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
			most := greatest(most, told.answer::integer);
		END LOOP;
	EXCEPTION WHEN OTHERS THEN
		PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
		RAISE;
	END;
	RETURN most;
END
$spread_coupon_quota$;
COMMENT ON FUNCTION commerce.spread_coupon_quota IS
'Splits each node''s part of a policy''s quota before a rush, and returns the most slots that a node has then (level admin). Raises 22004, 22023, 25001, SC005, SC901.';

-- The node that has a user, or any for none: its answer tells what is wrong.
CREATE FUNCTION commerce_router.node_of(user_id bigint, found jsonb DEFAULT '{}')
RETURNS commerce_router.nodes
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $node_of$
SELECT n.*
FROM commerce_router.nodes n
LEFT JOIN commerce_router.buckets b ON b.node_no = n.node_no AND b.bucket = commerce.bucket(coalesce(user_id, 0))
ORDER BY n.node_no = (found->>commerce.bucket(coalesce(user_id, 0))::text)::integer DESC NULLS LAST,
	b.bucket IS NULL, n.node_no
LIMIT 1
$node_of$;
COMMENT ON FUNCTION commerce_router.node_of IS
'The node that has this user, by the map, or by what was found since: numbers of nodes by bucket.';

-- For many users, of whom some were answered with SC902.
CREATE FUNCTION commerce_router.find_moved(bucket integer, INOUT known jsonb, OUT message text, OUT detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $find_moved$
DECLARE
	told text;
BEGIN
	known := jsonb_set(known, ARRAY[bucket::text], to_jsonb(commerce_router.await_bucket(bucket)));
EXCEPTION WHEN SQLSTATE 'SC901' THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, told = PG_EXCEPTION_DETAIL;
	detail := told;
END
$find_moved$;
COMMENT ON FUNCTION commerce_router.find_moved IS
'Adds the node that has a bucket to those that are known; or message and detail of SC901.';

CREATE FUNCTION commerce.quote_order(user_id bigint, items jsonb, coupon_id bigint DEFAULT NULL)
RETURNS TABLE (line_no integer, option_id bigint, quantity bigint,
	unit_price bigint, line_total bigint, discount_amount bigint, available bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, pg_temp
AS $quote_order$
DECLARE
	node commerce_router.nodes := commerce_router.node_of(user_id);
	told commerce_router.answer;
BEGIN
	told := commerce_router.quote_order(node.conninfo, user_id, items, coupon_id)::commerce_router.answer;
	WHILE told.sqlstate = 'SC902' LOOP
		SELECT n.* INTO node FROM commerce_router.nodes n
		WHERE n.node_no = commerce_router.await_bucket(commerce.bucket(user_id));
		told := commerce_router.quote_order(node.conninfo, user_id, items, coupon_id)::commerce_router.answer;
	END LOOP;
	PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
	RETURN QUERY
		SELECT l.line_no, l.option_id, l.quantity, l.unit_price, l.line_total, l.discount_amount,
			(SELECT coalesce(sum(s.unsold), 0)::bigint FROM commerce_router.sweep('stock', l.option_id) s)
		FROM json_to_recordset(told.answer::json) l (line_no integer, option_id bigint, quantity bigint,
			unit_price bigint, line_total bigint, discount_amount bigint);
EXCEPTION WHEN OTHERS THEN
	PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
	RAISE;
END
$quote_order$;
COMMENT ON FUNCTION commerce.quote_order IS
'What place_order would ask for, by the same pricing code (level reader). Amounts in minor units; available is the stock of all nodes. Raises 22004, 22003, SC302, SC001, SC003, SC006, SC211, SC214, SC212, SC213, SC901.';

CREATE FUNCTION commerce.popular_products(days integer DEFAULT 3, max_results integer DEFAULT 5)
RETURNS TABLE (product_id bigint, name text, quantity bigint)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER ROWS 5
SET search_path = pg_catalog, pg_temp
AS $popular_products$
DECLARE
	node commerce_router.nodes;
	told commerce_router.answer;
	found json[] := '{}';
BEGIN
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		-- All of a node's: one that is nowhere among the first may be so in sum.
		told := commerce_router.popular_products(node.conninfo, days,
			CASE WHEN max_results > 0 THEN 2147483647 ELSE max_results END)::commerce_router.answer;
		PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
		found := found || told.answer::json;
	END LOOP;
	RETURN QUERY
		SELECT p.product_id, min(p.name), sum(p.quantity)::bigint
		FROM unnest(found) f (products),
			json_to_recordset(f.products) p (product_id bigint, name text, quantity bigint)
		GROUP BY p.product_id
		ORDER BY 3 DESC, 1
		LIMIT max_results;
EXCEPTION WHEN OTHERS THEN
	PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
	RAISE;
END
$popular_products$;
COMMENT ON FUNCTION commerce.popular_products IS
'The max_results products (>= 1) of which most units were bought at all nodes together, less those refunded, in orders paid in the last days x 24 hours (days >= 1); of equals the lower product_id first (level reader). Raises 22004, 22023, 22003, SC901.';

CREATE TYPE commerce_router.request_answer AS (
	request_no	integer,
	order_id	bigint,
	sqlstate	text,
	message		text,
	detail		jsonb);
COMMENT ON TYPE commerce_router.request_answer IS 'A row of place_orders.';

CREATE FUNCTION commerce_router.check_batch(argument text, elements integer, setting text)
RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $check_batch$
BEGIN
	IF elements > current_setting(setting)::integer THEN
		RAISE EXCEPTION '% must have at most % elements, %', argument, current_setting(setting), setting
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
END
$check_batch$;
COMMENT ON FUNCTION commerce_router.check_batch IS
'Raises 22023 for more elements than this router''s setting lets one call have.';

CREATE FUNCTION commerce_router.requests_fit(requests jsonb)
RETURNS boolean
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $requests_fit$
SELECT CASE WHEN jsonb_typeof(requests) = 'array' THEN NOT EXISTS (
	SELECT
	FROM jsonb_array_elements(requests) r
	LEFT JOIN LATERAL jsonb_each(CASE jsonb_typeof(r) WHEN 'object' THEN r END) e ON true
	WHERE jsonb_typeof(r) <> 'object'
	   OR CASE
		WHEN e.key IN ('user_id', 'coupon_id', 'expected_total') THEN
			CASE jsonb_typeof(e.value)
				WHEN 'null' THEN false
				WHEN 'number' THEN e.value::numeric <> trunc(e.value::numeric)
					OR e.value::numeric NOT BETWEEN -9223372036854775808 AND 9223372036854775807
				ELSE true
			END
		WHEN e.key = 'idempotency_key' THEN jsonb_typeof(e.value) NOT IN ('null', 'string')
		ELSE e.key <> 'items'
	   END)
ELSE false END
$requests_fit$;
COMMENT ON FUNCTION commerce_router.requests_fit IS
'Is it an array of objects with the keys and types that place_orders has? A node refuses any other as a whole, with the element''s number.';

CREATE FUNCTION commerce_router.place_short_order(node commerce_router.nodes, request jsonb,
	INOUT answer commerce_router.request_answer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $place_short_order$
DECLARE
	refusal text[];
	told commerce_router.answer;
	reason text;
BEGIN
	FOR try IN 1..20 LOOP
		refusal := commerce_router.gather_stock(answer.detail, node.node_no);
		IF refusal IS NOT NULL THEN
			answer.message := refusal[1];
			answer.detail := refusal[2]::jsonb;
			RETURN;
		END IF;
		told := commerce_router.place_orders(node.conninfo, jsonb_build_array(request))::commerce_router.answer;
		PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
		SELECT answer.request_no, a.order_id, a.sqlstate, a.message, a.detail
		INTO answer
		FROM json_to_recordset(told.answer::json)
			a (order_id bigint, sqlstate text, message text, detail jsonb);
		IF answer.sqlstate IS DISTINCT FROM 'SC301' THEN
			RETURN;
		END IF;
	END LOOP;
	PERFORM commerce_router.refuse_node(node.node_no);
EXCEPTION WHEN OTHERS THEN
	-- The other requests have been answered: this one is not to hide them.
	GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
	IF SQLSTATE = 'SC901' THEN
		answer := (answer.request_no, NULL, SQLSTATE, SQLERRM, reason);
	ELSIF commerce_router.is_away(SQLSTATE) THEN
		answer := (answer.request_no, NULL, 'SC901', format('node %s is not available', node.node_no),
			jsonb_build_object('node_no', node.node_no));
	ELSE
		PERFORM commerce_router.raise_of_node(node.node_no, SQLSTATE, SQLERRM);
		RAISE;
	END IF;
END
$place_short_order$;
COMMENT ON FUNCTION commerce_router.place_short_order IS
'What becomes of a request of place_orders that the node refused with SC301: it is tried again with units of others, until nobody has them.';

CREATE FUNCTION commerce.place_orders(requests jsonb)
RETURNS TABLE (request_no integer, order_id bigint, sqlstate text, message text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $place_orders$
#variable_conflict use_column
DECLARE
	home commerce_router.nodes := commerce_router.home();
	part record;
	told commerce_router.answer;
	answer commerce_router.request_answer;
	answers commerce_router.request_answer[] := '{}';
	n integer;
	pending integer[];
	moved integer[];
	buckets integer[];
	found jsonb := '{}';
	lost record;
	at record;
BEGIN
	PERFORM commerce_router.check_top_level('place_orders');
	IF jsonb_typeof(requests) = 'array' THEN
		PERFORM commerce_router.check_batch('requests', jsonb_array_length(requests), 'commerce.max_batch_requests');
	END IF;
	-- What is refused as a whole must be so before a part of it is done.
	IF NOT coalesce(commerce_router.requests_fit(requests), false) THEN
		told := commerce_router.place_orders(home.conninfo, requests)::commerce_router.answer;
		PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
	END IF;
	pending := ARRAY(SELECT generate_series(1, jsonb_array_length(requests)));
	LOOP
		moved := '{}';
		buckets := '{}';
		FOR part IN
			SELECT n AS node, jsonb_agg(r.request ORDER BY r.nth) AS requests, array_agg(r.nth ORDER BY r.nth) AS numbers
			FROM jsonb_array_elements(place_orders.requests) WITH ORDINALITY r (request, nth)
			CROSS JOIN LATERAL commerce_router.node_of((r.request->>'user_id')::numeric::bigint, found) n
			WHERE r.nth = ANY (pending)
			GROUP BY n
			ORDER BY min(n.node_no)
		LOOP
			BEGIN
				told := commerce_router.place_orders((part.node).conninfo, part.requests)::commerce_router.answer;
			EXCEPTION WHEN OTHERS THEN
				IF NOT commerce_router.is_away(SQLSTATE) THEN
					PERFORM commerce_router.raise_of_node((part.node).node_no, SQLSTATE, SQLERRM);
					RAISE;
				END IF;
				FOREACH n IN ARRAY part.numbers LOOP
					answers := answers || (n, NULL, 'SC901', format('node %s is not available', (part.node).node_no),
						jsonb_build_object('node_no', (part.node).node_no))::commerce_router.request_answer;
				END LOOP;
				CONTINUE;
			END;
			PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
			FOR answer IN SELECT * FROM json_to_recordset(told.answer::json)
				a (request_no integer, order_id bigint, sqlstate text, message text, detail jsonb)
			LOOP
				-- One that this node is short for may have what others are not.
				IF answer.sqlstate = 'SC301' THEN
					answer := commerce_router.place_short_order(part.node, part.requests->(answer.request_no - 1), answer);
				END IF;
				answer.request_no := part.numbers[answer.request_no];
				IF answer.sqlstate = 'SC902' THEN
					moved := moved || answer.request_no::integer;
					buckets := buckets || (answer.detail->>'bucket')::integer;
				ELSE
					answers := answers || answer;
				END IF;
			END LOOP;
		END LOOP;
		-- Those whose bucket another node has had since then.
		FOR lost IN
			SELECT u.bucket, array_agg(u.nth) AS numbers FROM unnest(buckets, moved) u (bucket, nth)
			GROUP BY u.bucket ORDER BY u.bucket
		LOOP
			SELECT * INTO at FROM commerce_router.find_moved(lost.bucket, found);
			IF at.message IS NOT NULL THEN
				answers := answers || ARRAY(SELECT (u.nth, NULL, 'SC901', at.message, at.detail)::commerce_router.request_answer
					FROM unnest(lost.numbers) u (nth));
				moved := ARRAY(SELECT u.nth FROM unnest(moved) u (nth) WHERE u.nth <> ALL (lost.numbers));
			ELSE
				found := at.known;
			END IF;
		END LOOP;
		pending := moved;
		EXIT WHEN cardinality(pending) = 0;
	END LOOP;
	PERFORM commerce_router.learn_bucket(f.key::integer, f.value::integer) FROM jsonb_each_text(found) f;
	RETURN QUERY SELECT * FROM unnest(answers) a ORDER BY a.request_no;
END
$place_orders$;
COMMENT ON FUNCTION commerce.place_orders IS
'As at a node, but by nodes: the requests of one node''s users in one transaction there, in array order; those of different nodes see nothing of each other in particular, and stay whatever becomes of the others (level app). A row a request, in their order. A request whose node is away is SC901, and may or may not have been placed: send it again with its idempotency_key. Raises 22004, 22023, 25001.';

CREATE FUNCTION commerce.issue_coupons(policy_id bigint, user_ids bigint[])
RETURNS TABLE (user_id bigint, coupon_id bigint, sqlstate text, message text, detail jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $issue_coupons$
#variable_conflict use_column
DECLARE
	home commerce_router.nodes := commerce_router.home();
	answers commerce_router.request_answer[] := '{}';
	part record;
	told commerce_router.answer;
	left_out bigint[];
	total bigint;
	pending bigint[];
	moved bigint[];
	found jsonb := '{}';
	lost record;
	at record;
BEGIN
	PERFORM commerce_router.check_top_level('issue_coupons');
	-- Whatever its bounds and dimensions are.
	IF user_ids IS NOT NULL THEN
		user_ids := ARRAY(SELECT u.id FROM unnest(user_ids) WITH ORDINALITY u (id, nth) ORDER BY u.nth);
	END IF;
	-- What is refused as a whole is so by any node.
	IF policy_id IS NULL OR user_ids IS NULL OR cardinality(user_ids) = 0 OR array_position(user_ids, NULL) IS NOT NULL THEN
		told := commerce_router.issue_coupons(home.conninfo, policy_id, user_ids)::commerce_router.answer;
		PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
		RETURN;
	END IF;
	PERFORM commerce_router.check_batch('user_ids', cardinality(user_ids), 'commerce.max_batch_users');
	pending := ARRAY(SELECT generate_series(1, cardinality(user_ids)));
	LOOP
		moved := '{}';
		FOR part IN
			SELECT n AS node, array_agg(u.id ORDER BY u.nth) AS ids, array_agg(u.nth ORDER BY u.nth) AS numbers
			FROM unnest(issue_coupons.user_ids) WITH ORDINALITY u (id, nth)
			CROSS JOIN LATERAL commerce_router.node_of(u.id, found) n
			WHERE u.nth = ANY (pending)
			GROUP BY n
			ORDER BY min(n.node_no)
		LOOP
			-- Again, for those who were short, with what others have.
			FOR try IN 1..20 LOOP
				BEGIN
					told := commerce_router.issue_coupons((part.node).conninfo, issue_coupons.policy_id, part.ids)::commerce_router.answer;
				EXCEPTION WHEN OTHERS THEN
					PERFORM commerce_router.refuse_away(part.node, SQLSTATE, SQLERRM);
					RAISE;
				END;
				PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
				SELECT array_agg(part.numbers[a.nth] ORDER BY a.nth) FILTER (WHERE a.answer->>'sqlstate' = 'SC203'),
					answers || array_agg((part.numbers[a.nth], (a.answer->>'coupon_id')::bigint, a.answer->>'sqlstate',
						a.answer->>'message', CASE json_typeof(a.answer->'detail') WHEN 'object' THEN (a.answer->'detail')::jsonb END
						)::commerce_router.request_answer) FILTER (WHERE coalesce(a.answer->>'sqlstate', '') NOT IN ('SC203', 'SC902')),
					moved || array_agg(part.numbers[a.nth] ORDER BY a.nth) FILTER (WHERE a.answer->>'sqlstate' = 'SC902')
				INTO left_out, answers, moved
				FROM json_array_elements(told.answer::json) WITH ORDINALITY a (answer, nth);
				EXIT WHEN left_out IS NULL;
				-- Where there are too few for all, as many as there are.
				total := commerce_router.gather('coupon_quota', issue_coupons.policy_id, cardinality(left_out), (part.node).node_no);
				IF total > 0 THEN
					total := commerce_router.gather('coupon_quota', issue_coupons.policy_id, total, (part.node).node_no);
				END IF;
				IF total = 0 THEN
					answers := answers || (SELECT array_agg((part.numbers[a.nth], NULL, 'SC203', a.answer->>'message',
							(a.answer->'detail')::jsonb)::commerce_router.request_answer)
						FROM json_array_elements(told.answer::json) WITH ORDINALITY a (answer, nth)
						WHERE a.answer->>'sqlstate' = 'SC203');
					EXIT;
				ELSIF try = 20 THEN
					PERFORM commerce_router.refuse_node((part.node).node_no);
				END IF;
				part.numbers := left_out;
				part.ids := ARRAY(SELECT issue_coupons.user_ids[l] FROM unnest(left_out) l);
			END LOOP;
		END LOOP;
		-- Those whose bucket another node has had since then.
		FOR lost IN
			SELECT commerce.bucket(issue_coupons.user_ids[u.nth]) AS bucket, array_agg(u.nth) AS numbers
			FROM unnest(moved) u (nth)
			GROUP BY 1 ORDER BY 1
		LOOP
			SELECT * INTO at FROM commerce_router.find_moved(lost.bucket, found);
			IF at.message IS NOT NULL THEN
				answers := answers || ARRAY(SELECT (u.nth, NULL, 'SC901', at.message, at.detail)::commerce_router.request_answer
					FROM unnest(lost.numbers) u (nth));
				moved := ARRAY(SELECT u.nth FROM unnest(moved) u (nth) WHERE u.nth <> ALL (lost.numbers));
			ELSE
				found := at.known;
			END IF;
		END LOOP;
		pending := moved;
		EXIT WHEN cardinality(pending) = 0;
	END LOOP;
	PERFORM commerce_router.learn_bucket(f.key::integer, f.value::integer) FROM jsonb_each_text(found) f;
	RETURN QUERY
		SELECT issue_coupons.user_ids[a.request_no], a.order_id, a.sqlstate, a.message, a.detail
		FROM unnest(answers) a
		ORDER BY a.request_no;
END
$issue_coupons$;
COMMENT ON FUNCTION commerce.issue_coupons IS
'As at a node, but by nodes: the users of one node in one transaction there; who of different nodes gets the last ones, nothing decides (level admin). A row a user, in array order. Raises 22004, 22023, 25001, SC005, SC201, SC202, SC901, after which the users of some nodes may have theirs.';

CREATE FUNCTION commerce_router.lock_policy(node text, policy_id bigint)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashint8extended($2, 1)) IS NOT NULL;
$$;
COMMENT ON FUNCTION commerce_router.lock_policy IS
'Holds others off who change a policy''s quantity, at any router, until unlock_policy or the end of the connection.';

CREATE FUNCTION commerce_router.unlock_policy(node text, policy_id bigint)
RETURNS boolean
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashint8extended($2, 1));
$$;
COMMENT ON FUNCTION commerce_router.unlock_policy IS 'The end of lock_policy.';

CREATE FUNCTION commerce_router.quota_at(node text, policy_id bigint, OUT quantity bigint, OUT issued bigint)
LANGUAGE plproxy AS $$
	CONNECT node;
	SELECT coalesce(max(q.quantity), 0)::pg_catalog.int8 AS quantity, coalesce(max(q.issued), 0)::pg_catalog.int8 AS issued
	FROM commerce.coupon_quota q WHERE q.policy_id = $2;
$$;
COMMENT ON FUNCTION commerce_router.quota_at IS 'A node''s part of a policy''s quantity.';

CREATE FUNCTION commerce_router.quota(policy_id bigint, OUT quantity bigint, OUT issued bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $quota$
DECLARE
	node commerce_router.nodes;
BEGIN
	FOR node IN SELECT * FROM commerce_router.nodes n ORDER BY n.node_no LOOP
		BEGIN
			SELECT coalesce(quota.quantity, 0) + q.quantity, coalesce(quota.issued, 0) + q.issued
			INTO quota.quantity, quota.issued
			FROM commerce_router.quota_at(node.conninfo, quota.policy_id) q;
		EXCEPTION WHEN OTHERS THEN
			PERFORM commerce_router.refuse_away(node, SQLSTATE, SQLERRM);
			RAISE;
		END;
	END LOOP;
END
$quota$;
COMMENT ON FUNCTION commerce_router.quota IS
'A policy''s quantity at all nodes, and how many of it are issued. Raises SC901.';

CREATE FUNCTION commerce_router.refuse_quota(policy_id bigint, wanted bigint, issued bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $refuse_quota$
BEGIN
	IF issued > wanted THEN
		PERFORM commerce_router.refuse('SC205',
			format('coupon policy %s has issued %s coupons, more than %s', policy_id, issued, wanted),
			jsonb_build_object('policy_id', policy_id, 'requested', wanted, 'issued', issued)::text, NULL);
	END IF;
END
$refuse_quota$;
COMMENT ON FUNCTION commerce_router.refuse_quota IS 'Raises SC205 for a quantity below what is issued.';

-- The quantity is the last step, as it is the one that can be tried again.
CREATE FUNCTION commerce_router.change_quota(home commerce_router.nodes, policy_id bigint, wanted bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $change_quota$
DECLARE
	now_is record;
	told commerce_router.answer;
BEGIN
	FOR try IN 1..20 LOOP
		SELECT * INTO now_is FROM commerce_router.quota(policy_id);
		IF now_is.quantity = wanted THEN
			RETURN;
		END IF;
		PERFORM commerce_router.refuse_quota(policy_id, wanted, now_is.issued);
		told := commerce_router.add_coupon_quota(home.conninfo, policy_id, wanted - now_is.quantity)::commerce_router.answer;
		EXIT WHEN told.sqlstate IS NULL;
		IF told.sqlstate <> 'SC205' OR try = 20 THEN
			PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
		END IF;
		PERFORM commerce_router.gather('coupon_quota', policy_id, now_is.quantity - wanted, home.node_no);
	END LOOP;
END
$change_quota$;
COMMENT ON FUNCTION commerce_router.change_quota IS
'Makes a policy''s quantity at all nodes together what is wanted, at its home. Raises SC205.';

CREATE FUNCTION commerce.update_coupon_policy(policy_id bigint, name text DEFAULT NULL,
	quantity bigint DEFAULT NULL, per_user_limit integer DEFAULT NULL,
	issue_from timestamptz DEFAULT NULL, issue_until timestamptz DEFAULT NULL,
	valid_until timestamptz DEFAULT NULL)
RETURNS commerce.coupon_policies
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $update_coupon_policy$
#variable_conflict use_variable
DECLARE
	home commerce_router.nodes := commerce_router.home();
	changes_quota boolean := quantity >= 0 AND policy_id IS NOT NULL;
	now_is record;
	told commerce_router.answer;
	policy commerce.coupon_policies;
BEGIN
	PERFORM commerce_router.check_top_level('update_coupon_policy');
	BEGIN
		IF changes_quota THEN
			PERFORM commerce_router.lock_policy(home.conninfo, policy_id);
			SELECT * INTO now_is FROM commerce_router.quota(policy_id);
			-- What cannot be is refused before anything is changed; what is malformed comes
			-- first, which a node finds before it finds that there is no policy 0.
			IF now_is.issued > quantity THEN
				told := commerce_router.update_coupon_policy(home.conninfo, 0, name, quantity, per_user_limit,
					issue_from, issue_until, valid_until)::commerce_router.answer;
				IF told.sqlstate <> 'SC005' THEN
					PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
				END IF;
				PERFORM commerce_router.refuse_quota(policy_id, quantity, now_is.issued);
			END IF;
		END IF;
		told := commerce_router.update_coupon_policy(home.conninfo, policy_id, name,
			CASE WHEN quantity < 0 THEN quantity END, per_user_limit, issue_from, issue_until, valid_until)::commerce_router.answer;
		PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
		IF changes_quota THEN
			PERFORM commerce_router.change_quota(home, policy_id, quantity);
			PERFORM commerce_router.unlock_policy(home.conninfo, policy_id);
		END IF;
		SELECT * INTO now_is FROM commerce_router.quota(policy_id);
	EXCEPTION WHEN OTHERS THEN
		IF changes_quota THEN
			BEGIN
				PERFORM commerce_router.unlock_policy(home.conninfo, policy_id);
			EXCEPTION WHEN OTHERS THEN
				NULL; -- the connection is gone, and the lock with it
			END;
		END IF;
		PERFORM commerce_router.refuse_away(home, SQLSTATE, SQLERRM);
		RAISE;
	END;
	PERFORM commerce_router.wait_for_catalogue();
	policy := commerce_router.own_columns(told.answer, 'commerce.coupon_policies')::commerce.coupon_policies;
	policy.quantity := now_is.quantity;
	RETURN policy;
END
$update_coupon_policy$;
COMMENT ON FUNCTION commerce.update_coupon_policy IS
'As at a node; quantity is that of all nodes together (level admin). Raises 22004, 22023, 25001, SC005, SC205, SC901.';

CREATE FUNCTION commerce.close_coupon_policy(policy_id bigint)
RETURNS commerce.coupon_policies
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $close_coupon_policy$
DECLARE
	home commerce_router.nodes := commerce_router.home();
	told commerce_router.answer;
	policy commerce.coupon_policies;
BEGIN
	PERFORM commerce_router.check_top_level('close_coupon_policy');
	BEGIN
		told := commerce_router.close_coupon_policy(home.conninfo, close_coupon_policy.policy_id)::commerce_router.answer;
		PERFORM commerce_router.refuse(told.sqlstate, told.message, told.detail, told.hint);
	EXCEPTION WHEN OTHERS THEN
		PERFORM commerce_router.refuse_away(home, SQLSTATE, SQLERRM);
		RAISE;
	END;
	PERFORM commerce_router.wait_for_catalogue();
	policy := commerce_router.own_columns(told.answer, 'commerce.coupon_policies')::commerce.coupon_policies;
	SELECT q.quantity INTO policy.quantity FROM commerce_router.quota(close_coupon_policy.policy_id) q;
	RETURN policy;
END
$close_coupon_policy$;
COMMENT ON FUNCTION commerce.close_coupon_policy IS
'Ends the issuing of a policy''s coupons now, at all nodes (level admin). Raises 22004, 25001, SC005, SC901.';
