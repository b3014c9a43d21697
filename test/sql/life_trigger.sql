-- Users' own triggers on the tables: fired as for any INSERT or UPDATE.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 100, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, per_user_limit => 9, policy_id => 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.issue_coupon(1, 1);
END
$$;

CREATE TABLE pg_temp.log (entry serial, told text);
CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO pg_temp.log (told) VALUES (concat_ws(' ', TG_NAME, TG_WHEN, TG_OP, TG_LEVEL,
		CASE TG_TABLE_NAME
			WHEN 'orders' THEN to_jsonb(NEW) ->> 'total'
			WHEN 'balances' THEN (to_jsonb(OLD) ->> 'balance') || ' to ' || (to_jsonb(NEW) ->> 'balance')
			WHEN 'stored_deliveries' THEN coalesce(to_jsonb(OLD) ->> 'status' || ' to ', '') || (to_jsonb(NEW) ->> 'status')
			ELSE TG_TABLE_NAME END));
	RETURN NEW;
END
$$;
-- What was told since the last look.
CREATE FUNCTION pg_temp.told() RETURNS SETOF text LANGUAGE sql AS $$
	WITH d AS (DELETE FROM pg_temp.log RETURNING *) SELECT told FROM d ORDER BY entry
$$;

-- Row triggers of either time; a deferred one waits for the commit.
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON commerce.orders FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER b AFTER INSERT OR UPDATE ON commerce.orders FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE CONSTRAINT TRIGGER c AFTER INSERT ON commerce.orders DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
BEGIN;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]');
SELECT pg_temp.told();
COMMIT;
SELECT pg_temp.told();
DROP TRIGGER c ON commerce.orders;

-- On columns and conditions.
CREATE TRIGGER d AFTER UPDATE OF balance ON commerce.balances FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER e AFTER UPDATE OF user_id ON commerce.balances FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER f BEFORE UPDATE ON commerce.balances FOR EACH ROW
	WHEN (NEW.balance < 90000) EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER g AFTER INSERT OR UPDATE ON commerce.stored_deliveries FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT balance_after FROM commerce.use_balance(1, 1000);
SELECT balance_after FROM commerce.use_balance(1, 10000);
SELECT event_id FROM commerce.claim_events();
SELECT * FROM commerce.ack_events('{1}', '{1}');
SELECT pg_temp.told();

-- Every other table that an order writes.
CREATE TRIGGER h AFTER INSERT ON commerce.order_items FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER i AFTER INSERT ON commerce.balance_history FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER j AFTER UPDATE OF status ON commerce.coupons FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER k AFTER INSERT ON commerce.idempotency_keys FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER l AFTER UPDATE ON commerce.stock_slots FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER m AFTER INSERT ON commerce.events FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT total FROM commerce.place_order(1,
	'[{"option_id": 1, "quantity": 1}, {"option_id": 2, "quantity": 1}]', 1, 'k');
SELECT pg_temp.told() ORDER BY 1;
-- A replay writes nothing.
SELECT total FROM commerce.place_order(1,
	'[{"option_id": 1, "quantity": 1}, {"option_id": 2, "quantity": 1}]', 1, 'k');
SELECT pg_temp.told();
-- A refusal neither.
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1000}]')$$);
SELECT pg_temp.told();

-- Statement triggers don't fire: what the functions write are rows, not statements.
CREATE TRIGGER n AFTER INSERT ON commerce.products FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER o AFTER INSERT ON commerce.products FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT name FROM commerce.create_product('coat');
SELECT pg_temp.told();

-- Disabled, or for replicas only: silent.
ALTER TABLE commerce.orders DISABLE TRIGGER a;
ALTER TABLE commerce.orders ENABLE REPLICA TRIGGER b;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 3}]');
SELECT count(*) FROM pg_temp.told() t WHERE t ~ '^[ab] ';
SELECT * FROM commerce.verify();
