-- Tables and views: columns, types, who may read them, that nobody may write them;
-- comments, dump marks, and where functions look for names.

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

-- What a client may read: the columns come first, in this order; others may follow.
CREATE TEMP TABLE readable (name text, columns text);
INSERT INTO readable VALUES
	('users', 'user_id bigint, name text, created_at timestamptz, erased_at timestamptz'),
	('balances', 'user_id bigint, balance bigint, entry_count bigint, updated_at timestamptz'),
	('balance_history', 'user_id bigint, entry_no bigint, type balance_entry_type, amount bigint, '
	 'balance_after bigint, order_id bigint, created_at timestamptz, actor text'),
	('coupon_policies', 'policy_id bigint, name text, discount_type discount_type, discount_value bigint, '
	 'max_discount_amount bigint, min_order_amount bigint, quantity bigint, per_user_limit integer, '
	 'issue_from timestamptz, issue_until timestamptz, valid_for interval, valid_until timestamptz, '
	 'restore_on_cancel boolean, created_at timestamptz'),
	('coupons', 'coupon_id bigint, policy_id bigint, user_id bigint, status coupon_status, '
	 'issued_at timestamptz, expires_at timestamptz, used_at timestamptz, order_id bigint, discount_amount bigint'),
	('products', 'product_id bigint, name text, created_at timestamptz'),
	('product_options', 'option_id bigint, product_id bigint, name text, price bigint, created_at timestamptz'),
	('stock_adjustments', 'adjustment_id bigint, option_id bigint, quantity bigint, reason text, created_at timestamptz, actor text'),
	('orders', 'order_id bigint, user_id bigint, status order_status, subtotal bigint, discount bigint, '
	 'total bigint, refunded bigint, coupon_id bigint, placed_at timestamptz, paid_at timestamptz, '
	 'closed_at timestamptz, expires_at timestamptz, cancel_reason text, placed_by text, closed_by text'),
	('order_items', 'order_id bigint, line_no integer, option_id bigint, product_id bigint, quantity bigint, '
	 'unit_price bigint, discount_amount bigint, refunded_quantity bigint'),
	('events', 'event_id bigint, order_id bigint, created_at timestamptz, origin bigint, xact_id bigint, '
	 'follows_xact_id bigint, event_type text, refund jsonb'),
	('subscriptions', 'subscription text, event_types text[], paused_at timestamptz, '
	 'paused_until timestamptz, pause_reason text, created_at timestamptz'),
	('deliveries', 'subscription text, event_id bigint, order_id bigint, event_type text, '
	 'status delivery_status, attempt integer, failures integer, next_attempt_at timestamptz, '
	 'locked_until timestamptz, last_error text, created_at timestamptz, delivered_at timestamptz'),
	('stock', 'option_id bigint, product_id bigint, available bigint'),
	('coupon_quota', 'policy_id bigint, quantity bigint, issued bigint, remaining bigint'),
	('cluster_membership', 'one_row boolean, node_no integer, first_id bigint, buckets bytea, joined_at timestamptz');

