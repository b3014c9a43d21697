------------------------------------------------------------------------------
-- Rights: nothing is anybody's until grant_access gives it
------------------------------------------------------------------------------

CREATE FUNCTION commerce.access_rights()
RETURNS TABLE (level text, privilege text, object_name text)
LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 40
SET search_path = pg_catalog, pg_temp
AS $access_rights$
SELECT r.level, r.privilege, n.object_name
FROM (VALUES
	('reader', 'SELECT', '{stock, coupon_quota}'::text[]),
	('reader', 'EXECUTE', '{bucket, get_balance, quote_order, get_order, popular_products, metrics}'),
	('app', 'EXECUTE', '{create_user, set_user_name, charge_balance, use_balance, issue_coupon,
		use_coupon, place_order, place_orders, hold_order, pay_order, cancel_order,
		refund_order, expire_orders}'),
	('admin', 'EXECUTE', '{erase_user, create_product, create_product_option, set_price, adjust_stock,
		create_coupon_policy, update_coupon_policy, close_coupon_policy, issue_coupons, revoke_coupon, spread_stock, spread_coupon_quota,
		purge_idempotency_keys, verify, access_rights, grant_access, revoke_access}')
	) r (level, privilege, object_names),
	 LATERAL unnest(r.object_names) n (object_name)
$access_rights$;
COMMENT ON FUNCTION commerce.access_rights IS
'What each level may do at a router (level admin): SELECT from a view, EXECUTE a function. What reader may, every level may; admin may all, and change the map.';

CREATE FUNCTION commerce.grant_access(grantee regrole, level text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $grant_access$
DECLARE
	wanted record;
BEGIN
	IF grantee IS NULL OR level IS NULL THEN
		RAISE EXCEPTION '% must not be null', CASE WHEN grantee IS NULL THEN 'grantee' ELSE 'level' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF level NOT IN ('reader', 'app', 'admin') THEN
		RAISE EXCEPTION 'level must be reader, app or admin'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	EXECUTE format('GRANT USAGE ON SCHEMA commerce TO %s', grantee);
	FOR wanted IN
		SELECT a.privilege, a.object_name FROM commerce.access_rights() a
		WHERE a.level IN ('reader', grant_access.level) OR grant_access.level = 'admin'
	LOOP
		IF wanted.privilege = 'SELECT' THEN
			EXECUTE format('GRANT SELECT ON commerce.%I TO %s', wanted.object_name, grantee);
		ELSE
			EXECUTE (SELECT format('GRANT EXECUTE ON FUNCTION %s TO %s', string_agg(p.oid::regprocedure::text, ', '), grantee)
				FROM pg_proc p
				WHERE p.pronamespace = 'commerce'::regnamespace AND p.proname = wanted.object_name);
		END IF;
	END LOOP;
	EXECUTE format('GRANT EXECUTE ON FUNCTION commerce_router.all_stock(), commerce_router.all_coupon_quota() TO %s', grantee);
	IF level = 'admin' THEN
		EXECUTE format('GRANT USAGE ON SCHEMA commerce_router TO %s', grantee);
		EXECUTE format('GRANT EXECUTE ON FUNCTION commerce_router.add_node(text, boolean),
			commerce_router.set_node(integer, text), commerce_router.remove_node(integer),
			commerce_router.refresh(), commerce_router.move_bucket(integer, integer),
			commerce_router.move_buckets(int4multirange, integer), commerce_router.undo_move(integer),
			commerce_router.moves(integer), commerce_router.sweep(text, bigint) TO %s', grantee);
	END IF;
END
$grant_access$;
COMMENT ON FUNCTION commerce.grant_access IS
'Gives a role a level at this router (level admin): reader, app or admin, as at a node. Raises 22004, 22023.';

CREATE FUNCTION commerce.revoke_access(grantee regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $revoke_access$
BEGIN
	IF grantee IS NULL THEN
		RAISE EXCEPTION 'grantee must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA commerce, commerce_router FROM %s CASCADE', grantee);
	EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA commerce, commerce_router FROM %s CASCADE', grantee);
	EXECUTE format('REVOKE ALL ON SCHEMA commerce, commerce_router FROM %s CASCADE', grantee);
END
$revoke_access$;
COMMENT ON FUNCTION commerce.revoke_access IS
'Takes back everything that grant_access gave a role (level admin). Raises 22004.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA commerce, commerce_router FROM PUBLIC;

-- Types have rights of PUBLIC too, and default privileges may have given any to anybody.
DO $$
DECLARE
	schemas oid[] := ARRAY['commerce'::regnamespace, 'commerce_router'::regnamespace];
	statement text;
BEGIN
	FOR statement IN
		SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s CASCADE', o.kind, o.name,
			CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END)
		FROM (SELECT 'SCHEMA', n.oid::regnamespace::text, n.nspowner, n.nspacl
			FROM pg_namespace n WHERE n.oid = ANY (schemas)
			UNION ALL
			SELECT 'TABLE', c.oid::regclass::text, c.relowner, c.relacl
			FROM pg_class c WHERE c.relnamespace = ANY (schemas) AND c.relkind IN ('r', 'v')
			UNION ALL
			SELECT 'FUNCTION', p.oid::regprocedure::text, p.proowner, p.proacl
			FROM pg_proc p WHERE p.pronamespace = ANY (schemas)
			UNION ALL
			SELECT 'TYPE', t.oid::regtype::text, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
			FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
			WHERE t.typnamespace = ANY (schemas) AND t.typcategory <> 'A' AND coalesce(c.relkind = 'c', true)
			) o (kind, name, owner, acl)
		CROSS JOIN LATERAL aclexplode(o.acl) x
		WHERE x.grantee <> o.owner
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;

SELECT pg_extension_config_dump('commerce_router.nodes', '');
SELECT pg_extension_config_dump('commerce_router.buckets', '');
