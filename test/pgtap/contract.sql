-- The functions: signatures, results, volatility, and who may call them. One that
-- is not listed here fails the test, and so does one that access_rights() leaves out.

\set ECHO none
\set QUIET on
\pset format unaligned
\pset tuples_only on
\set ON_ERROR_STOP on

BEGIN;
SET client_min_messages = warning;
CREATE SCHEMA tap;
CREATE EXTENSION pgtap SCHEMA tap;
CREATE EXTENSION IF NOT EXISTS commerce;
SET LOCAL search_path = tap, pg_catalog;

CREATE TEMP TABLE contract (name text, arguments text, result text, volatility text,
	parallel text);
INSERT INTO contract VALUES
	-- catalogue
	('create_user', 'name text, user_id bigint DEFAULT NULL::bigint',
	 'commerce.users', 'volatile', 'unsafe'),
	('set_user_name', 'user_id bigint, name text', 'commerce.users', 'volatile', 'unsafe'),
	('erase_user', 'user_id bigint', 'commerce.users', 'volatile', 'unsafe'),
	('create_product', 'name text, product_id bigint DEFAULT NULL::bigint',
	 'commerce.products', 'volatile', 'unsafe'),
	('create_product_option', 'product_id bigint, name text, price bigint, stock bigint DEFAULT 0, '
	 'option_id bigint DEFAULT NULL::bigint',
	 'commerce.product_options', 'volatile', 'unsafe'),
	('set_price', 'option_id bigint, price bigint',
	 'commerce.product_options', 'volatile', 'unsafe'),
	('adjust_stock', 'option_id bigint, quantity bigint, reason text DEFAULT ''restock''::text, '
	 'idempotency_key text DEFAULT NULL::text',
	 'commerce.stock', 'volatile', 'unsafe'),
	('create_coupon_policy', 'name text, discount_type text, discount_value bigint, quantity bigint, '
	 'issue_from timestamp with time zone DEFAULT now(), '
	 'issue_until timestamp with time zone DEFAULT NULL::timestamp with time zone, '
	 'max_discount_amount bigint DEFAULT NULL::bigint, min_order_amount bigint DEFAULT 0, '
	 'per_user_limit integer DEFAULT 1, valid_for interval DEFAULT NULL::interval, '
	 'valid_until timestamp with time zone DEFAULT NULL::timestamp with time zone, '
	 'restore_on_cancel boolean DEFAULT true, policy_id bigint DEFAULT NULL::bigint',
	 'commerce.coupon_policies', 'volatile', 'unsafe'),
	('spread_stock', 'option_id bigint, slots integer', 'integer', 'volatile', 'unsafe'),
	('spread_coupon_quota', 'policy_id bigint, slots integer', 'integer', 'volatile', 'unsafe'),
	('update_coupon_policy', 'policy_id bigint, name text DEFAULT NULL::text, '
	 'quantity bigint DEFAULT NULL::bigint, per_user_limit integer DEFAULT NULL::integer, '
	 'issue_from timestamp with time zone DEFAULT NULL::timestamp with time zone, '
	 'issue_until timestamp with time zone DEFAULT NULL::timestamp with time zone, '
	 'valid_until timestamp with time zone DEFAULT NULL::timestamp with time zone',
	 'commerce.coupon_policies', 'volatile', 'unsafe'),
	('close_coupon_policy', 'policy_id bigint',
	 'commerce.coupon_policies', 'volatile', 'unsafe'),
	('revoke_coupon', 'coupon_id bigint',
	 'commerce.coupons', 'volatile', 'unsafe'),
	-- balance
	('charge_balance', 'user_id bigint, amount bigint, idempotency_key text DEFAULT NULL::text',
	 'commerce.balance_history', 'volatile', 'unsafe'),
	('use_balance', 'user_id bigint, amount bigint, idempotency_key text DEFAULT NULL::text',
	 'commerce.balance_history', 'volatile', 'unsafe'),
	('get_balance', 'user_id bigint', 'bigint', 'stable', 'safe'),
	-- coupons
	('issue_coupon', 'user_id bigint, policy_id bigint, idempotency_key text DEFAULT NULL::text',
	 'commerce.coupons', 'volatile', 'unsafe'),
	('issue_coupons', 'policy_id bigint, user_ids bigint[]',
	 'TABLE(user_id bigint, coupon_id bigint, sqlstate text, message text, detail jsonb)',
	 'volatile', 'unsafe'),
	('use_coupon', 'user_id bigint, coupon_id bigint, order_amount bigint, '
	 'idempotency_key text DEFAULT NULL::text',
	 'commerce.coupons', 'volatile', 'unsafe'),
	-- orders
	('place_order', 'user_id bigint, items jsonb, coupon_id bigint DEFAULT NULL::bigint, '
	 'idempotency_key text DEFAULT NULL::text, expected_total bigint DEFAULT NULL::bigint',
	 'commerce.orders', 'volatile', 'unsafe'),
	('place_orders', 'requests jsonb',
	 'TABLE(request_no integer, order_id bigint, sqlstate text, message text, detail jsonb)',
	 'volatile', 'unsafe'),
	('quote_order', 'user_id bigint, items jsonb, coupon_id bigint DEFAULT NULL::bigint',
	 'TABLE(line_no integer, option_id bigint, quantity bigint, unit_price bigint, '
	 'line_total bigint, discount_amount bigint, available bigint)', 'stable', 'safe'),
	('hold_order', 'user_id bigint, items jsonb, coupon_id bigint DEFAULT NULL::bigint, '
	 'ttl interval DEFAULT ''00:15:00''::interval, idempotency_key text DEFAULT NULL::text, '
	 'expected_total bigint DEFAULT NULL::bigint',
	 'commerce.orders', 'volatile', 'unsafe'),
	('pay_order', 'order_id bigint', 'commerce.orders', 'volatile', 'unsafe'),
	('cancel_order', 'order_id bigint, reason text DEFAULT NULL::text, restock boolean DEFAULT true',
	 'commerce.orders', 'volatile', 'unsafe'),
	('refund_order', 'order_id bigint, items jsonb, idempotency_key text DEFAULT NULL::text, '
	 'restock boolean DEFAULT true',
	 'commerce.orders', 'volatile', 'unsafe'),
	('expire_orders', 'batch_size integer DEFAULT 1000', 'bigint', 'volatile', 'unsafe'),
	('get_order', 'order_id bigint', 'jsonb', 'stable', 'safe'),
	('popular_products', 'days integer DEFAULT 3, max_results integer DEFAULT 5',
	 'TABLE(product_id bigint, name text, quantity bigint)', 'stable', 'safe'),
	('purge_idempotency_keys', 'older_than interval DEFAULT ''7 days''::interval',
	 'bigint', 'volatile', 'unsafe'),
	-- events
	('create_subscription', 'subscription text, event_types text[] DEFAULT NULL::text[], '
	 'start_from timestamp with time zone DEFAULT NULL::timestamp with time zone',
	 'commerce.subscriptions', 'volatile', 'unsafe'),
	('drop_subscription', 'subscription text', 'bigint', 'volatile', 'unsafe'),
	('pause_subscription', 'subscription text, '
	 'until timestamp with time zone DEFAULT NULL::timestamp with time zone, reason text DEFAULT NULL::text',
	 'commerce.subscriptions', 'volatile', 'unsafe'),
	('resume_subscription', 'subscription text', 'commerce.subscriptions', 'volatile', 'unsafe'),
	('claim_events', 'batch_size integer DEFAULT 100, lease interval DEFAULT ''00:00:30''::interval, '
	 'subscription text DEFAULT ''default''::text',
	 'TABLE(event_id bigint, event_type text, order_id bigint, attempt integer, payload jsonb)',
	 'volatile', 'unsafe'),
	('ack_events', 'event_ids bigint[], attempts integer[], subscription text DEFAULT ''default''::text',
	 'bigint', 'volatile', 'unsafe'),
	('fail_event', 'event_id bigint, attempt integer, error text, '
	 'retry_after interval DEFAULT NULL::interval, subscription text DEFAULT ''default''::text',
	 'commerce.deliveries', 'volatile', 'unsafe'),
	('release_events', 'event_ids bigint[], attempts integer[], '
	 'retry_after interval DEFAULT NULL::interval, subscription text DEFAULT ''default''::text',
	 'bigint', 'volatile', 'unsafe'),
	('retry_event', 'event_id bigint, subscription text DEFAULT ''default''::text',
	 'commerce.deliveries', 'volatile', 'unsafe'),
	('retry_events', 'subscription text DEFAULT ''default''::text', 'bigint', 'volatile', 'unsafe'),
	('discard_event', 'event_id bigint, subscription text DEFAULT ''default''::text',
	 'commerce.deliveries', 'volatile', 'unsafe'),
	('purge_events', 'older_than interval DEFAULT ''7 days''::interval',
	 'bigint', 'volatile', 'unsafe'),
	('event_origin', '', 'bigint', 'stable', 'safe'),
	-- nodes of a cluster
	('bucket', 'user_id bigint', 'integer', 'immutable', 'safe'),
	('membership_changed', '', 'void', 'volatile', 'unsafe'),
	('join_cluster', 'node_no integer, buckets int4multirange, first_id bigint DEFAULT NULL::bigint, '
	 'force boolean DEFAULT false', 'commerce.cluster_membership', 'volatile', 'unsafe'),
	('transfer_out', 'counter text, object_id bigint, wanted bigint, taker integer',
	 'commerce.transfers_out', 'volatile', 'unsafe'),
	('transfer_in', 'counter text, object_id bigint, quantity bigint, giver integer, transfer_id bigint',
	 'boolean', 'volatile', 'unsafe'),
	('transfer_settled', 'transfer_id bigint', 'boolean', 'volatile', 'unsafe'),
	('counter_state', 'counter text, object_id bigint', 'TABLE(available bigint, unsold bigint, unsettled jsonb)',
	 'stable', 'safe'),
	('add_coupon_quota', 'policy_id bigint, added bigint', 'commerce.coupon_policies', 'volatile', 'unsafe'),
	('verify_node', '', 'TABLE(check_name text, object_id bigint, expected numeric, actual numeric)', 'stable', 'safe'),
	('node_transfers', '', 'TABLE(is_out boolean, giver integer, taker integer, transfer_id bigint, counter text, '
	 'object_id bigint, quantity bigint, is_settled boolean)', 'stable', 'safe'),
	('catalogue_is_followed', '', 'boolean', 'stable', 'safe'),
	('lock_bucket', 'bucket integer, new_users_only boolean', 'void', 'volatile', 'unsafe'),
	('packed_columns', 'table_name text', 'TABLE(name text, own_type text, type text)', 'stable', 'safe'),
	('pack_bucket', 'bucket integer', 'TABLE(contents json, sold jsonb)', 'volatile', 'unsafe'),
	('unpack_bucket', 'contents json', 'void', 'volatile', 'unsafe'),
	('give_bucket', 'bucket integer, taker integer', 'bigint', 'volatile', 'unsafe'),
	('bucket_contents', 'move_id bigint', 'json', 'stable', 'safe'),
	('take_bucket', 'giver integer, move_id bigint, contents json', 'boolean', 'volatile', 'unsafe'),
	('bucket_given', 'move_id bigint', 'boolean', 'volatile', 'unsafe'),
	('refuse_bucket', 'bucket integer, giver integer, move_id bigint', 'boolean', 'volatile', 'unsafe'),
	('keep_bucket', 'move_id bigint', 'boolean', 'volatile', 'unsafe'),
	('node_moves', 'bucket integer DEFAULT NULL::integer',
	 'TABLE(giver integer, move_id bigint, moved integer, taker integer, status text)', 'stable', 'safe'),
	('publish_catalogue', '', 'void', 'volatile', 'unsafe'),
	('unsold', 'counter text, object_id bigint', 'bigint', 'stable', 'safe'),
	-- operation
	('grant_access', 'grantee regrole, level text', 'void', 'volatile', 'unsafe'),
	('revoke_access', 'grantee regrole', 'void', 'volatile', 'unsafe'),
	('member_objects', '', 'TABLE(object_kind text, object text, object_name text, owner oid, acl aclitem[])', 'stable', 'safe'),
	('foreign_rights', '', 'TABLE(object text, grantee text, privilege text)', 'stable', 'safe'),
	('access_rights', '', 'TABLE(level text, privilege text, object_name text)', 'immutable', 'safe'),
	('member_columns', '', 'TABLE(table_name text, column_name text)', 'stable', 'safe'),
	('added_columns', '', 'TABLE(section text, nth integer, statement text)', 'stable', 'safe'),
	('added_objects', '', 'TABLE(section text, nth integer, statement text)', 'stable', 'safe'),
	('additions', 'section text DEFAULT NULL::text', 'SETOF text', 'stable', 'safe'),
	('metrics', '', 'TABLE(name text, labels jsonb, value double precision)', 'volatile', 'safe'),
	('counters', '', 'TABLE(name text, function text, sqlstate text, subscription_no integer, outcome text, value bigint)',
	 'volatile', 'safe'),
	('undelivered', '',
	 'TABLE(subscription text, status commerce.delivery_status, events bigint, oldest timestamp with time zone)',
	 'stable', 'safe'),
	('advance_sequences', 'margin bigint DEFAULT 1000', 'void', 'volatile', 'unsafe'),
	('verify', '', 'TABLE(check_name text, object_id bigint, expected numeric, actual numeric)',
	 'stable', 'safe');
