------------------------------------------------------------------------------
-- Functions: access
------------------------------------------------------------------------------

CREATE FUNCTION commerce.grant_access(grantee regrole, level text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $grant_access$
DECLARE
	reader_tables CONSTANT text := 'commerce.users, commerce.balances,
		commerce.balance_history, commerce.coupon_policies, commerce.coupons,
		commerce.products, commerce.product_options, commerce.stock_adjustments,
		commerce.orders, commerce.order_items, commerce.outbox,
		commerce.stock, commerce.coupon_quota, commerce.coupon_wallet';
	reader_functions CONSTANT text := 'commerce.get_balance(bigint),
		commerce.quote_order(bigint, jsonb, bigint), commerce.get_order(bigint),
		commerce.popular_products(integer, integer)';
	app_functions CONSTANT text := 'commerce.create_user(text, bigint),
		commerce.charge_balance(bigint, bigint, text),
		commerce.use_balance(bigint, bigint, text),
		commerce.issue_coupon(bigint, bigint, text),
		commerce.use_coupon(bigint, bigint, bigint),
		commerce.place_order(bigint, jsonb, bigint, text),
		commerce.place_orders(jsonb),
		commerce.hold_order(bigint, jsonb, bigint, interval, text),
		commerce.pay_order(bigint),
		commerce.cancel_order(bigint, text),
		commerce.refund_order(bigint, jsonb, text),
		commerce.expire_orders(integer)';
	relay_functions CONSTANT text := 'commerce.claim_events(integer, interval),
		commerce.ack_events(bigint[], integer[]),
		commerce.fail_event(bigint, integer, text, interval)';
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

	EXECUTE format('GRANT USAGE ON SCHEMA commerce TO %s', grantee);
	EXECUTE format('GRANT SELECT ON %s TO %s', reader_tables, grantee);
	EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', reader_functions, grantee);
	IF level = 'app' THEN
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', app_functions, grantee);
	ELSIF level = 'relay' THEN
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', relay_functions, grantee);
	ELSIF level = 'admin' THEN
		EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA commerce TO %s', grantee);
		EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA commerce TO %s', grantee);
	END IF;
END
$grant_access$;
COMMENT ON FUNCTION commerce.grant_access IS
'Gives a role one of the levels reader (SELECT and the read functions), app (reader, and what a shop calls), relay (reader, and the outbox), admin (everything). Levels add up; no level may write a table directly. Raises 22004, 22023.';

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
'Takes back everything that grant_access gave a role. Raises 22004, 22023.';

------------------------------------------------------------------------------
-- Grants: nothing is anybody's until grant_access gives it
------------------------------------------------------------------------------

REVOKE ALL ON ALL TABLES IN SCHEMA commerce FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA commerce FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA commerce FROM PUBLIC;
