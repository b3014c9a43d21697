-- The items argument: what is an order's list of options, and what is not.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 1000000000000);
	PERFORM commerce.create_product('thing', 1);
	PERFORM commerce.create_product_option(1, n::text, 1, 2000000000, n) FROM generate_series(1, 1001) n;
	PERFORM commerce.create_product_option(1, 'largest id', 1, 2000000000, 9007199254740991);
END
$$;

-- Not a list at all. JSON null is malformed; SQL NULL is a missing argument.
CREATE FUNCTION pg_temp.items_refusal(items jsonb, OUT code text, OUT element text)
LANGUAGE sql AS $$
	SELECT r.code, r.detail ->> 'element'
	FROM pg_temp.refusal(format('SELECT commerce.place_order(1, %L)', items)) r
$$;
SELECT c.items, r.*
FROM (VALUES (1, 'null'), (2, '{}'), (3, '{"option_id": 1, "quantity": 1}'), (4, '"[]"'),
	(5, '1'), (6, 'true'), (7, '[]')
) c (nth, items), pg_temp.items_refusal(c.items::jsonb) r ORDER BY c.nth;
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.place_order(1, NULL)$$);

-- An element that is no object of exactly the two keys: the element at fault is told.
SELECT c.items, r.*
FROM (VALUES
	(1, '[null]'), (2, '[1]'), (3, '["option_id"]'), (4, '[[]]'), (5, '[{}]'),
	(6, '[[{"option_id": 1, "quantity": 1}]]'),
	(7, '[{"option_id": 1}]'), (8, '[{"quantity": 1}]'),
	(9, '[{"option_id": 1, "quantity": 1, "price": 1}]'),
	(10, '[{"Option_id": 1, "quantity": 1}]'),
	(11, '[{"option_id": 1, "quantity": 1}, {"option_id": 2}]'),
	(12, '[{"option_id": 1, "quantity": 1}, {"option_id": 2, "quantity": 1}, null]')
) c (nth, items), pg_temp.items_refusal(c.items::jsonb) r ORDER BY c.nth;

-- Values that are no whole numbers, or out of bounds, in either place.
SELECT v.value, q.code AS as_quantity, o.code AS as_option_id
FROM (VALUES
	(1, 'null'), (2, '"1"'), (3, 'true'), (4, '[]'), (5, '[1]'), (6, '{}'), (7, '""'),
	(8, '1.5'), (9, '0.5'), (10, '1e-1'), (11, '1.0000000000000000000000001'),
	(12, '1e400'), (13, '-1e400'), (14, '1e-400'), (15, '9223372036854775808'),
	(16, '-9223372036854775809'), (17, '123456789012345678901234567890'),
	(18, '1e131071'), (19, '-1e131071'), (20, '1e-16383')
) v (nth, value),
	pg_temp.items_refusal(format('[{"option_id": 1, "quantity": %s}]', value)::jsonb) q,
	pg_temp.items_refusal(format('[{"option_id": %s, "quantity": 1}]', value)::jsonb) o
ORDER BY v.nth;

-- Any bigint may be an option's id, a quantity is 1 to 1000000000.
SELECT v.value, q.code AS as_quantity, o.code AS as_option_id
FROM (VALUES
	(1, '0'), (2, '-0'), (3, '-1'), (4, '1'), (5, '1000000000'), (6, '1000000001'),
	(7, '9007199254740991'), (9, '9223372036854775807'), (8, '-9223372036854775808')
) v (nth, value),
	pg_temp.items_refusal(format('[{"option_id": 1, "quantity": %s}]', value)::jsonb) q,
	pg_temp.items_refusal(format('[{"option_id": %s, "quantity": 1}]', value)::jsonb) o
ORDER BY v.nth;

-- Whole numbers in other clothes; the last of two equal keys counts, as in any jsonb.
SELECT subtotal
FROM commerce.place_order(1, '[{"option_id": 1.0, "quantity": 1e2}, {"quantity": 5.00, "option_id": 20e-1},
	{"option_id": 3, "quantity": 9, "quantity": 4}, {"option_id": 400e-2, "quantity": 0.01e2}]');
SELECT option_id, quantity FROM commerce.order_items ORDER BY line_no;

-- The same option more than once: the sum has the same bound.
SELECT code FROM pg_temp.items_refusal(
	'[{"option_id": 1, "quantity": 600000000}, {"option_id": 1, "quantity": 400000000}]');
SELECT code FROM pg_temp.items_refusal(
	'[{"option_id": 1, "quantity": 600000000}, {"option_id": 1, "quantity": 400000001}]');

-- 1000 elements are allowed, 1001 are not, even of one option.
SELECT order_id, subtotal FROM commerce.place_order(1, (
	SELECT jsonb_agg(jsonb_build_object('option_id', n, 'quantity', n)) FROM generate_series(1, 1000) n)) \gset
SELECT :subtotal AS subtotal, count(*) AS lines, min(line_no), max(line_no), sum(quantity) AS quantity
FROM commerce.order_items WHERE order_id = :order_id;
SELECT subtotal FROM commerce.place_order(1, (
	SELECT jsonb_agg(jsonb_build_object('option_id', 1, 'quantity', 1)) FROM generate_series(1, 1000) n));
SELECT r.code FROM pg_temp.items_refusal((
	SELECT jsonb_agg(jsonb_build_object('option_id', n, 'quantity', 1)) FROM generate_series(1, 1001) n)) r;
SELECT r.code FROM pg_temp.items_refusal((
	SELECT jsonb_agg(jsonb_build_object('option_id', 1, 'quantity', 1)) FROM generate_series(1, 1001) n)) r;

-- Deep and wide nonsense.
SELECT r.code, r.element FROM pg_temp.items_refusal((repeat('[', 1000) || repeat(']', 1000))::jsonb) r;
SELECT r.code, r.element FROM pg_temp.items_refusal(
	('[{"option_id": ' || repeat('{"a": ', 1000) || '1' || repeat('}', 1000) || ', "quantity": 1}]')::jsonb) r;
SELECT r.code, r.element FROM pg_temp.items_refusal(jsonb_build_array(
	jsonb_build_object('option_id', 1, 'quantity', 1, repeat('k', 100000), repeat('v', 1000000)))) r;
SELECT r.code, r.element FROM pg_temp.items_refusal((
	SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 100000))) r;

-- quote_order takes the same list.
SELECT code FROM pg_temp.refusal($$SELECT * FROM commerce.quote_order(1, '[{"option_id": 1}]')$$);
SELECT code FROM pg_temp.refusal($$SELECT * FROM commerce.quote_order(1, 'null')$$);
SELECT code FROM pg_temp.refusal($$SELECT * FROM commerce.quote_order(1, NULL)$$);
SELECT count(*) FROM commerce.quote_order(1, (
	SELECT jsonb_agg(jsonb_build_object('option_id', n, 'quantity', 1)) FROM generate_series(1, 1000) n));
SELECT * FROM commerce.verify();
