-- A held order: stock and coupon are taken, nothing is paid.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Kim has a coupon and no balance account.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 5, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 5, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, policy_id => 1);
	PERFORM commerce.issue_coupon(1, 1);
END
$$;

SELECT order_id, user_id, status, subtotal, discount, total, refunded, coupon_id,
	placed_at = now() AS placed_now, paid_at, closed_at,
	expires_at - now() AS expires_in, cancel_reason
FROM commerce.hold_order(1, '[{"option_id": 2, "quantity": 2}, {"option_id": 1, "quantity": 3}]', 1);

-- The lines are those of an order, the stock is gone, the coupon used by it.
SELECT * FROM commerce.order_items ORDER BY line_no;
SELECT * FROM commerce.stock ORDER BY option_id;
SELECT coupon_id, status, used_at IS NOT NULL AS has_used_at, order_id, discount_amount FROM commerce.coupons;
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 3}]')$$);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.use_coupon(1, 1, 1000)$$);
-- No money, no event: the outside need not know of it.
SELECT count(*) FROM commerce.balances;
SELECT count(*) FROM commerce.events;
SELECT commerce.get_order(1) ->> 'status' AS status;

-- Held for as long as may be.
SELECT expires_at - now() AS expires_in FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '49 hours');
SELECT expires_at - placed_at AS expires_in FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, '1 microsecond');
SELECT expires_at - placed_at AS expires_in FROM commerce.hold_order(1, '[{"option_id": 2, "quantity": 1}]', NULL, '7 days');

-- For nothing.
SELECT price FROM commerce.set_price(2, 0);
SELECT status, total FROM commerce.hold_order(1, '[{"option_id": 2, "quantity": 1}]');
SELECT * FROM commerce.stock ORDER BY option_id;

-- Undone with its transaction.
BEGIN;
SELECT status FROM commerce.hold_order(1, '[{"option_id": 2, "quantity": 1}]');
ROLLBACK;
SELECT available FROM commerce.stock WHERE option_id = 2;
SELECT * FROM commerce.verify();
