-- What the steps of several specs call. Every spec finds these functions in its
-- database: test/specs/run.sh puts them there.

-- The extension comes later, with a spec's set-up.
SET check_function_bodies = off;

-- One of each option.
CREATE OR REPLACE FUNCTION items(VARIADIC option_ids bigint[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('option_id', option_id, 'quantity', 1))
	FROM unnest(option_ids) AS option_id;
$$;

-- '1:2 7:1' is two units of option 1 and one of option 7. Other words are left out.
CREATE OR REPLACE FUNCTION items(lines text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('option_id', split_part(line, ':', 1)::bigint,
		'quantity', split_part(line, ':', 2)::bigint) ORDER BY nth)
	FROM regexp_split_to_table(lines, ' ') WITH ORDINALITY AS r (line, nth)
	WHERE line LIKE '%:%';
$$;

-- A batch. '1 2:3 c4 kx': user 1 wants 3 of option 2, with coupon 4 and the key kx.
CREATE OR REPLACE FUNCTION requests(VARIADIC lines text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
		'user_id', split_part(line, ' ', 1)::bigint,
		'items', items(line),
		'coupon_id', substring(line FROM ' c([0-9]+)')::bigint,
		'idempotency_key', substring(line FROM ' (k[a-z]*)'))) ORDER BY nth)
	FROM unnest(lines) WITH ORDINALITY AS r (line, nth);
$$;

-- An option whose stock lies in slots 0, 1, 2... as if split so.
CREATE OR REPLACE FUNCTION stocked(option bigint, VARIADIC quantities bigint[])
RETURNS void LANGUAGE sql AS $$
	SELECT commerce.create_product_option(1, 'size ' || option, 1,
		(SELECT sum(q)::bigint FROM unnest(quantities) AS q), option);
	DELETE FROM commerce.stock_slots WHERE option_id = option;
	INSERT INTO commerce.stock_slots
	SELECT option, n - 1, (SELECT min(l) FROM generate_series(0, 10) AS l
						   WHERE 2 ^ l >= n AND n - 1 + 2 ^ l >= cardinality(quantities)), q
	FROM unnest(quantities) WITH ORDINALITY AS s (q, n);
$$;

-- slot/level: quantity
CREATE OR REPLACE FUNCTION slots(option bigint) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s/%s: %s', slot, level, quantity), ', ' ORDER BY slot)
	FROM commerce.stock_slots WHERE option_id = option;
$$;
