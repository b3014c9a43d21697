-- What calls write, counted: entries of B-trees by an order and its kin; nothing at all,
-- not even a transaction's id, by most refusals.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Kim has 10000 and a coupon, Lee has no account; option 2 and policy 2 are sold out.
-- All B-trees have entries.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.charge_balance(1, 10000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 100, 20, 1);
	PERFORM commerce.create_product_option(1, 'green', 100, 0, 2);
	PERFORM commerce.create_product_option(1, 'blue', 100, 200, 3);
	PERFORM commerce.create_product_option(1, 'white', 100, 20, 4);
	PERFORM commerce.create_coupon_policy('good', 'fixed', 50, 10,
		per_user_limit => 2, policy_id => 1);
	PERFORM commerce.create_coupon_policy('gone', 'fixed', 50, 0, policy_id => 2);
	PERFORM commerce.issue_coupon(1, 1);
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'first');
END
$$;

-- Each B-tree of this small shop is one page, the second of its file, which a checkpoint
-- brings up to date. Behind a header of 24 bytes, whose bytes 12 and 13 say where they end,
-- the page has a pointer of 4 bytes for each entry.
CREATE FUNCTION pg_temp.entries() RETURNS TABLE (btree text, entries integer)
LANGUAGE sql AS $$
	SELECT c.relname::text, (get_byte(page, 12) + 256 * get_byte(page, 13) - 24) / 4
	FROM (SELECT current_setting('block_size')::bigint AS size) block,
		pg_class c JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree',
		pg_read_binary_file(pg_relation_filepath(c.oid), size, size) page
	WHERE c.relnamespace = 'commerce'::regnamespace AND c.relkind = 'i'
	AND pg_relation_size(c.oid) = 2 * size
$$;

-- Those that have come since it was last asked.
CREATE TEMP TABLE known (btree text, entries integer);
CREATE FUNCTION pg_temp.new_entries() RETURNS TABLE (btree text, entries integer)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT e.btree, e.entries - coalesce(k.entries, 0)
		FROM pg_temp.entries() e LEFT JOIN known k ON k.btree = e.btree
		WHERE e.entries <> coalesce(k.entries, 0)
		ORDER BY e.btree COLLATE "C";
	DELETE FROM known;
	INSERT INTO known SELECT * FROM pg_temp.entries();
END
$$;
CHECKPOINT;
SELECT count(*) > 10 AS found FROM pg_temp.new_entries();

-- An order of one line: five. A balance and stock are updated, without an entry.
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
CHECKPOINT;
SELECT * FROM pg_temp.new_entries();

-- With a key: one more.
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'second');
CHECKPOINT;
SELECT * FROM pg_temp.new_entries();

-- With three lines and a coupon: one more for each further line.
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}, {"option_id": 3, "quantity": 1},
	{"option_id": 4, "quantity": 1}]', 1);
CHECKPOINT;
SELECT * FROM pg_temp.new_entries();

-- The others of a rush.
SELECT balance_after FROM commerce.charge_balance(1, 100);
SELECT coupon_id FROM commerce.issue_coupon(1, 1);
CHECKPOINT;
SELECT * FROM pg_temp.new_entries();

-- The WAL records of a refusal, and whether it had a transaction's id; this session's
-- alone, whatever others do. The least of several: some call clears pages of what calls
-- before have left.
CREATE FUNCTION pg_temp.refusal_writes(statement text,
	OUT code text, OUT wal_records integer, OUT has_xact_id boolean)
LANGUAGE plpgsql AS $$
DECLARE
	explained json;
BEGIN
	FOR try IN 1 .. 5 LOOP
		EXECUTE format('EXPLAIN (ANALYZE, WAL, FORMAT JSON) SELECT code FROM pg_temp.refusal(%L)',
			statement) INTO explained;
		wal_records := least(wal_records, (explained #>> '{0,Plan,WAL Records}')::integer);
	END LOOP;
	SELECT r.code INTO code FROM pg_temp.refusal(statement) r;
	has_xact_id := pg_current_xact_id_if_assigned() IS NOT NULL;
END
$$;

-- Each in a transaction of its own.
SELECT * FROM pg_temp.refusal_writes($$SELECT commerce.place_order(9, '[{"option_id": 1, "quantity": 1}]')$$);
SELECT * FROM pg_temp.refusal_writes($$SELECT commerce.place_order(1, '[{"option_id": 9, "quantity": 1}]')$$);
SELECT * FROM pg_temp.refusal_writes($$SELECT commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]')$$);
SELECT * FROM pg_temp.refusal_writes($$SELECT commerce.place_order(2, '[{"option_id": 1, "quantity": 1}]')$$);
SELECT * FROM pg_temp.refusal_writes($$SELECT commerce.hold_order(1, '[{"option_id": 2, "quantity": 1}]')$$);
SELECT * FROM pg_temp.refusal_writes($$SELECT commerce.issue_coupon(1, 2)$$);
SELECT * FROM pg_temp.refusal_writes($$SELECT commerce.issue_coupon(9, 1)$$);
SELECT * FROM pg_temp.refusal_writes($$SELECT commerce.charge_balance(9, 1)$$);
SELECT * FROM pg_temp.refusal_writes($$SELECT commerce.charge_balance(1, 0)$$);

-- These write: a balance is locked before it is judged, a key before anything else, and
-- what a snapshot shows must be locked before it may be believed. None of it stays.
SELECT code, has_xact_id FROM pg_temp.refusal_writes($$SELECT commerce.place_order(1, '[{"option_id": 3, "quantity": 100}]')$$);
SELECT code, has_xact_id FROM pg_temp.refusal_writes($$SELECT commerce.use_balance(1, 1000000)$$);
SELECT code, has_xact_id FROM pg_temp.refusal_writes($$SELECT commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]', NULL, 'key')$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT code, has_xact_id FROM pg_temp.refusal_writes($$SELECT commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]')$$);
ROLLBACK;
