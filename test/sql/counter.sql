-- Stock in slots: taken across them, merged then, shared out by a restock, within the range of a bigint.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers
\set ECHO all

SELECT FROM commerce.create_user('Kim', 1);
SELECT FROM commerce.charge_balance(1, 1000000);
SELECT FROM commerce.create_product('shirt', 1);
SELECT FROM commerce.create_product_option(1, 'red', 1, 12, 1);

-- As if four buyers had met here.
CREATE FUNCTION pg_temp.spread(quantities bigint[]) RETURNS void LANGUAGE sql AS $$
	DELETE FROM commerce.stock_slots WHERE option_id = 1;
	INSERT INTO commerce.stock_slots
	SELECT 1, n - 1, 2, quantity FROM unnest(quantities) WITH ORDINALITY q (quantity, n)
$$;
SELECT pg_temp.spread('{3, 3, 3, 3}');
SELECT * FROM commerce.stock;

-- Three are in one slot; seven are in none, but together.
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 3}]');
SELECT count(*), sum(quantity) FROM commerce.stock_slots WHERE quantity > 0;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 7}]');
SELECT slot, level, quantity FROM commerce.stock_slots;
SELECT detail FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 3}]')$$);

-- A slot that is used up is gone; slot 0 stays.
BEGIN;
SELECT pg_temp.spread('{1, 1}');
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT slot, level, quantity FROM commerce.stock_slots;

-- What comes back to it may be split again.
SELECT status FROM commerce.cancel_order((SELECT max(order_id) FROM commerce.orders));
SELECT slot, level, quantity FROM commerce.stock_slots;
ROLLBACK;

-- Restocked and adjusted across slots.
SELECT pg_temp.spread('{1, 0, 1, 0}');
SELECT available FROM commerce.adjust_stock(1, 8);
SELECT slot, level, quantity FROM commerce.stock_slots;
SELECT pg_temp.spread('{3, 3, 2, 2}');
SELECT available FROM commerce.adjust_stock(1, -9, 'broken');
SELECT slot, level, quantity FROM commerce.stock_slots;
SELECT * FROM commerce.verify();

-- The sum of the slots is a bigint, too.
SELECT pg_temp.spread('{4611686018427387903, 4611686018427387903}');
SELECT code, message FROM pg_temp.refusal('SELECT commerce.adjust_stock(1, 2)');
SELECT available FROM commerce.adjust_stock(1, 1);
SELECT available FROM commerce.adjust_stock(1, -9223372036854775807);

-- A trigger cannot keep a slot from being merged away.
SELECT pg_temp.spread('{1, 1}');
CREATE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER keep BEFORE DELETE ON commerce.stock_slots
FOR EACH ROW EXECUTE FUNCTION pg_temp.keep();
SELECT code, message FROM pg_temp.refusal('SELECT commerce.adjust_stock(1, -2)');
CREATE OR REPLACE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE commerce.stock_slots SET level = 9 WHERE option_id = OLD.option_id AND slot = OLD.slot;
	RETURN NULL;
END
$$;
SELECT code, message FROM pg_temp.refusal('SELECT commerce.adjust_stock(1, -2)');
DROP TRIGGER keep ON commerce.stock_slots;
SELECT available FROM commerce.adjust_stock(1, 1);

-- Without a slot there is nowhere to give to.
BEGIN;
DELETE FROM commerce.stock_slots WHERE option_id = 1;
SELECT code, message FROM pg_temp.refusal('SELECT commerce.adjust_stock(1, 1)');
ROLLBACK;