-- What verify() is made of is like it.
INSERT INTO contract
SELECT 'verify_' || part, arguments, result, volatility, parallel
FROM contract, unnest(ARRAY['users', 'balances', 'stock', 'coupons', 'orders', 'events', 'quantities', 'parents']) part
WHERE name = 'verify';

-- What a router forwards, each with a refusal as a value.
INSERT INTO contract
SELECT 'try_' || name, arguments, format('TABLE(answer %s, sqlstate text, message text, detail text, hint text)',
	CASE WHEN result ~ '^TABLE' THEN 'json' ELSE result END), volatility, 'unsafe'
FROM contract
WHERE name IN ('create_user', 'set_user_name', 'erase_user', 'create_product', 'create_product_option', 'set_price',
	'adjust_stock', 'create_coupon_policy', 'update_coupon_policy', 'close_coupon_policy', 'issue_coupons',
	'revoke_coupon', 'spread_stock', 'spread_coupon_quota', 'charge_balance', 'use_balance', 'get_balance',
	'issue_coupon', 'use_coupon', 'place_order', 'quote_order', 'hold_order', 'pay_order', 'cancel_order',
	'refund_order', 'expire_orders', 'get_order', 'place_orders', 'popular_products', 'purge_idempotency_keys', 'add_coupon_quota');

