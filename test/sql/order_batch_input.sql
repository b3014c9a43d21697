-- place_orders' argument: what fails the call, and what only its request.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/requests.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 1000);
	PERFORM commerce.create_product('thing', 1);
	PERFORM commerce.create_product_option(1, 'red', 1, 1000, 1);
	PERFORM commerce.create_product_option(1, 'all', 9223372036854775807, 1000, 2);
END
$$;

-- Nothing to do.
SELECT * FROM commerce.place_orders('[]');
SELECT * FROM commerce.place_orders(' [ ] ');

-- No array, no object in it, a key that is none of place_order's arguments.
SELECT c.requests, r.code, r.message
FROM (VALUES
	(1, NULL), (2, 'null'), (3, '{}'), (4, '1'), (5, '"[]"'), (6, 'true'),
	(7, '{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}]}'),
	(8, '[1]'), (9, '[null]'), (10, '["{}"]'), (11, '[[]]'), (12, '[{}, [{}]]'),
	(13, '[{"user": 1}]'),
	(14, '[{"user_id": 1, "items": [], "coupon_id": 1, "idempotency_key": "k", "ttl": "1 hour"}]'),
	(15, '[{"USER_ID": 1}]'), (16, '[{"": 1}]'), (17, '[{"user_id ": 1}]'), (18, '[{"order_id": null}]')
) c (nth, requests), pg_temp.refusal(format('SELECT * FROM commerce.place_orders(%L)', c.requests)) r
ORDER BY c.nth;

-- A value of a wrong type fails the call, wherever it is; what is right in other elements doesn't help.
SELECT c.request, r.code, r.message
FROM (VALUES
	(1, '"user_id": "1"'), (2, '"user_id": true'), (3, '"user_id": [1]'), (4, '"user_id": {}'),
	(5, '"user_id": 1.5'), (6, '"user_id": 9223372036854775808'), (7, '"user_id": -9223372036854775809'),
	(8, '"user_id": 1e400'), (9, '"user_id": 1e-400'),
	(10, '"user_id": 1, "coupon_id": "1"'), (11, '"user_id": 1, "coupon_id": false'),
	(12, '"user_id": 1, "coupon_id": 0.1'), (13, '"user_id": 1, "coupon_id": 1e19'), (14, '"user_id": 1, "coupon_id": []'),
	(15, '"user_id": 1, "idempotency_key": 1'), (16, '"user_id": 1, "idempotency_key": true'),
	(17, '"user_id": 1, "idempotency_key": ["k"]'), (18, '"user_id": 1, "idempotency_key": {}')
) c (nth, request), pg_temp.refusal(format('SELECT * FROM commerce.place_orders(%L)',
	format('[{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}]}, {%s, "items": []}]', c.request))) r
ORDER BY c.nth;
SELECT count(*) FROM commerce.orders;

-- Everything else stays with its request: NULL and left out, malformed items, bounds of a key.
SELECT r.* FROM commerce.place_orders('[
	{},
	{"user_id": null, "items": null, "idempotency_key": ""},
	{"items": [{"option_id": 1, "quantity": 1}]},
	{"user_id": 1},
	{"user_id": 1, "idempotency_key": ""},
	{"user_id": 1, "items": null},
	{"user_id": 1, "items": 5},
	{"user_id": 1, "items": "[]"},
	{"user_id": 1, "items": {}},
	{"user_id": 1, "items": [], "idempotency_key": ""},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}, 7]},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 0}]},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1.5}]},
	{"user_id": 1, "items": [{"option_id": "1", "quantity": 1}]},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1, "price": 0}]},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1000000000}, {"option_id": 1, "quantity": 1}]},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}], "idempotency_key": ""}
]') r;
SELECT sqlstate, message, detail FROM pg_temp.batch(
	pg_temp.request(1, '1:1', NULL, repeat('k', 256)), pg_temp.request(1, '1:1', NULL, repeat('ä', 256)),
	pg_temp.request(1, '1:1', NULL, repeat('ä', 255)), pg_temp.request(1, '1:1', NULL, repeat('k', 255)));
SELECT max(length(idempotency_key)), max(octet_length(idempotency_key)) FROM commerce.idempotency_keys;

-- More lines than the setting allows.
SET commerce.max_order_lines = 2;
SELECT sqlstate, message FROM pg_temp.batch(
	pg_temp.request(1, '1:1 1:1 1:1'), pg_temp.request(1, '1:1 1:1'));
RESET commerce.max_order_lines;

-- The least and the greatest bigint are ids like others; whole is what is whole by value.
SELECT request_no, sqlstate, detail FROM commerce.place_orders('[
	{"user_id": 9223372036854775807, "items": [{"option_id": 1, "quantity": 1}]},
	{"user_id": -9223372036854775808, "items": [{"option_id": -9223372036854775808, "quantity": 1}]},
	{"user_id": 1, "items": [{"option_id": 9223372036854775807, "quantity": 1}]},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}], "coupon_id": -9223372036854775808},
	{"user_id": 1.0, "items": [{"option_id": 0.1e1, "quantity": 1e1}]},
	{"user_id": 7, "user_id": 1, "items": [{"option_id": 1, "quantity": 1}]}]');

-- A sum that fits in no bigint: 22003, after stock, before coupon and balance, and only there.
SELECT request_no, sqlstate, message, detail FROM pg_temp.batch(
	pg_temp.request(1, '2:2'), pg_temp.request(1, '2:1 1:1', 99), pg_temp.request(1, '2:2000'),
	pg_temp.request(1, '2:2 9:1'), pg_temp.request(9, '2:2'), pg_temp.request(1, '1:1'));

-- In a read-only transaction even nothing is too much.
BEGIN READ ONLY;
SELECT code, message FROM pg_temp.refusal($$SELECT * FROM commerce.place_orders('[{}]')$$);
ROLLBACK;
SELECT * FROM commerce.verify();
