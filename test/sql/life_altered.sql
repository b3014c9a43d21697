-- Tables altered beyond use: a plain error that is no refusal; repaired, everything goes on.

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

SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');

-- Each change in turn, made and taken back; place_order meanwhile and afterwards.
CREATE FUNCTION pg_temp.altered(change text, OUT meanwhile text, OUT afterwards text)
LANGUAGE plpgsql AS $$
DECLARE
	order_call CONSTANT text := $x$SELECT commerce.place_order(1,
		'[{"option_id": 1, "quantity": 1}]', 1, 'k')$x$;
BEGIN
	BEGIN
		EXECUTE change;
		SELECT CASE WHEN code = 'none' THEN 'done' WHEN code LIKE 'SC%' THEN 'refused' ELSE 'error' END
		INTO meanwhile FROM pg_temp.refusal(order_call);
		RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ000';
	EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
		NULL;
	END;
	SELECT CASE WHEN code = 'none' THEN 'done' ELSE code END INTO afterwards FROM pg_temp.refusal(order_call);
END
$$;
SELECT c.change, a.*
FROM (VALUES
	(1, 'ALTER TABLE commerce.orders RENAME COLUMN total TO amount'),
	(2, 'ALTER TABLE commerce.orders DROP COLUMN cancel_reason'),
	(3, 'ALTER TABLE commerce.orders ALTER COLUMN total TYPE numeric'),
	(4, 'ALTER TABLE commerce.orders RENAME TO purchases'),
	(5, 'ALTER TABLE commerce.orders SET SCHEMA public'),
	(6, 'ALTER TABLE commerce.balances RENAME COLUMN balance TO amount'),
	(7, 'ALTER TABLE commerce.stock_slots RENAME COLUMN quantity TO units'),
	(8, 'ALTER TABLE commerce.events RENAME COLUMN event_type TO kind'),
	(9, 'ALTER TABLE commerce.coupons RENAME COLUMN user_id TO holder'),
	(10, 'ALTER TABLE commerce.stock_slots RENAME TO stock_slots_old; CREATE TABLE commerce.stock_slots (LIKE commerce.stock_slots_old INCLUDING ALL) PARTITION BY LIST (option_id)'),
	(11, 'ALTER TABLE commerce.orders RENAME TO orders_old; CREATE VIEW commerce.orders AS SELECT * FROM commerce.orders_old'),
	(12, 'ALTER TYPE commerce.order_status RENAME VALUE ''paid'' TO ''settled'''),
	(13, 'ALTER TYPE commerce.order_status ADD VALUE ''lost'' BEFORE ''pending'''),
	(14, 'ALTER TABLE commerce.orders ADD COLUMN note text')
) c (nth, change), pg_temp.altered(c.change) a
ORDER BY c.nth;

-- The same outside of a transaction.
ALTER TABLE commerce.orders RENAME COLUMN total TO amount;
SELECT code LIKE 'SC%' OR code = 'none' AS fine
FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]')$$);
ALTER TABLE commerce.orders RENAME COLUMN amount TO total;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');

-- Renamed and renamed back within one transaction.
BEGIN;
ALTER TABLE commerce.balances RENAME TO accounts;
ALTER TABLE commerce.accounts RENAME TO balances;
SELECT balance_after FROM commerce.charge_balance(1, 1000);
ROLLBACK;
SELECT balance_after FROM commerce.charge_balance(1, 2000);

-- Constraints, storage settings and owners don't matter.
DO $$
BEGIN
	ALTER TABLE commerce.orders SET (fillfactor = 50, autovacuum_enabled = off);
	ALTER TABLE commerce.orders ALTER COLUMN cancel_reason SET STORAGE EXTERNAL;
	ALTER TABLE commerce.orders ALTER COLUMN refunded DROP DEFAULT;
	ALTER TABLE commerce.orders ALTER COLUMN placed_at DROP DEFAULT;
	ALTER TABLE commerce.orders REPLICA IDENTITY FULL;
	ALTER TABLE commerce.stock_slots SET UNLOGGED;
	ALTER TABLE commerce.stock_slots SET LOGGED;
	ALTER TABLE commerce.balances CLUSTER ON balances_pkey;
	ALTER SEQUENCE commerce.order_id_seq RESTART WITH 5000 INCREMENT BY 10;
END
$$;
SELECT order_id, total, refunded, placed_at = now() AS placed_now
FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT * FROM commerce.verify();
