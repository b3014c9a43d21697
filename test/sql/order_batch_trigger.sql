-- Users' own triggers and place_orders: what they see, what they may do, and what fails the call.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/requests.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1), commerce.create_user('Lee', 2);
	PERFORM commerce.charge_balance(1, 1000), commerce.charge_balance(2, 1000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 10, 1000, 1);
	PERFORM commerce.create_product_option(1, 'gift', 0, 450, 2);
END
$$;

-- AFTER triggers may use commerce themselves. They fire when a part of the batch is written, and the
-- next part sees what they did: a gift goes with each order, until there is none left.
CREATE FUNCTION pg_temp.give() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.total > 0 THEN
		PERFORM commerce.place_order(NEW.user_id, '[{"option_id": 2, "quantity": 1}]');
		PERFORM commerce.charge_balance(NEW.user_id, 1);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER give AFTER INSERT ON commerce.orders FOR EACH ROW EXECUTE FUNCTION pg_temp.give();
SELECT sqlstate, count(*) FROM commerce.place_orders((
	SELECT jsonb_agg(pg_temp.request(1, '1:1') ORDER BY n) FROM generate_series(1, 50) n)) GROUP BY sqlstate;
SELECT user_id, balance, entry_count FROM commerce.balances ORDER BY user_id;
SELECT balance_after FROM commerce.charge_balance(2, 5000);
SELECT sqlstate, count(*) FROM commerce.place_orders((
	SELECT jsonb_agg(CASE n WHEN 401 THEN pg_temp.request(2, '2:1') ELSE pg_temp.request(2, '1:1') END ORDER BY n)
	FROM generate_series(1, 401) n)) GROUP BY sqlstate;
SELECT user_id, balance, entry_count FROM commerce.balances ORDER BY user_id;
SELECT option_id, available FROM commerce.stock ORDER BY option_id;
SELECT * FROM commerce.verify();

-- An error in one refuses the whole call, though it is about one order only.
SELECT code, message FROM pg_temp.refusal($$SELECT count(*) FROM pg_temp.batch(
	pg_temp.request(1, '1:1'), pg_temp.request(2, '1:1'))$$);
DROP TRIGGER give ON commerce.orders;

-- So may BEFORE triggers on what is inserted, which comes last.
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE TG_ARGV[0];
	RETURN NEW;
END
$$;
CREATE TRIGGER meddle BEFORE INSERT ON commerce.orders FOR EACH ROW
	EXECUTE FUNCTION pg_temp.meddle('SELECT commerce.charge_balance(1, 5)');
SELECT sqlstate FROM pg_temp.batch(pg_temp.request(1, '1:1'), pg_temp.request(1, '1:1'));
SELECT * FROM commerce.verify();
DROP TRIGGER meddle ON commerce.orders;
CREATE TRIGGER meddle BEFORE INSERT ON commerce.orders FOR EACH ROW
	EXECUTE FUNCTION pg_temp.meddle('SELECT commerce.adjust_stock(1, 5)');
SELECT sqlstate FROM pg_temp.batch(pg_temp.request(1, '1:1'), pg_temp.request(1, '1:1'));
SELECT * FROM commerce.verify();
DROP TRIGGER meddle ON commerce.orders;
-- What the batch has nothing to do with, they may.
CREATE TRIGGER meddle BEFORE INSERT ON commerce.orders FOR EACH ROW
	EXECUTE FUNCTION pg_temp.meddle('SELECT commerce.charge_balance(2, 5), commerce.adjust_stock(2, 5)');
SELECT sqlstate FROM pg_temp.batch(pg_temp.request(1, '1:1'), pg_temp.request(1, '1:1'));
DROP TRIGGER meddle ON commerce.orders;
SELECT user_id, balance FROM commerce.balances ORDER BY user_id;

-- A row left out fails the call.
CREATE FUNCTION pg_temp.leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER leave_out BEFORE UPDATE ON commerce.stock_slots FOR EACH ROW EXECUTE FUNCTION pg_temp.leave_out();
SELECT code, message FROM pg_temp.refusal($$SELECT count(*) FROM pg_temp.batch(pg_temp.request(1, '1:1'))$$);
-- Not where nothing is written: all are refused.
SELECT sqlstate FROM pg_temp.batch(pg_temp.request(1, '1:9999'), pg_temp.request(2, '2:1', 9, 'k'));
DROP TRIGGER leave_out ON commerce.stock_slots;

-- The key of a refused request is taken and let go again, which triggers on keys see.
CREATE TABLE pg_temp.log (op text, key text);
CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO pg_temp.log VALUES (TG_OP, coalesce(NEW.idempotency_key, OLD.idempotency_key));
	RETURN NULL;
END
$$;
CREATE TRIGGER tell AFTER INSERT OR DELETE OR UPDATE ON commerce.idempotency_keys FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT sqlstate FROM pg_temp.batch(pg_temp.request(1, '1:1', NULL, 'placed'), pg_temp.request(1, '1:9999', NULL, 'refused'),
	pg_temp.request(1, '1:9999', NULL, 'second'), pg_temp.request(1, '1:1', NULL, 'second'));
SELECT * FROM pg_temp.log ORDER BY key, op DESC;
SELECT * FROM commerce.verify();
