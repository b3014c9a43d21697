-- What the customer was shown: the order costs that, or nothing happens.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 5, 1);
	PERFORM commerce.create_coupon_policy('300 off', 'fixed', 300, 10, min_order_amount => 500, policy_id => 1);
	PERFORM commerce.charge_balance(1, 5000);
	PERFORM commerce.issue_coupon(1, 1);
END
$$;
\set one '[{"option_id": 1, "quantity": 1}]'
\set nine '[{"option_id": 1, "quantity": 9}]'

-- Subtotal less discount, to the unit.
SELECT order_id, total FROM commerce.place_order(1, :'one', expected_total => 1000);
SELECT code, message, detail FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', 1, expected_total => 1000)$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', expected_total => 999)$$);
SELECT order_id, total FROM commerce.hold_order(1, :'one', 1, expected_total => 700);

-- The price changed between quote and order.
SELECT option_id, price FROM commerce.set_price(1, 15000);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'k', 1000)$$);
SELECT available FROM commerce.stock;

-- It ranks behind stock and coupon, and before the balance: here the user has
-- none, or too little.
SELECT c.why, r.code
FROM (VALUES
	('no stock',		$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 9}]', expected_total => 1)$$),
	('no coupon',		$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', 9, expected_total => 1)$$),
	('no account',		$$SELECT commerce.place_order(2, '[{"option_id": 1, "quantity": 1}]', expected_total => 1)$$),
	('too little',		$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', expected_total => 1)$$),
	('as expected',		$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', expected_total => 15000)$$),
	('no user',			$$SELECT commerce.place_order(9, '[{"option_id": 1, "quantity": 1}]', expected_total => 1)$$),
	('negative',		$$SELECT commerce.place_order(9, '[{"option_id": 1, "quantity": 1}]', expected_total => -1)$$),
	('far too much',	$$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', expected_total => 9223372036854775807)$$)
) c (why, statement), pg_temp.refusal(c.statement) r;

-- A key stands for the order, not for what it was expected to cost; a refused call left none.
SELECT commerce.set_price(1, 1000) \g /dev/null
SELECT order_id, total FROM commerce.place_order(1, :'one', NULL, 'k', 1000);
SELECT order_id, total FROM commerce.place_order(1, :'one', NULL, 'k', 2000);
SELECT order_id, total FROM commerce.place_order(1, :'one', NULL, 'k');

-- In a batch each request has its own.
SELECT request_no, order_id, sqlstate, detail FROM commerce.place_orders('[
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}], "expected_total": 999},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}], "expected_total": 1000},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}], "expected_total": null},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}], "expected_total": -1}]');
SELECT code, message FROM pg_temp.refusal($$SELECT * FROM commerce.place_orders('[{"user_id": 1, "items": [], "expected_total": "1"}]')$$);

SELECT * FROM commerce.verify();