-- coupon_wallet: all columns of coupons, then the policy's terms, then the state.
CREATE TEMP VIEW columns AS
SELECT c.relname::text AS name, a.attnum, format('%s %s', a.attname,
	replace(replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'), 'commerce.', '')) AS column
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'commerce'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped;

CREATE TEMP VIEW relations AS
SELECT c.oid, c.relname::text AS name, c.relkind AS kind FROM pg_class c
WHERE c.relnamespace = 'commerce'::regnamespace AND c.relkind IN ('r', 'v', 'S', 'm', 'p', 'f');

CREATE ROLE tap_nobody;
CREATE ROLE tap_reader;
CREATE ROLE tap_app;
CREATE ROLE tap_relay;
CREATE ROLE tap_router;
CREATE ROLE tap_admin;
SELECT count(commerce.grant_access(('tap_' || level)::regrole, level))
FROM unnest(ARRAY['reader', 'app', 'relay', 'router', 'admin']) level \g /dev/null

SELECT plan(20);

SELECT is_empty($$
	SELECT r.name, e.expected, c.column
	FROM readable r CROSS JOIN regexp_split_to_table(r.columns, ', ') WITH ORDINALITY e (expected, attnum)
	LEFT JOIN columns c ON c.name = r.name AND c.attnum = e.attnum
	WHERE e.expected IS DISTINCT FROM c.column$$, 'columns and their types, in order');
SELECT is_empty($$
	SELECT c.column FROM columns c JOIN readable r USING (name) WHERE name IN ('stock', 'coupon_quota')
	EXCEPT SELECT regexp_split_to_table(columns, ', ') FROM readable WHERE name IN ('stock', 'coupon_quota')$$,
	'the views have no others');
SELECT is((SELECT string_agg("column", ', ' ORDER BY attnum) FROM columns WHERE name = 'coupon_wallet'),
	(SELECT string_agg("column", ', ' ORDER BY attnum) FROM columns WHERE name = 'coupons')
	|| ', name text, discount_type discount_type, discount_value bigint, max_discount_amount bigint, '
	|| 'min_order_amount bigint, state text', 'coupon_wallet');

SELECT enum_has_labels('commerce', 'balance_entry_type', '{charge,use,payment,refund}', 'balance_entry_type');
SELECT enum_has_labels('commerce', 'discount_type', '{fixed,percent}', 'discount_type');
SELECT enum_has_labels('commerce', 'coupon_status', '{issued,used,revoked}', 'coupon_status');
SELECT enum_has_labels('commerce', 'order_status', '{pending,paid,partially_refunded,refunded,cancelled,expired}', 'order_status');
SELECT enum_has_labels('commerce', 'delivery_status', '{available,running,delivered,dead,discarded}', 'delivery_status');

SELECT set_eq(format($$SELECT name FROM relations WHERE kind <> 'S' AND has_table_privilege('tap_%s', oid, 'SELECT')$$, level),
	$$SELECT name FROM readable UNION ALL SELECT 'coupon_wallet'$$, level || ' reads these')
FROM unnest(ARRAY['reader', 'app', 'relay', 'router']) level;
SELECT is_empty($$SELECT name FROM relations WHERE kind <> 'S' AND has_table_privilege('tap_nobody', oid, 'SELECT')$$,
	'nobody reads nothing');
SELECT is_empty($$
	SELECT u.rolname, r.name, p FROM relations r, pg_roles u,
		unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
	WHERE u.rolname ~ '^tap_' AND r.kind <> 'S' AND (has_table_privilege(u.oid, r.oid, p)
		OR p IN ('INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege(u.oid, r.oid, p))
	UNION ALL
	SELECT u.rolname, r.name, p FROM relations r, pg_roles u, unnest(ARRAY['USAGE', 'UPDATE', 'SELECT']) p
	WHERE u.rolname ~ '^tap_' AND r.kind = 'S' AND has_sequence_privilege(u.oid, r.oid, p)
	UNION ALL
	SELECT u.rolname, 'the schema', 'CREATE' FROM pg_roles u
	WHERE u.rolname ~ '^tap_' AND has_schema_privilege(u.oid, 'commerce', 'CREATE')$$,
	'no level writes a table or uses a sequence');

-- From PostgreSQL 17 on, a relation's row type and a type's array type are members
-- too. Nobody names these: they come with what has a comment.
CREATE TEMP VIEW members AS
SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS description
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
WHERE e.extname = 'commerce' AND NOT (d.classid = 'pg_type'::regclass AND d.objid IN (
	SELECT reltype FROM pg_class WHERE relkind <> 'c' UNION ALL SELECT typarray FROM pg_type));

SELECT is_empty($$
	SELECT description FROM members
	WHERE obj_description(objid, classid::regclass::name) IS NULL$$,
	'every function, table, view, type and sequence has a comment');
SELECT is_empty($$
	SELECT pg_describe_object('pg_proc'::regclass, oid, 0) FROM pg_proc
	WHERE pronamespace = 'commerce'::regnamespace AND oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_proc'::regclass)
	UNION ALL SELECT name FROM relations
	WHERE oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_class'::regclass)$$,
	'everything in the schema belongs to the extension');
SELECT set_eq($$SELECT unnest(extconfig)::regclass::text FROM pg_extension WHERE extname = 'commerce'$$,
	$$SELECT oid::regclass::text FROM relations WHERE kind IN ('r', 'S')$$, 'all data is dumped');
SELECT is_empty($$SELECT e.extcondition FROM pg_extension e WHERE extname = 'commerce' AND array_to_string(extcondition, '') <> ''$$,
	'and all rows of it');
SELECT is_empty($$
	SELECT oid::regprocedure FROM pg_proc
	WHERE pronamespace = 'commerce'::regnamespace AND prosecdef
	  AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)$$,
	'who acts with the owner''s rights looks for names in pg_catalog only');

SELECT commerce.create_user('Kim', 1), commerce.create_product('shirt', 1),
	commerce.create_product_option(1, 'red', 1, 1, 1), commerce.charge_balance(1, 1) \g /dev/null
SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]') \g /dev/null
INSERT INTO commerce.events (event_type, order_id) VALUES ('order.paid', 1);
SELECT results_eq('SELECT origin, xact_id FROM commerce.events ORDER BY event_id LIMIT 1',
	'SELECT origin, xact_id FROM commerce.events ORDER BY event_id DESC LIMIT 1',
	'an order gives its event what the table''s defaults would');

SELECT * FROM finish();
ROLLBACK;
