------------------------------------------------------------------------------
-- Functions: access
------------------------------------------------------------------------------

-- What each level may do, in one list. A level has its own rows and those of reader;
-- admin has all. A new function, table or view gets its row here, and an upgrade
-- script that brings it replaces the list.
CREATE FUNCTION commerce.access_rights()
RETURNS TABLE (level text, privilege text, object_name text)
LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 60
SET search_path = pg_catalog, pg_temp
AS $access_rights$
SELECT r.level, r.privilege, n.object_name
FROM (VALUES
	('reader', 'SELECT', '{users, balances, balance_history, coupon_policies, coupons,
		products, product_options, stock_adjustments, orders, order_items, outbox,
		stock, coupon_quota, coupon_wallet}'::text[]),
	('reader', 'EXECUTE', '{get_balance, quote_order, get_order, popular_products}'),
	('app', 'EXECUTE', '{create_user, charge_balance, use_balance, issue_coupon,
		use_coupon, place_order, place_orders, hold_order, pay_order, cancel_order,
		refund_order, expire_orders}'),
	('relay', 'EXECUTE', '{claim_events, ack_events, fail_event}'),
	('admin', 'SELECT', '{coupon_quota_slots, stock_slots, outbox_horizon,
		idempotency_keys}'),
	('admin', 'EXECUTE', '{create_product, create_product_option, set_price,
		adjust_stock, create_coupon_policy, close_coupon_policy, revoke_coupon,
		purge_idempotency_keys, retry_event, discard_event, purge_outbox,
		verify, verify_balances, verify_stock, verify_coupons, verify_orders,
		verify_events, verify_quantities, verify_parents,
		access_rights, grant_access, revoke_access}')
	) r (level, privilege, object_names),
	 LATERAL unnest(r.object_names) n (object_name)
$access_rights$;
COMMENT ON FUNCTION commerce.access_rights IS
'What each level may do (level admin): SELECT from a table or view, EXECUTE a function, whatever its arguments. What reader may, every level may; admin may all.';

CREATE FUNCTION commerce.grant_access(grantee regrole, level text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $grant_access$
DECLARE
	relations text;
	functions text;
BEGIN
	IF grantee IS NULL OR level IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN grantee IS NULL THEN 'grantee' ELSE 'level' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF level NOT IN ('reader', 'app', 'relay', 'admin') THEN
		RAISE EXCEPTION 'level must be reader, app, relay or admin, not "%"', level
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grantee) THEN
		RAISE EXCEPTION 'grantee % is not a role', grantee
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	-- Members only: a namesake that somebody added to the schema is not ours to give.
	SELECT string_agg(c.oid::regclass::text, ', '), string_agg(p.oid::regprocedure::text, ', ')
	INTO relations, functions
	FROM pg_extension e
	JOIN pg_depend d
		ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
	LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
	JOIN commerce.access_rights() r
		ON r.privilege = 'SELECT' AND r.object_name = c.relname
		OR r.privilege = 'EXECUTE' AND r.object_name = p.proname
	WHERE e.extname = 'commerce'
	  AND (r.level IN ('reader', grant_access.level) OR grant_access.level = 'admin');

	EXECUTE format('GRANT USAGE ON SCHEMA commerce TO %s', grantee);
	EXECUTE format('GRANT SELECT ON %s TO %s', relations, grantee);
	EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', functions, grantee);
END
$grant_access$;
COMMENT ON FUNCTION commerce.grant_access IS
'Gives a role one of the levels of access_rights() (level admin): reader (SELECT and the read functions), app (reader, and what a shop calls), relay (reader, and the outbox), admin (everything). Levels add up; no level may write a table directly. Raises 22004, 22023.';

CREATE FUNCTION commerce.revoke_access(grantee regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $revoke_access$
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

	EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA commerce FROM %s', grantee);
	EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA commerce FROM %s', grantee);
	EXECUTE format('REVOKE ALL ON SCHEMA commerce FROM %s', grantee);
END
$revoke_access$;
COMMENT ON FUNCTION commerce.revoke_access IS
'Takes back everything that grant_access gave a role (level admin). Raises 22004, 22023.';

------------------------------------------------------------------------------
-- Grants: nothing is anybody's until grant_access gives it
------------------------------------------------------------------------------

REVOKE ALL ON ALL TABLES IN SCHEMA commerce FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA commerce FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA commerce FROM PUBLIC;
