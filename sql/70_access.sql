------------------------------------------------------------------------------
-- Functions: access
------------------------------------------------------------------------------

-- What each level may do, in one list. A level has its own rows and those of reader;
-- admin has all. A new function, table or view gets its row here, and an upgrade
-- script that brings it replaces the list.
CREATE FUNCTION commerce.access_rights()
RETURNS TABLE (level text, privilege text, object_name text)
LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 120
SET search_path = pg_catalog, pg_temp
AS $access_rights$
SELECT r.level, r.privilege, n.object_name
FROM (VALUES
	('reader', 'SELECT', '{users, balances, balance_history, coupon_policies, coupons,
		products, product_options, stock_adjustments, orders, order_items, events,
		subscriptions, deliveries, stock, coupon_quota, coupon_wallet, cluster_membership}'::text[]),
	('reader', 'USAGE', '{commerce, balance_entry_type, discount_type, coupon_status,
		order_status, delivery_status}'),
	('reader', 'EXECUTE', '{bucket, get_balance, quote_order, get_order, popular_products, metrics}'),
	('app', 'EXECUTE', '{create_user, set_user_name, charge_balance, use_balance, issue_coupon,
		use_coupon, place_order, place_orders, hold_order, pay_order, cancel_order,
		refund_order, expire_orders}'),
	('relay', 'EXECUTE', '{claim_events, ack_events, fail_event, release_events,
		pause_subscription, resume_subscription}'),
	('router', 'EXECUTE', '{try_create_user, try_set_user_name, try_erase_user,
		try_create_product, try_create_product_option, try_set_price, try_adjust_stock,
		try_create_coupon_policy, try_update_coupon_policy, try_close_coupon_policy,
		try_issue_coupons, try_revoke_coupon, try_spread_stock, try_spread_coupon_quota,
		try_charge_balance, try_use_balance, try_get_balance, try_issue_coupon, try_use_coupon,
		try_place_order, try_quote_order, try_hold_order, try_pay_order, try_cancel_order,
		try_refund_order, try_expire_orders, try_get_order, try_place_orders,
		try_popular_products, try_purge_idempotency_keys, transfer_out, transfer_in,
		transfer_settled, unsold, counter_state, verify_node, node_transfers, add_coupon_quota, try_add_coupon_quota,
		catalogue_is_followed, give_bucket, bucket_contents, take_bucket, bucket_given, refuse_bucket,
		keep_bucket, node_moves}'),
	('admin', 'SELECT', '{transfers_out, transfers_in, transfer_sums, bucket_moves, moved_units, coupon_quota_slots, stock_slots, idempotency_keys,
		stored_subscriptions, live_subscriptions, stored_deliveries, cursors, event_horizon,
		event_origins, wanted_events, unpassed_events, unclaimed_deliveries, claimed_deliveries}'),
	('admin', 'EXECUTE', '{join_cluster, publish_catalogue, membership_changed, lock_bucket, packed_columns, pack_bucket, unpack_bucket, erase_user, spread_stock, spread_coupon_quota,
		update_coupon_policy, issue_coupons, advance_sequences, additions, added_columns,
		added_objects, member_columns, create_product,
		 create_product_option, set_price,
		adjust_stock, create_coupon_policy, close_coupon_policy, revoke_coupon,
		purge_idempotency_keys, create_subscription, drop_subscription, retry_event,
		retry_events, discard_event, purge_events, event_origin,
		verify, verify_users, verify_balances, verify_stock, verify_coupons, verify_orders,
		verify_events, verify_quantities, verify_parents,
		access_rights, member_objects, foreign_rights, counters, undelivered, grant_access,
		revoke_access}')
	) r (level, privilege, object_names),
	 LATERAL unnest(r.object_names) n (object_name)
$access_rights$;
COMMENT ON FUNCTION commerce.access_rights IS
'What each level may do (level admin): SELECT from a table or view, EXECUTE a function, whatever its arguments, USAGE of the schema and of a type. What reader may, every level may; admin may all.';

-- Members of the extension only: a namesake that somebody added to the schema is not
-- ours to give, nor to take.
CREATE FUNCTION commerce.member_objects()
RETURNS TABLE (object_kind text, object text, object_name text, owner oid, acl aclitem[])
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $member_objects$
WITH members AS (
	SELECT d.classid, d.objid
	FROM pg_extension e
	JOIN pg_depend d
		ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'commerce'
), relations AS (
	SELECT c.oid, c.relname, c.relowner, c.relacl,
		CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
	FROM members m
	JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
	WHERE c.relkind IN ('r', 'v', 'S')
)
SELECT 'SCHEMA', n.oid::regnamespace::text, n.nspname::text, n.nspowner,
	coalesce(n.nspacl, acldefault('n', n.nspowner))
FROM members m
JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
UNION ALL
SELECT r.kind, r.oid::regclass::text, r.relname, r.relowner,
	coalesce(r.relacl, acldefault(CASE r.kind WHEN 'SEQUENCE' THEN 's'::"char" ELSE 'r' END, r.relowner))
FROM relations r
UNION ALL
SELECT 'COLUMN', r.oid::regclass || '.' || quote_ident(a.attname), '', r.relowner, a.attacl
FROM relations r
JOIN pg_attribute a ON a.attrelid = r.oid AND NOT a.attisdropped
UNION ALL
SELECT 'FUNCTION', p.oid::regprocedure::text, p.proname, p.proowner,
	coalesce(p.proacl, acldefault('f', p.proowner))
