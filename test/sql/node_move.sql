-- A bucket leaves a node and comes back: what it refuses, what triggers and columns of others
-- do to it, and that no id comes again.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(7, 2)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.take_bucket(1, 1, '{"bucket": 7, "sold": {}, "contents": {}}')$$);
SELECT commerce.keep_bucket(1), commerce.bucket_given(1), commerce.refuse_bucket(7, 2, 1), commerce.bucket_contents(1);

DO $$
BEGIN
	PERFORM commerce.join_cluster(1, '{[0,4096)}', force => true);
	PERFORM commerce.create_user('Kim', 103), commerce.create_user('Lee', 1);
	PERFORM commerce.charge_balance(103, 100000, 'c'), commerce.charge_balance(1, 100000, 'c');
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 11);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 1, 9, per_user_limit => 9, policy_id => 1);
	PERFORM commerce.issue_coupon(103, 1, 'i'), commerce.issue_coupon(1, 1);
	PERFORM commerce.place_order(103, '[{"option_id": 11, "quantity": 2}]', idempotency_key => 'o');
	PERFORM commerce.place_order(1, '[{"option_id": 11, "quantity": 2}]');
	PERFORM commerce.hold_order(103, '[{"option_id": 11, "quantity": 3}]');
	PERFORM commerce.cancel_order((commerce.place_order(103, '[{"option_id": 11, "quantity": 4}]')).order_id, E'tab\t, "quotes", {braces}, back\\slash, 이유');
	PERFORM commerce.create_subscription('audit', '{order.cancelled}', '-infinity'), commerce.create_subscription('late');
END
$$;
CREATE FUNCTION pg_temp.rows() RETURNS TABLE (of_table text, n bigint, digest text) LANGUAGE plpgsql AS $$
BEGIN
	FOREACH of_table IN ARRAY '{users, balances, balance_history, coupons, orders, order_items, idempotency_keys}'::text[] LOOP
		RETURN QUERY EXECUTE format('SELECT %1$L, count(*), md5(coalesce(string_agg(t::text, %2$L ORDER BY t::text), %3$L)) FROM commerce.%1$I t',
			of_table, ',', '');
	END LOOP;
	RETURN QUERY SELECT 'events', count(*), md5(string_agg(format('%s %s %s %s %s', event_id, order_id, created_at, event_type, refund), ',' ORDER BY event_id))
		FROM commerce.events;
	RETURN QUERY SELECT 'deliveries', count(*), md5(string_agg(d::text, ',' ORDER BY subscription, event_id))
		FROM commerce.deliveries d WHERE d.status <> 'discarded';
END $$;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.rows();
CREATE FUNCTION pg_temp.changed() RETURNS TABLE (of_table text, was bigint, now_is bigint) LANGUAGE SQL AS $$
	SELECT of_table, b.n, r.n FROM before b FULL JOIN pg_temp.rows() r USING (of_table) WHERE b.digest IS DISTINCT FROM r.digest
$$;
SELECT of_table, n FROM before;

SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(NULL, 2)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(7, NULL)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(-1, 2)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(4096, 2)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(7, 1)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(7, 0)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.take_bucket(NULL, 1, '{}')$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.take_bucket(2, 1, NULL)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.keep_bucket(NULL)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.refuse_bucket(7, NULL, 1)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.bucket_given(NULL)$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(7, 2)$$);
ROLLBACK;

-- It goes: nothing of its users is left, all is sound, and whoever asks is told so.
SELECT commerce.give_bucket(7, 2) = commerce.give_bucket(7, 2) AS is_the_same;
SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(7, 3)$$);
SELECT of_table, was, now_is FROM pg_temp.changed();
SELECT * FROM commerce.verify();
SELECT counter, object_id, quantity FROM commerce.moved_units ORDER BY 1;
SELECT sqlstate, detail FROM commerce.try_get_balance(103);
SELECT * FROM pg_temp.refusal($$SELECT commerce.charge_balance(103, 1)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.create_user('Kim', 103)$$);
SELECT request_no, sqlstate, detail FROM commerce.place_orders('[{"user_id": 103, "items": [{"option_id": 11, "quantity": 1}]}]');
SELECT user_id, sqlstate, detail FROM commerce.issue_coupons(1, '{103}');

-- It is kept after all.
SELECT commerce.keep_bucket(1), commerce.keep_bucket(1);
SELECT commerce.bucket_contents(1) IS NULL AS nothing_is_left;
SELECT * FROM pg_temp.changed();
SELECT * FROM commerce.verify();
SELECT giver, move_id, bucket, taker, status, finished_at IS NOT NULL AS is_finished FROM commerce.bucket_moves;

-- Another database takes it, which here is the same one under another number.
SELECT commerce.give_bucket(7, 2) AS move_id \gset
SELECT commerce.bucket_contents(:move_id) AS contents \gset
CREATE TEMP TABLE highest AS SELECT last_value FROM commerce.order_id_seq;
DELETE FROM commerce.bucket_moves;
UPDATE commerce.cluster_membership SET node_no = 2;
SELECT setval('commerce.order_id_seq', 5), setval('commerce.event_id_seq', 5);
CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER no BEFORE INSERT ON commerce.order_items FOR EACH ROW EXECUTE FUNCTION public.no();
SELECT pg_temp.refusal(format('SELECT commerce.take_bucket(1, %s, %L)', :move_id, :'contents'));
DROP TRIGGER no ON commerce.order_items;
ALTER TABLE commerce.orders ADD note text DEFAULT 'none', ADD twice bigint GENERATED ALWAYS AS (total * 2) STORED;
SELECT commerce.take_bucket(1, :move_id, :'contents'), commerce.take_bucket(1, :move_id, :'contents');
SELECT commerce.refuse_bucket(7, 1, :move_id) AS refuses_what_it_has;
SELECT o.status, o.note, o.twice FROM commerce.orders o WHERE user_id = 103 ORDER BY order_id;
ALTER TABLE commerce.orders DROP note, DROP twice;
SELECT s.last_value > h.last_value AS is_beyond FROM commerce.order_id_seq s, highest h;
SELECT order_id = (SELECT object_id FROM commerce.idempotency_keys WHERE user_id = 103 AND function_name = 'place_order') AS is_replayed
FROM commerce.place_order(103, '[{"option_id": 11, "quantity": 2}]', idempotency_key => 'o');
SELECT * FROM pg_temp.changed();

-- A trigger that keeps a row keeps the bucket.
CREATE TRIGGER no BEFORE DELETE ON commerce.coupons FOR EACH ROW EXECUTE FUNCTION public.no();
SELECT * FROM pg_temp.refusal($$SELECT commerce.give_bucket(7, 1)$$);
DROP TRIGGER no ON commerce.coupons;
DROP FUNCTION public.no;
SELECT commerce.refuse_bucket(9, 1, 99), commerce.refuse_bucket(9, 1, 99);
SELECT * FROM pg_temp.refusal($$SELECT commerce.take_bucket(1, 99, '{"bucket": 9, "sold": {}, "contents": {}}')$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.take_bucket(1, 98, '{"bucket": 9, "sold": {"stock": {"12": 1}}, "contents": {}}')$$);
