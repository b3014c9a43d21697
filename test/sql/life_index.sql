-- The tables' storage may change between calls: reindexed, rewritten, analysed, indexed by users.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/day.psql'
\set ECHO none
\i :helpers

CREATE TEMP TABLE day AS SELECT * FROM pg_temp.day();
SELECT count(*) FROM day;
-- No lease and no wait ends meanwhile.
UPDATE commerce.stored_deliveries SET due_at = now() + interval '1 hour' WHERE status IN ('running', 'available');
SELECT balance_after FROM commerce.charge_balance(1, 1000);

REINDEX TABLE CONCURRENTLY commerce.balances;
REINDEX TABLE CONCURRENTLY commerce.stock_slots;
REINDEX TABLE CONCURRENTLY commerce.orders;
REINDEX TABLE CONCURRENTLY commerce.events;
REINDEX TABLE CONCURRENTLY commerce.stored_deliveries;
REINDEX TABLE CONCURRENTLY commerce.coupons;
REINDEX TABLE CONCURRENTLY commerce.idempotency_keys;
REINDEX TABLE CONCURRENTLY commerce.product_options;
SELECT balance_after FROM commerce.charge_balance(1, 1000);
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT event_id FROM commerce.claim_events(100, '1 hour');

REINDEX SCHEMA commerce;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT event_id FROM commerce.claim_events(100, '1 hour');

-- Within the transaction of the calls, and undone.
BEGIN;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
REINDEX TABLE commerce.orders;
REINDEX TABLE commerce.stock_slots;
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
ROLLBACK;
SELECT balance_after FROM commerce.use_balance(1, 1);

VACUUM FULL commerce.balances;
VACUUM FULL commerce.orders;
VACUUM (FREEZE, ANALYZE) commerce.stock_slots;
CLUSTER commerce.events USING events_pkey;
ANALYZE commerce.orders;
SELECT subtotal FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');

-- Users' own indexes: on columns that calls change, unique, on expressions, partial.
CREATE INDEX balances_of_users ON commerce.balances (balance);
CREATE INDEX ON commerce.stock_slots (quantity);
CREATE INDEX ON commerce.orders ((total / 1000), status);
CREATE INDEX ON commerce.orders (placed_at) WHERE status = 'paid';
CREATE INDEX ON commerce.events (event_type);
CREATE INDEX ON commerce.stored_deliveries (status);
CREATE INDEX ON commerce.stored_deliveries (subscription_no, due_at) WHERE status = 'dead';
CREATE INDEX ON commerce.stored_deliveries (order_id, subscription_no) WHERE status = 'dead';
CREATE UNIQUE INDEX ON commerce.coupons (coupon_id, status);
SELECT subtotal FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]');
SELECT balance_after FROM commerce.charge_balance(1, 5000);
SELECT count(*) FROM commerce.claim_events(100, '1 hour');
-- They find what the calls wrote.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT user_id FROM commerce.balances WHERE balance = (SELECT balance_after FROM commerce.balance_history
	ORDER BY entry_no DESC LIMIT 1);
SELECT count(*) FROM commerce.balances WHERE balance < 1000;
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT * FROM commerce.verify();

-- Another primary key index in the place of ours is as good, whatever its name.
DO $$
BEGIN
	ALTER TABLE commerce.balances DROP CONSTRAINT balances_pkey;
	ALTER TABLE commerce.balances ADD CONSTRAINT balances_of_users_pkey PRIMARY KEY (user_id);
	ALTER INDEX commerce.orders_pkey RENAME TO orders_primary;
END
$$;
SELECT balance_after > 0 AS charged FROM commerce.charge_balance(1, 1);
SELECT status FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');

-- Without one there is no way to the row: a plain error, and the session lives on.
ALTER TABLE commerce.balances DROP CONSTRAINT balances_of_users_pkey;
SELECT code <> 'none' AS refused, code LIKE 'SC%' AS as_refusal
FROM pg_temp.refusal($$SELECT commerce.charge_balance(1, 1)$$);
ALTER TABLE commerce.balances ADD PRIMARY KEY (user_id);
SELECT balance_after > 0 AS charged FROM commerce.charge_balance(1, 1);
SELECT * FROM commerce.verify();
