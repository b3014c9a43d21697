-- A loaded shop, a role for each level of access, and what makes sqlsmith call the
-- extension: it takes the values of its queries from tables, and its functions from
-- "pg_proc", which here has those of the extension that the role may call, and little
-- else. That some of them return sets it is not told: it would leave them out.
CREATE EXTENSION commerce;

SELECT count(commerce.create_user('user ' || n, n)), count(commerce.charge_balance(n, 1000000))
FROM generate_series(1, 200) n;
SELECT count(commerce.create_product('product ' || n, n)),
	count(commerce.create_product_option(n, 'red', 100 * n, 100000, n)),
	count(commerce.create_product_option(n, 'blue', 50 * n, 5, 100 + n))
FROM generate_series(1, 50) n;
SELECT commerce.create_coupon_policy('spring', 'percent', 10, 100000, per_user_limit => 1000,
	policy_id => 1);
SELECT commerce.create_coupon_policy('autumn', 'fixed', 5, 100000, per_user_limit => 1000,
	policy_id => 2);
SELECT count(commerce.issue_coupon(n, 1 + n % 2)) FROM generate_series(1, 200) n;
SELECT commerce.spread_stock(1, 4);
SELECT commerce.create_subscription('mail');
DO $$
BEGIN
	FOR n IN 1 .. 2000 LOOP
		IF n % 4 = 0 THEN
			PERFORM commerce.hold_order(1 + n % 200, jsonb_build_array(
				jsonb_build_object('option_id', 1 + n % 50, 'quantity', 1)), ttl => '1 hour');
		ELSE
			PERFORM commerce.place_order(1 + n % 200, jsonb_build_array(
				jsonb_build_object('option_id', 1 + n % 50, 'quantity', 1 + n % 3)),
				CASE WHEN n <= 200 THEN 1 + n % 200 END, 'key ' || n);
		END IF;
	END LOOP;
	PERFORM commerce.cancel_order(n * 7) FROM generate_series(1, 50) n;
	PERFORM commerce.pay_order(n * 8) FROM generate_series(60, 100) n;
	PERFORM count(*) FROM commerce.claim_events(500, '1 hour', 'mail');
END
$$;

CREATE SCHEMA smith;
CREATE TABLE smith.argument (user_id bigint, order_id bigint, amount bigint, quantity int,
	items jsonb, requests jsonb, ids bigint[], attempts int[], name text, subscription text,
	duration interval, moment timestamptz, yes boolean, discount commerce.discount_type);
INSERT INTO smith.argument VALUES
	(1, 1, 100, 1, '[{"option_id": 1, "quantity": 1}]',
		'[{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}]}]',
		'{1,2,3}', '{1,1,1}', 'key', 'mail', '1 hour', now(), true, 'fixed'),
	(2, 800, 0, 0, '[{"option_id": 101, "quantity": 9}]',
		'[{"user_id": 2, "items": [], "idempotency_key": "k"}, {"user_id": 3, "items": null}]',
		'{}', '{}', '', 'default', '0', 'infinity', false, 'percent'),
	(200, 7, -1, -1, '[]', '[]', '{NULL}', '{NULL}', repeat('x', 300), 'none', '-1 day',
		'-infinity', NULL, NULL),
	(9223372036854775807, 9223372036854775807, 9223372036854775807, 2147483647,
		'[{"option_id": "9223372036854775807", "quantity": 1000000000}]', '{}',
		'{{1,2},{3,4}}', '[5:6]={1,2}', E'\n', NULL, '1000 years', '4714-11-24 BC', NULL, NULL),
	(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE VIEW smith.pg_proc AS
SELECT p.oid, p.proname, p.pronamespace, p.prorettype, p.proargtypes, false AS proretset, p.prokind
FROM pg_catalog.pg_proc p
WHERE has_function_privilege(p.oid, 'EXECUTE')
	AND (p.pronamespace = 'commerce'::regnamespace
		OR p.pronamespace = 'pg_catalog'::regnamespace
			AND p.proname IN ('jsonb_build_array', 'abs', 'length', 'now', 'coalesce', 'md5',
				'array_append', 'jsonb_array_length', 'count', 'max', 'to_jsonb'));

-- The operators of ranges it cannot use, and most of its queries would be refused.
SET allow_system_table_mods = on;
DELETE FROM pg_operator
WHERE oprleft IN ('anyrange'::regtype, 'anymultirange'::regtype)
	OR oprright IN ('anyrange'::regtype, 'anymultirange'::regtype);

DO $$
DECLARE
	level text;
BEGIN
	FOREACH level IN ARRAY '{reader, app, relay, router, admin}'::text[] LOOP
		EXECUTE format('CREATE ROLE smith_%s LOGIN', level);
		EXECUTE format('ALTER ROLE smith_%s SET search_path = smith, pg_catalog', level);
		EXECUTE format('GRANT USAGE ON SCHEMA smith TO smith_%s', level);
		EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA smith TO smith_%s', level);
		PERFORM commerce.grant_access(('smith_' || level)::regrole, level);
	END LOOP;
END
$$;
