-- A session finds a slot again where it saw it last, without the index, whatever has become
-- of that place since.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'option ' || n, 1, 10000, n) FROM generate_series(1, 3) n;
END
$$;
PREPARE buy (bigint) AS SELECT FROM commerce.place_order(1,
	jsonb_build_array(jsonb_build_object('option_id', $1, 'quantity', 1)));
CREATE VIEW pg_temp.looks AS
SELECT idx_scan AS by_index FROM pg_stat_xact_user_tables
WHERE schemaname = 'commerce' AND relname = 'stock_slots';

-- The first time by the index, then not.
EXECUTE buy(1);
SELECT FROM pg_stat_force_next_flush();
BEGIN;
EXECUTE buy(1);
EXECUTE buy(1);
SELECT * FROM pg_temp.looks;
EXECUTE buy(2);
SELECT * FROM pg_temp.looks;
ROLLBACK;
-- What is there was undone.
EXECUTE buy(1);
SELECT available FROM commerce.stock WHERE option_id = 1;

-- Versions that cannot be cleared away fill pages; then the table is made anew, with less.
BEGIN;
SELECT count(commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]')) FROM generate_series(1, 500);
SELECT pg_relation_size('commerce.stock_slots') > 8192 AS pages;
COMMIT;
VACUUM FULL commerce.stock_slots;
EXECUTE buy(1);
SELECT available FROM commerce.stock WHERE option_id = 1;

-- The same place is another row's. (One who is refused has only looked.)
BEGIN;
DELETE FROM commerce.stock_slots;
INSERT INTO commerce.stock_slots (option_id, slot, level, quantity) VALUES (1, 0, 0, 7), (2, 0, 0, 5), (3, 0, 0, 9);
COMMIT;
VACUUM FULL commerce.stock_slots;
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 8}]')$$);
BEGIN;
DELETE FROM commerce.stock_slots;
INSERT INTO commerce.stock_slots (option_id, slot, level, quantity) VALUES (3, 0, 0, 9), (2, 0, 0, 5), (1, 0, 0, 7);
COMMIT;
VACUUM FULL commerce.stock_slots;
EXECUTE buy(1);
EXECUTE buy(2);
SELECT option_id, available FROM commerce.stock ORDER BY 1;

-- A slot that is gone, and one that is there again.
BEGIN;
DELETE FROM commerce.stock_slots WHERE option_id = 1;
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]')$$);
INSERT INTO commerce.stock_slots (option_id, slot, level, quantity) VALUES (1, 0, 0, 3);
EXECUTE buy(1);
SELECT available FROM commerce.stock WHERE option_id = 1;
ROLLBACK;
EXECUTE buy(1);
SELECT available FROM commerce.stock WHERE option_id = 1;

-- Versions that nobody sees any more are cleared away before their page is full, by whoever
-- reads it: by the index, as balances are, or not. Some pages more if an autovacuum looks on.
VACUUM FULL commerce.stock_slots;
VACUUM FULL commerce.balances;
DO $$
BEGIN
	FOR n IN 1..1000 LOOP
		PERFORM commerce.place_order(1, '[{"option_id": 3, "quantity": 1}]');
		PERFORM commerce.adjust_stock(3, 1);
		COMMIT;
	END LOOP;
END
$$;
SELECT relname, pg_relation_size(oid) < 5 * 8192 AS is_small FROM pg_class
WHERE oid IN ('commerce.stock_slots'::regclass, 'commerce.balances'::regclass) ORDER BY 1;
