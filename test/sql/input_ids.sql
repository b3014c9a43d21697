-- Ids fit into a JSON number: 1..2^53-1, given or made.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

SELECT user_id FROM commerce.create_user('Kim', 9007199254740991);
SELECT product_id FROM commerce.create_product('shirt', 9007199254740991);
SELECT option_id FROM commerce.create_product_option(9007199254740991, 'red', 1, 1, 9007199254740991);
SELECT policy_id FROM commerce.create_coupon_policy('x', 'fixed', 1, 1, policy_id => 9007199254740991);
SELECT c.why, r.code, r.message
FROM (VALUES
	('user',	$$SELECT commerce.create_user('Kim', 9007199254740992)$$),
	('user',	$$SELECT commerce.create_user('Kim', 0)$$),
	('user',	$$SELECT commerce.create_user('Kim', -1)$$),
	('product',	$$SELECT commerce.create_product('shirt', 9007199254740992)$$),
	('option',	$$SELECT commerce.create_product_option(9, 'red', 1, 1, 9007199254740992)$$),
	('policy',	$$SELECT commerce.create_coupon_policy('x', 'fixed', 1, 1, policy_id => 9007199254740992)$$)
) c (why, statement), pg_temp.refusal(c.statement) r;

-- The highest id neither ends nor moves the making of others.
SELECT user_id FROM commerce.create_user('Lee');
SELECT option_id FROM commerce.create_product_option(9007199254740991, 'blue', 1);
-- Ids given in their order move it along, so that none has to be tried.
SELECT count(commerce.create_user('user', i)) FROM generate_series(2, 3000) i;
SELECT last_value FROM commerce.user_id_seq;
SELECT user_id FROM commerce.create_user('Choi');
-- In whatever order, none collides.
SELECT count(commerce.create_user('user', i)) FROM generate_series(50002, 50000, -1) i;
SELECT setval('commerce.user_id_seq', 49999);
SELECT user_id FROM commerce.create_user('Park');

-- Where an id only names something, any bigint may.
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.get_order(9223372036854775807)$$);
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(-9223372036854775808, '[{"option_id": 9223372036854775807, "quantity": 1}]')$$);

-- option_id as a string of digits, as JavaScript's drivers hand bigints out.
SELECT commerce.charge_balance(1, 10) \g /dev/null
SELECT total FROM commerce.place_order(1, '[{"option_id": "9007199254740991", "quantity": 1}]');
SELECT line_total FROM commerce.quote_order(1, '[{"option_id": "0009007199254740991", "quantity": 1}, {"option_id": 9007199254740991, "quantity": 1}]');
SELECT c.items, r.code, r.detail ->> 'reason' AS reason
FROM (VALUES ('""'), ('"1.0"'), ('" 1"'), ('"1 "'), ('"+1"'), ('"-1"'), ('"1e2"'), ('"9223372036854775808"'), ('"99999999999999999999"'), ('"\u0661"'), ('["1"]'), ('true')) c (items),
	pg_temp.refusal(format('SELECT commerce.place_order(1, %L)', '[{"option_id": ' || c.items || ', "quantity": 1}]')) r;
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": "1", "quantity": "1"}]')$$);
SELECT code, detail ->> 'reason' AS reason FROM pg_temp.refusal(format('SELECT commerce.place_order(1, %L)',
	jsonb_build_array(jsonb_build_object('option_id', repeat('9', 1000000), 'quantity', 1))));

-- Sequences end where ids do; after a switch they go on behind what there is.
SELECT sequencename, max_value FROM pg_sequences WHERE schemaname = 'commerce' AND max_value <> 9007199254740991 ORDER BY 1;
SELECT commerce.advance_sequences();
SELECT last_value FROM commerce.order_id_seq;
SELECT last_value FROM commerce.user_id_seq;
SELECT user_id FROM commerce.create_user('Jung');
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.advance_sequences(-1)$$);
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.advance_sequences(NULL)$$);
