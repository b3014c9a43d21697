-- Columns that users add to the tables: filled with their defaults and returned.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, per_user_limit => 9, policy_id => 1);
	PERFORM commerce.charge_balance(1, 100000, 'k');
	PERFORM commerce.issue_coupon(1, 1, 'k');
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'k');
END
$$;

-- Each table gets one column without a default, one with, and the slots too.
DO $$
DECLARE
	t regclass;
BEGIN
	FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'commerce'::regnamespace AND relkind = 'r' LOOP
		EXECUTE format('ALTER TABLE %s ADD COLUMN note text,
			ADD COLUMN source text NOT NULL DEFAULT ''shop''', t);
	END LOOP;
END
$$;

-- Rows of before, updated now.
SELECT balance_after, note, source FROM commerce.charge_balance(1, 1);
SELECT price, note, source FROM commerce.set_price(1, 900);
SELECT status, note, source FROM commerce.revoke_coupon(1);
SELECT issue_until = now() AS closed, note, source FROM commerce.close_coupon_policy(1);
SELECT available FROM commerce.adjust_stock(1, 5);
SELECT order_id, note, source FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'k');
SELECT entry_no, note, source FROM commerce.charge_balance(1, 100000, 'k');
SELECT coupon_id, note, source FROM commerce.issue_coupon(1, 1, 'k');
SELECT event_id, payload #> '{data, order, source}' AS source FROM commerce.claim_events();
SELECT status FROM commerce.fail_event(1, 1, 'no answer');
SELECT status, note, source FROM commerce.stored_deliveries;

-- Rows of now.
SELECT name, note, source FROM commerce.create_user('Lee', 2);
SELECT name, note, source FROM commerce.create_product('coat', 2);
SELECT name, note, source FROM commerce.create_product_option(2, 'long', 500, 10, 2);
SELECT name, note, source FROM commerce.create_coupon_policy('fall', 'fixed', 100, 10, policy_id => 2);
SELECT coupon_id FROM commerce.issue_coupon(1, 2) \gset
SELECT status, note, source FROM commerce.coupons WHERE coupon_id = :coupon_id;
SELECT total, note, source FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]', :coupon_id, 'k2');
SELECT balance_after, note, source FROM commerce.charge_balance(2, 7, 'k2');
SELECT relname, count(*) FROM (
	SELECT 'balances' AS relname FROM commerce.balances WHERE source = 'shop' AND note IS NULL UNION ALL
	SELECT 'order_items' FROM commerce.order_items WHERE source = 'shop' AND note IS NULL UNION ALL
	SELECT 'stock_slots' FROM commerce.stock_slots WHERE source = 'shop' AND note IS NULL UNION ALL
	SELECT 'coupon_quota_slots' FROM commerce.coupon_quota_slots WHERE source = 'shop' AND note IS NULL UNION ALL
	SELECT 'stock_adjustments' FROM commerce.stock_adjustments WHERE source = 'shop' AND note IS NULL UNION ALL
	SELECT 'idempotency_keys' FROM commerce.idempotency_keys WHERE source = 'shop' AND note IS NULL) r
GROUP BY relname ORDER BY relname;

-- get_order shows every column.
SELECT o -> 'source' AS source, o ? 'note' AS note, o #> '{items, 0, source}' AS item_source
FROM commerce.get_order(1) o;

-- A value of the user's own is kept by later updates.
UPDATE commerce.balances SET note = 'good customer' WHERE user_id = 1;
UPDATE commerce.stored_deliveries SET note = 'look here', status = 'available', due_at = now() WHERE event_id = 1;
SELECT balance_after FROM commerce.use_balance(1, 1);
SELECT note, source FROM commerce.balances WHERE user_id = 1;
SELECT event_id FROM commerce.claim_events();
SELECT status, note FROM commerce.stored_deliveries WHERE event_id = 1;

-- Defaults that are computed, generated columns, columns with a check, dropped ones.
ALTER TABLE commerce.orders DROP COLUMN note,
	ADD COLUMN day date DEFAULT current_date,
	ADD COLUMN total_in_thousands bigint GENERATED ALWAYS AS (total / 1000) STORED,
	ADD COLUMN entered_by text DEFAULT current_user CHECK (entered_by <> ''),
	ADD COLUMN serial_no bigserial,
	ADD COLUMN identity_no bigint GENERATED ALWAYS AS IDENTITY (START 100);
SELECT total, source, day = current_date AS today, total_in_thousands, entered_by = current_user AS by_me,
	serial_no, identity_no
FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 3}]');
ALTER TABLE commerce.balances ADD COLUMN in_thousands bigint GENERATED ALWAYS AS (balance / 1000) STORED;
SELECT balance_after FROM commerce.charge_balance(1, 5000);
SELECT balance / 1000 = in_thousands AS generated FROM commerce.balances WHERE user_id = 1;

-- A value too long for its row, before and after an update.
ALTER TABLE commerce.balances ALTER COLUMN note SET STORAGE EXTERNAL;
UPDATE commerce.balances SET note = repeat('x', 100000) WHERE user_id = 1;
SELECT balance_after FROM commerce.charge_balance(1, 1);
SELECT length(note) FROM commerce.balances WHERE user_id = 1;
UPDATE commerce.orders SET cancel_reason = repeat('글', 100000) WHERE order_id = 1;
SELECT length(cancel_reason) FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'k');
SELECT length(commerce.get_order(1) ->> 'cancel_reason');

-- A user's constraint holds, and its violation is told as it is.
ALTER TABLE commerce.orders ADD CONSTRAINT small_orders CHECK (total <= 5000);
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 6}]')$$);
ALTER TABLE commerce.orders DROP CONSTRAINT small_orders;
ALTER TABLE commerce.users ADD CHECK (name <> 'Choi');
SELECT code FROM pg_temp.refusal($$SELECT commerce.create_user('Choi')$$);
ALTER TABLE commerce.orders ADD COLUMN must text NOT NULL DEFAULT '';
ALTER TABLE commerce.orders ALTER COLUMN must DROP DEFAULT;
SELECT code FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 6}]')$$);
ALTER TABLE commerce.orders DROP COLUMN must;

-- Undone with its transaction.
BEGIN;
ALTER TABLE commerce.orders ADD COLUMN mood text DEFAULT 'fine';
SELECT mood FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
ROLLBACK;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 6}]');
SELECT * FROM commerce.verify();
