-- No lock on a relation that a purchase takes needs the lock manager's shared memory,
-- where all sessions meet: PostgreSQL keeps 16 of a session where nobody else looks.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- One user. What a session does first, it does before, but for buying these options: one
-- that it remembers takes one lock less.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red ' || n, 1000, 100, n) FROM generate_series(1, 4) AS n;
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'key');
	PERFORM commerce.refund_order(1, '[{"option_id": 1, "quantity": 1}]');
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]');
	PERFORM commerce.pay_order(2);
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]');
	PERFORM commerce.cancel_order(3);
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]');
END
$$;

CREATE VIEW pg_temp.far_locks AS
SELECT count(*) FILTER (WHERE NOT fastpath) AS far, count(*) AS locks
FROM pg_locks JOIN pg_class c ON c.oid = relation
WHERE pid = pg_backend_pid() AND c.relnamespace = 'commerce'::regnamespace;
SELECT * FROM pg_temp.far_locks;

BEGIN;
SELECT total FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]');
SELECT * FROM pg_temp.far_locks;
COMMIT;
BEGIN;
SELECT total FROM commerce.place_order(1, '[{"option_id": 3, "quantity": 1}]', NULL, 'another');
SELECT * FROM pg_temp.far_locks;
COMMIT;
BEGIN;
SELECT status FROM commerce.hold_order(1, '[{"option_id": 4, "quantity": 1}]');
SELECT * FROM pg_temp.far_locks;
COMMIT;
BEGIN;
SELECT status FROM commerce.pay_order(4);
SELECT * FROM pg_temp.far_locks;
COMMIT;
BEGIN;
SELECT status FROM commerce.cancel_order(4);
SELECT * FROM pg_temp.far_locks;
COMMIT;
BEGIN;
SELECT balance_after > 0 AS charged FROM commerce.charge_balance(1, 1);
SELECT * FROM pg_temp.far_locks;
COMMIT;
