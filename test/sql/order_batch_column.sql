-- The rows of a batch are inserted together, and yet pass all that the rows of single
-- calls do: defaults, generated columns, CHECKs, own indexes, deferred constraints.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/requests.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1), commerce.create_user('Lee', 2);
	PERFORM commerce.charge_balance(1, 100000), commerce.charge_balance(2, 100000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 100, 100, 1);
END
$$;

-- Columns that somebody added: a default, one too long for a page, generated ones.
CREATE SEQUENCE pg_temp.ticket;
ALTER TABLE commerce.orders ADD COLUMN ticket bigint DEFAULT nextval('pg_temp.ticket'),
	ADD COLUMN terms text DEFAULT repeat('terms ', 100000),
	ADD COLUMN is_large boolean GENERATED ALWAYS AS (total > 150) STORED;
ALTER TABLE commerce.order_items ADD COLUMN cost bigint GENERATED ALWAYS AS (quantity * unit_price) STORED;
SELECT request_no, sqlstate FROM pg_temp.batch(pg_temp.request(1, '1:1'), pg_temp.request(2, '1:2'));
SELECT order_id, ticket, length(terms), is_large FROM commerce.orders ORDER BY order_id;
SELECT order_id, cost FROM commerce.order_items ORDER BY order_id;

-- A CHECK fails the call, whichever of its rows breaks it.
ALTER TABLE commerce.order_items ADD CONSTRAINT few CHECK (quantity <= 5);
SELECT code FROM pg_temp.refusal($$SELECT FROM pg_temp.batch(pg_temp.request(1, '1:1'), pg_temp.request(2, '1:6'))$$);

-- So does an index of one's own.
CREATE UNIQUE INDEX ON commerce.orders ((total % 1000)) WHERE is_large;
SELECT code FROM pg_temp.refusal($$SELECT FROM pg_temp.batch(pg_temp.request(1, '1:3'), pg_temp.request(2, '1:3'))$$);
SELECT request_no, sqlstate FROM pg_temp.batch(pg_temp.request(1, '1:3'), pg_temp.request(2, '1:4'));

-- What is deferred is checked at the commit.
ALTER TABLE commerce.events ADD CONSTRAINT one_event UNIQUE (order_id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE commerce.orders ADD CONSTRAINT others UNIQUE (user_id, total) DEFERRABLE INITIALLY DEFERRED;
BEGIN;
SELECT request_no, sqlstate FROM pg_temp.batch(pg_temp.request(1, '1:1'), pg_temp.request(1, '1:5'));
COMMIT;
BEGIN;
SELECT request_no, sqlstate FROM pg_temp.batch(pg_temp.request(2, '1:1'), pg_temp.request(2, '1:5'));
COMMIT;

-- The indexes have all rows.
SET enable_seqscan = off;
SELECT order_id, total FROM commerce.orders WHERE user_id = 2 ORDER BY order_id;
SELECT order_id FROM commerce.events WHERE order_id > 0 ORDER BY order_id;
RESET enable_seqscan;
SELECT balance FROM commerce.balances ORDER BY user_id;
SELECT available FROM commerce.stock;
SELECT * FROM commerce.verify();