FROM members m
JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
UNION ALL
-- Not the row types and arrays that come with others.
SELECT 'TYPE', t.oid::regtype::text, t.typname, t.typowner,
	coalesce(t.typacl, acldefault('T', t.typowner))
FROM members m
JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
WHERE t.typtype <> 'c' AND t.typcategory <> 'A'
$member_objects$;
COMMENT ON FUNCTION commerce.member_objects IS
'The objects of the extension that a right can be given on, with their rights (level admin): kind and qualified name as GRANT wants them, plain name, owner, and access list. A COLUMN is there with what was given on it alone.';

CREATE FUNCTION commerce.foreign_rights()
RETURNS TABLE (object text, grantee text, privilege text)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $foreign_rights$
WITH rights AS MATERIALIZED (
	SELECT o.object_kind, o.object, o.object_name, x.privilege_type AS privilege, x.grantee,
		x.is_grantable AS grantable
	FROM commerce.member_objects() o
	CROSS JOIN LATERAL aclexplode(o.acl) x
	WHERE x.grantee <> o.owner
), given AS (
	SELECT l.level, r.privilege, r.object_name
	FROM (SELECT DISTINCT a.level FROM commerce.access_rights() a) l
	JOIN commerce.access_rights() r ON r.level IN ('reader', l.level) OR l.level = 'admin'
), held AS (
	-- The levels that a role has whole.
	SELECT g.grantee, l.level
	FROM (SELECT DISTINCT r.grantee FROM rights r) g
	CROSS JOIN (SELECT DISTINCT v.level FROM given v) l
	WHERE NOT EXISTS (
		SELECT v.privilege, v.object_name FROM given v WHERE v.level = l.level
		EXCEPT
		SELECT r.privilege, r.object_name FROM rights r
		WHERE r.grantee = g.grantee AND r.object_kind <> 'COLUMN')
)
SELECT lower(r.object_kind) || ' ' || r.object,
	CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END,
	r.privilege
FROM rights r
WHERE r.grantable OR r.object_kind = 'COLUMN' OR r.grantee = 0 OR NOT EXISTS (
	SELECT
	FROM held h
	JOIN given v ON v.level = h.level
	WHERE h.grantee = r.grantee AND v.privilege = r.privilege
	  AND v.object_name = r.object_name)
ORDER BY 1, 2, 3
$foreign_rights$;
COMMENT ON FUNCTION commerce.foreign_rights IS
'Rights on objects of the extension that no level gave (level admin): a right of PUBLIC, one that may be granted on, one on a column, one of a role that has no level with it as a whole. None after CREATE EXTENSION. After an update that added to a level, call grant_access again for whoever has it.';

CREATE FUNCTION commerce.grant_access(grantee regrole, level text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $grant_access$
DECLARE
	statement text;
BEGIN
	IF grantee IS NULL OR level IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN grantee IS NULL THEN 'grantee' ELSE 'level' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF level NOT IN ('reader', 'app', 'relay', 'router', 'admin') THEN
		RAISE EXCEPTION 'level must be reader, app, relay, router or admin'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grantee) THEN
		RAISE EXCEPTION 'grantee % is not a role', grantee
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	FOR statement IN
		SELECT format('GRANT %s ON %s %s TO %s', r.privilege, o.object_kind,
			string_agg(DISTINCT o.object, ', '), grantee)
		FROM commerce.access_rights() r
		JOIN commerce.member_objects() o
			ON o.object_name = r.object_name
			AND o.object_kind = ANY (CASE r.privilege WHEN 'SELECT' THEN '{TABLE}'
				WHEN 'EXECUTE' THEN '{FUNCTION}' ELSE '{SCHEMA, TYPE}' END::text[])
		WHERE r.level IN ('reader', grant_access.level) OR grant_access.level = 'admin'
		GROUP BY r.privilege, o.object_kind
	LOOP
		EXECUTE statement;
	END LOOP;
END
$grant_access$;
COMMENT ON FUNCTION commerce.grant_access IS
'Gives a role one of the levels of access_rights() (level admin): reader (SELECT and the read functions), app (reader, and what a shop calls), relay (reader, and what transmits events), router (reader, and what a router of a cluster forwards), admin (everything). Levels add up; no level may write a table directly. Raises 22004, 22023.';

CREATE FUNCTION commerce.revoke_access(grantee regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $revoke_access$
DECLARE
	statement text;
BEGIN
	IF grantee IS NULL THEN
		RAISE EXCEPTION 'grantee must not be null'
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grantee) THEN
		RAISE EXCEPTION 'grantee % is not a role', grantee
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- The functions work with the owner's own rights.
	IF EXISTS (SELECT FROM pg_namespace n
			   WHERE n.nspname = 'commerce' AND n.nspowner = grantee) THEN
		RAISE EXCEPTION 'grantee % must not be the owner of the schema', grantee
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	FOR statement IN
		SELECT format('REVOKE ALL ON %s %s FROM %s CASCADE', o.object_kind,
			string_agg(o.object, ', '), grantee)
		FROM commerce.member_objects() o
		WHERE o.object_kind <> 'COLUMN' -- goes with its table
		GROUP BY o.object_kind
	LOOP
		EXECUTE statement;
	END LOOP;
END
$revoke_access$;
COMMENT ON FUNCTION commerce.revoke_access IS
'Takes back everything that grant_access gave a role (level admin). Raises 22004, 22023.';
