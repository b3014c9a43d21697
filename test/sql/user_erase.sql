-- Users: renamed, and erased for the law, while money and orders stay.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/sound_shop.psql'
\set ECHO none
\i :helpers

SELECT name, erased_at FROM commerce.set_user_name(1, '  Kim Min-ji ');
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.set_user_name(9, 'x')$$);
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.set_user_name(1, '')$$);
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.set_user_name(1, NULL)$$);
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.set_user_name(9, repeat('x', 201))$$);

SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'Kim''s cart');
SELECT order_id FROM commerce.place_order(2, '[{"option_id": 1, "quantity": 1}]', NULL, 'Lee''s cart');
SELECT cancel_reason FROM commerce.cancel_order(3, 'wrong size, says Kim');
SELECT cancel_reason FROM commerce.cancel_order(4, 'Lee moved');

SELECT user_id, name, erased_at = now() AS now FROM commerce.erase_user(1);
SELECT order_id, user_id, cancel_reason FROM commerce.orders WHERE status = 'cancelled' ORDER BY order_id;
SELECT user_id, idempotency_key FROM commerce.idempotency_keys;
SELECT name FROM commerce.set_user_name(1, 'Kim again');
SELECT * FROM commerce.verify();

-- The account goes on; the key acts anew; erased again, erased_at stays.
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, 'Kim''s cart');
SELECT cancel_reason FROM commerce.cancel_order(5, 'says Kim');
SELECT erased_at AS first_erased_at FROM commerce.users WHERE user_id = 1 \gset
SELECT name, erased_at = :'first_erased_at' AS stays FROM commerce.erase_user(1);
SELECT count(*) FROM commerce.orders WHERE user_id = 1 AND cancel_reason IS NOT NULL;

SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.erase_user(9)$$);
-- What has no user is nobody's.
SELECT commerce.adjust_stock(1, 1, 'more', 'stock key') \g /dev/null
SELECT code FROM pg_temp.refusal($$SELECT commerce.erase_user(0)$$);
SELECT count(*) FROM commerce.idempotency_keys WHERE user_id = 0;
SELECT check_name, object_id FROM pg_temp.violations($$UPDATE commerce.users SET name = 'Kim' WHERE user_id = 1$$);

-- Who acted for the user goes too, of all that was written; of others it stays.
SET commerce.record_actor = on;
SET commerce.actor = 'Kim herself';
SELECT count(*) FROM generate_series(1, 2) n, commerce.charge_balance(n, 10000);
SELECT order_id FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]') \gset
SELECT status FROM commerce.refund_order(:order_id, '[{"option_id": 1, "quantity": 1}]', restock => false);
SELECT order_id FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]') \gset
SELECT status FROM commerce.cancel_order(:order_id, restock => false);
SELECT order_id FROM commerce.place_order(2, '[{"option_id": 1, "quantity": 2}]') \gset
SELECT status FROM commerce.cancel_order(:order_id, 'broken', restock => false);
SELECT option_id FROM commerce.adjust_stock(1, 1, 'more');
SELECT FROM commerce.erase_user(1);
SELECT user_id, actor, count(*) FROM commerce.balance_history WHERE user_id IN (1, 2) AND actor <> '' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT user_id, placed_by, closed_by FROM commerce.orders WHERE num_nonnulls(placed_by, closed_by) > 0 ORDER BY order_id;
SELECT quantity, actor, reason = 'not restocked: order ' || :order_id AS of_the_other FROM commerce.stock_adjustments
WHERE actor <> '' ORDER BY adjustment_id;
SELECT count(*) FROM commerce.stock_adjustments WHERE reason LIKE 'not restocked%' AND actor IS NULL;
SELECT * FROM commerce.verify();