-- The functions as they are; it makes no difference to a caller whether result
-- columns were declared as OUT arguments or as TABLE.
SET LOCAL intervalstyle = 'postgres';
CREATE TEMP VIEW functions AS
SELECT p.oid, p.proname::text AS name,
	regexp_replace(pg_get_function_arguments(p.oid), '(^|, )OUT .*$', '') AS arguments,
	coalesce('TABLE(' || r.columns || ')', pg_get_function_result(p.oid)) AS result,
	CASE p.provolatile WHEN 'v' THEN 'volatile' WHEN 's' THEN 'stable' ELSE 'immutable' END AS volatility,
	CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel
FROM pg_proc p, LATERAL (
	SELECT string_agg(format('%s %s', p.proargnames[i], format_type(p.proallargtypes[i], NULL)), ', ' ORDER BY i)
	FROM generate_subscripts(p.proargmodes, 1) i WHERE p.proargmodes[i] IN ('o', 't')) r (columns)
WHERE p.pronamespace = 'commerce'::regnamespace;

CREATE ROLE tap_nobody;
CREATE ROLE tap_reader;
CREATE ROLE tap_app;
CREATE ROLE tap_relay;
CREATE ROLE tap_router;
CREATE ROLE tap_admin;
SELECT count(commerce.grant_access(('tap_' || level)::regrole, level))
FROM unnest(ARRAY['reader', 'app', 'relay', 'router', 'admin']) level \g /dev/null

