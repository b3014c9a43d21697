-- Units go from one node to another: taken away once, added once, and never lost between.
-- One database plays both nodes here.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 0, 100, 11);
	PERFORM commerce.create_product_option(1, 'blue', 0, 0, 12);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 1, 9, per_user_limit => 9, policy_id => 1);
	PERFORM commerce.join_cluster(1, '{[0,4096)}', force => true);
	PERFORM commerce.spread_stock(11, 4);
END
$$;
CREATE FUNCTION pg_temp.out(wanted bigint, counter text DEFAULT 'stock', object_id bigint DEFAULT 11)
RETURNS text LANGUAGE sql AS
$$SELECT (t).transfer_id || ': ' || (t).quantity FROM commerce.transfer_out(counter, object_id, wanted, 2) t$$;
CREATE TEMP VIEW stock AS
SELECT s.option_id, s.available, commerce.unsold('stock', s.option_id) AS unsold, t.sent, t.received
FROM commerce.stock s LEFT JOIN commerce.transfer_sums t ON t.counter = 'stock' AND t.object_id = s.option_id
ORDER BY 1;

-- Half of what there is, or what is wanted, or all.
SELECT pg_temp.out(1) AS half, pg_temp.out(40) AS wanted, pg_temp.out(99) AS rest, pg_temp.out(1) AS none;
TABLE stock;
SELECT * FROM commerce.counter_state('stock', 11);
SELECT * FROM commerce.transfer_settled(1);
SELECT * FROM commerce.transfer_settled(1);
SELECT * FROM commerce.transfer_settled(99);
SELECT * FROM commerce.counter_state('stock', 11);

-- Added once; also for an option of which this node never had any.
SELECT commerce.transfer_in('stock', 11, 30, 2, 1), commerce.transfer_in('stock', 11, 30, 2, 1) AS again,
	commerce.transfer_in('stock', 11, 5, 3, 1) AS of_another;
DELETE FROM commerce.stock_slots WHERE option_id = 12;
SELECT commerce.transfer_in('stock', 12, 7, 2, 2);
TABLE stock;
SELECT (commerce.place_order(1, '[{"option_id": 11, "quantity": 35}, {"option_id": 12, "quantity": 7}]')).status;
TABLE stock;
SELECT * FROM commerce.verify();

-- A policy's quantity goes along.
SELECT (commerce.issue_coupon(1, 1)).status;
SELECT pg_temp.out(1, 'coupon_quota', 1) AS half;
SELECT q.*, s.* FROM commerce.coupon_quota q, commerce.counter_state('coupon_quota', 1) s;
SELECT commerce.transfer_in('coupon_quota', 1, 100, 2, 3);
SELECT q.*, s.* FROM commerce.coupon_quota q, commerce.counter_state('coupon_quota', 1) s;
SELECT * FROM commerce.verify();

SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_out('stocks', 11, 1, 2)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_out('stock', 11, 0, 2)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_out('stock', 11, 1, 0)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_out('stock', 99, 1, 2)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_out('coupon_quota', 99, 1, 2)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_in('stock', 99, 1, 2, 99)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_in('coupon_quota', 99, 1, 2, 99)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_in('stock', 11, 9223372036854775807, 2, 100)$$) UNION ALL
SELECT * FROM pg_temp.refusal($$SELECT commerce.transfer_in('stock', 11, 0, 2, 101)$$);
SELECT * FROM commerce.counter_state('stock', 99);
SELECT commerce.counter_state(NULL, 99);
SELECT commerce.counter_state('shoes', 99);
SELECT giver, transfer_id, counter, object_id, quantity FROM commerce.transfers_in ORDER BY 1, 2;

-- What does not add up is seen.
UPDATE commerce.transfer_sums SET sent = sent + 1 WHERE object_id = 11;
SELECT * FROM commerce.verify();
