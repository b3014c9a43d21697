-- The settings: names, defaults, who may change them, and that they count.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Calling any function loads the library; its settings are there from then on.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('thing', 1);
	PERFORM commerce.create_product_option(1, n::text, 1, 100, n) FROM generate_series(1, 5) n;
END
$$;
SELECT name, boot_val, unit FROM pg_settings
WHERE name IN ('commerce.max_charge_amount', 'commerce.max_order_lines') ORDER BY name;

-- Superuser or configuration file only, but for who somebody says to be; every one has a
-- description.
SELECT name, context FROM pg_settings
WHERE name LIKE 'commerce.%' AND (context = 'user' OR short_desc = '');
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_commerce_shop;
RESET client_min_messages;
CREATE ROLE regress_commerce_shop;
SET ROLE regress_commerce_shop;
\set VERBOSITY sqlstate
SET commerce.max_charge_amount = 5;
SET commerce.max_order_lines = 5;
\set VERBOSITY default
RESET ROLE;
DROP ROLE regress_commerce_shop;

-- Nothing else in our namespace: a misspelt setting is refused.
\set VERBOSITY sqlstate
SET commerce.max_charge_amonut = 5;
\set VERBOSITY default

-- max_charge_amount: that much and no more, from the next call on.
SET commerce.max_charge_amount = 500;
SELECT amount FROM commerce.charge_balance(1, 500, 'charge-1');
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.charge_balance(1, 501)$$);
SET commerce.max_charge_amount = 501;
SELECT amount FROM commerce.charge_balance(1, 501);
-- It is a bound of the argument, and bounds come before the key.
SET commerce.max_charge_amount = 499;
SELECT code FROM pg_temp.refusal($$SELECT commerce.charge_balance(1, 500, 'charge-1')$$);
BEGIN;
SET LOCAL commerce.max_charge_amount = 1000000;
SELECT entry_no FROM commerce.charge_balance(1, 500, 'charge-1');
COMMIT;
SHOW commerce.max_charge_amount;
RESET commerce.max_charge_amount;

-- max_order_lines: elements, before equal options are merged.
SET commerce.max_order_lines = 2;
SELECT subtotal FROM commerce.place_order(1,
	'[{"option_id": 1, "quantity": 1}, {"option_id": 2, "quantity": 1}]');
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(1,
	'[{"option_id": 1, "quantity": 1}, {"option_id": 2, "quantity": 1}, {"option_id": 3, "quantity": 1}]')$$);
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(1,
	'[{"option_id": 1, "quantity": 1}, {"option_id": 1, "quantity": 1}, {"option_id": 1, "quantity": 1}]')$$);
SELECT code FROM pg_temp.refusal($$SELECT * FROM commerce.quote_order(1,
	'[{"option_id": 1, "quantity": 1}, {"option_id": 2, "quantity": 1}, {"option_id": 3, "quantity": 1}]')$$);
SET commerce.max_order_lines = 2000;
SELECT subtotal FROM commerce.place_order(1, (SELECT jsonb_agg('{"option_id": 4, "quantity": 1}'::jsonb)
	FROM generate_series(1, 100)));
RESET commerce.max_order_lines;

-- Values that make no sense.
\set VERBOSITY sqlstate
SET commerce.max_charge_amount = 0;
SET commerce.max_charge_amount = -1;
SET commerce.max_charge_amount = 9223372036854775808;
SET commerce.max_charge_amount = 'much';
SET commerce.max_charge_amount = '';
SET commerce.max_order_lines = 0;
SET commerce.max_order_lines = -1;
\set VERBOSITY default
SHOW commerce.max_charge_amount;
SHOW commerce.max_order_lines;
SELECT * FROM commerce.verify();
