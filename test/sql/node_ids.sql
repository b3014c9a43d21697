-- A database that has joined a cluster: ids have their user's bucket in the lowest bits, a
-- user of another node's bucket is not answered for, and what was there before stays.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- A hash that never changes, as every id rests on it.
SELECT u, commerce.bucket(u) FROM unnest('{0, 1, 2, 1000000, 9007199254740991, -1}'::bigint[]) u;
SELECT count(DISTINCT commerce.bucket(u)), min(commerce.bucket(u)), max(commerce.bucket(u))
FROM generate_series(1, 100000) u;

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1), commerce.create_user('Lee', 2);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 11);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 1, 9, per_user_limit => 9, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1);
	PERFORM commerce.place_order(1, '[{"option_id": 11, "quantity": 2}]');
END
$$;

SELECT * FROM pg_temp.refusal($$SELECT commerce.join_cluster(NULL, '{}')$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.join_cluster(0, '{}')$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.join_cluster(1, '{[0,4097)}')$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.join_cluster(1, '{[0,4096)}', first_id => 4097)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.join_cluster(1, '{[0,4096)}')$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.join_cluster(1, '{[0,1)}', force => true)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_out('stock', 11, 1, 2)$$);

-- This session has looked before, and looks again.
SELECT sqlstate FROM commerce.try_get_balance(1);
SELECT node_no, first_id, get_bit(buckets, commerce.bucket(1)) FROM commerce.join_cluster(1, '{[0,4096)}', force => true);
SELECT node_no FROM commerce.join_cluster(1, '{[0,4096)}', force => true);
SELECT * FROM pg_temp.refusal($$SELECT commerce.join_cluster(1, '{}', force => true)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.join_cluster(2, '{[0,4096)}', force => true)$$);
DO $$
BEGIN
	PERFORM commerce.place_order(1, '[{"option_id": 11, "quantity": 1}]');
	PERFORM commerce.place_order(1, '[{"option_id": 11, "quantity": 1}]', idempotency_key => 'a');
	PERFORM count(*) FROM commerce.place_orders('[{"user_id": 1, "items": [{"option_id": 11, "quantity": 1}]},
		{"user_id": 1, "items": [{"option_id": 11, "quantity": 1}], "idempotency_key": "b"}]');
	PERFORM commerce.hold_order(1, '[{"option_id": 11, "quantity": 1}]');
	PERFORM commerce.issue_coupon(1, 1), commerce.issue_coupon(1, 1, 'a');
	PERFORM count(*) FROM commerce.issue_coupons(1, '{1}');
	PERFORM commerce.cancel_order(o.order_id) FROM commerce.orders o WHERE o.status = 'paid';
END
$$;
SELECT kind, id >> 12 AS value, id & 4095 AS bucket, commerce.bucket(1) AS wanted
FROM (SELECT 'order', order_id FROM commerce.orders UNION ALL SELECT 'coupon', coupon_id FROM commerce.coupons
	UNION ALL SELECT 'event', event_id FROM commerce.events) i (kind, id)
ORDER BY kind, id;
SELECT commerce.advance_sequences(0);
SELECT s.last_value FROM commerce.order_id_seq s;

-- The bucket goes to another node: it answers neither for the user nor for what has the user's bucket.
UPDATE commerce.cluster_membership SET buckets = set_bit(buckets, commerce.bucket(1), 0);
SELECT commerce.membership_changed();
SELECT max(order_id) AS order_id FROM commerce.orders \gset
SELECT sqlstate, message, detail FROM commerce.try_get_balance(1);
SELECT sqlstate, message, detail FROM commerce.try_get_order(:order_id);
SELECT sqlstate, message, detail FROM commerce.try_revoke_coupon((SELECT max(coupon_id) FROM commerce.coupons));
SELECT sqlstate, message, detail FROM commerce.try_get_order(1);
SELECT sqlstate, message, detail FROM commerce.try_get_balance(2);

-- Users that it makes have a bucket of its own.
UPDATE commerce.cluster_membership SET buckets = set_bit(decode(repeat('00', 512), 'hex'), 7, 1);
SELECT commerce.membership_changed();
SELECT DISTINCT commerce.bucket((commerce.create_user('x ' || n)).user_id) FROM generate_series(1, 3) n;
UPDATE commerce.cluster_membership SET buckets = decode(repeat('00', 512), 'hex');
SELECT commerce.membership_changed();
SELECT sqlstate, message FROM commerce.try_create_user('x');
SELECT * FROM commerce.verify();
