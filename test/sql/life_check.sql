-- CHECKs of a DBA's own come, go and change between calls of one session, and each
-- call goes by what is there.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.charge_balance(1, 100000);
END
$$;

-- Added and dropped.
ALTER TABLE commerce.balances ADD CONSTRAINT modest CHECK (balance <= 100500);
SELECT balance_after FROM commerce.charge_balance(1, 500);
SELECT code FROM pg_temp.refusal('SELECT commerce.charge_balance(1, 1)');
ALTER TABLE commerce.balances DROP CONSTRAINT modest;
SELECT balance_after FROM commerce.charge_balance(1, 1);

-- Only for the transaction that added it.
BEGIN;
ALTER TABLE commerce.balances ADD CONSTRAINT modest CHECK (balance <= 100501);
SELECT code FROM pg_temp.refusal('SELECT commerce.charge_balance(1, 1)');
ROLLBACK;
SELECT balance_after FROM commerce.charge_balance(1, 1);

-- By a function that is replaced; the planner takes its result for a constant.
CREATE FUNCTION pg_temp.most() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 100600::bigint';
ALTER TABLE commerce.balances ADD CONSTRAINT modest CHECK (balance <= pg_temp.most());
SELECT code FROM pg_temp.refusal('SELECT commerce.charge_balance(1, 600)');
CREATE OR REPLACE FUNCTION pg_temp.most() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 200000::bigint';
SELECT balance_after FROM commerce.charge_balance(1, 600);
ALTER TABLE commerce.balances DROP CONSTRAINT modest;

-- By a domain whose constraint changes; the column is one that we leave alone.
CREATE DOMAIN pg_temp.small AS bigint;
ALTER TABLE commerce.balances ADD CONSTRAINT modest CHECK ((balance::pg_temp.small) > 0);
SELECT balance_after FROM commerce.charge_balance(1, 1);
ALTER DOMAIN pg_temp.small ADD CHECK (VALUE < 101104);
SELECT code FROM pg_temp.refusal('SELECT commerce.charge_balance(1, 1)');
ALTER TABLE commerce.balances DROP CONSTRAINT modest;
SELECT balance_after FROM commerce.charge_balance(1, 1);

-- An index whose predicate a function decides.
CREATE FUNCTION pg_temp.is_large(total bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT total >= 3000';
CREATE INDEX large_orders ON commerce.orders (order_id) WHERE pg_temp.is_large(total);
SELECT count(*) FROM generate_series(1, 3) n, commerce.place_order(1,
	jsonb_build_array(jsonb_build_object('option_id', 1, 'quantity', n)));
SET enable_seqscan = off;
SELECT total FROM commerce.orders WHERE pg_temp.is_large(total);
RESET enable_seqscan;

-- What a call uses changes under it: a trigger has the tables analysed, which every
-- session hears of, and calls us for them again.
CREATE FUNCTION pg_temp.meanwhile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.user_id = 1 THEN
		ANALYZE commerce.stock_slots, commerce.balances, commerce.orders, commerce.events;
		PERFORM commerce.charge_balance(2, 3000);
		ANALYZE commerce.stock_slots, commerce.balances, commerce.orders, commerce.events;
		PERFORM commerce.place_order(2, '[{"option_id": 1, "quantity": 2}]');
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER meanwhile BEFORE INSERT ON commerce.orders FOR EACH ROW EXECUTE FUNCTION pg_temp.meanwhile();
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT balance, entry_count FROM commerce.balances ORDER BY user_id;
SELECT available FROM commerce.stock;
SELECT * FROM commerce.verify();