CREATE FUNCTION pg_temp.callable_by(role_name text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT f.name FROM functions f
	WHERE has_schema_privilege(role_name, 'commerce', 'USAGE')
	  AND has_function_privilege(role_name, f.oid, 'EXECUTE')
$$;

SELECT plan(15);

SELECT bag_eq('SELECT name FROM functions', 'SELECT name FROM contract', 'these functions, each once');
SELECT set_eq('SELECT name, arguments FROM functions', 'SELECT name, arguments FROM contract', 'arguments and defaults');
SELECT set_eq('SELECT name, result FROM functions', 'SELECT name, result FROM contract', 'results');
SELECT set_eq('SELECT name, volatility, parallel FROM functions',
	'SELECT name, volatility, parallel FROM contract', 'volatility and parallel safety');
SELECT is_empty($$SELECT f.name FROM functions f, aclexplode((SELECT coalesce(proacl, acldefault('f', proowner))
	FROM pg_proc WHERE oid = f.oid)) a WHERE a.grantee = 0$$, 'PUBLIC may call nothing');
SELECT is_empty($$SELECT * FROM pg_temp.callable_by('tap_nobody')$$, 'nobody may call nothing');
SELECT bag_eq(format($$SELECT * FROM pg_temp.callable_by('tap_%s')$$, level),
	format($$SELECT object_name FROM commerce.access_rights() r
		WHERE privilege = 'EXECUTE' AND (r.level IN ('reader', %L) OR %L = 'admin')$$, level, level),
	level || ' may call these')
FROM unnest(ARRAY['reader', 'app', 'relay', 'router', 'admin']) level;

SELECT bag_eq($$SELECT object_name FROM commerce.access_rights() WHERE privilege = 'EXECUTE'$$,
	'SELECT DISTINCT name FROM contract', 'access_rights() has each function once');
SELECT bag_eq($$SELECT object_name FROM commerce.access_rights() WHERE privilege = 'SELECT'$$,
	$$SELECT relname::text FROM pg_class WHERE relnamespace = 'commerce'::regnamespace AND relkind IN ('r', 'v')$$,
	'access_rights() has each table and view once');
SELECT set_eq('SELECT DISTINCT level FROM commerce.access_rights()',
	ARRAY['reader', 'app', 'relay', 'router', 'admin'], 'access_rights() knows these levels');
SELECT set_eq($$SELECT f.name, m[1] FROM functions f,
		regexp_matches(obj_description(f.oid, 'pg_proc'), '\(level (\w+)\)', 'g') m$$,
	$$SELECT object_name, level FROM commerce.access_rights() WHERE privilege = 'EXECUTE'$$,
	'each comment names the level of access_rights()');

SELECT * FROM finish();
ROLLBACK;
