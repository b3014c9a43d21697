\echo '\n=== 6. An order''s life ===\n'
\echo 'Park gets a voucher too. Without an account Park cannot buy, but can hold: two T-shirts'
\echo 'with the voucher, to be paid within two seconds.\n'
SELECT coupon_id, user_id, status FROM commerce.issue_coupon(3, 3);
\set ECHO none
SELECT coupon_id AS parks_coupon FROM commerce.coupons WHERE user_id = 3 AND policy_id = 3 \gset
\set ECHO queries
SELECT available, state AS voucher FROM commerce.stock, commerce.coupon_wallet
WHERE option_id = 1 AND user_id = 3;
SELECT order_id, status, total, expires_at - placed_at AS held_for
FROM commerce.hold_order(3, '[{"option_id": 1, "quantity": 2}]', :parks_coupon,
	ttl => '2 seconds');
SELECT available, state AS voucher FROM commerce.stock, commerce.coupon_wallet
WHERE option_id = 1 AND user_id = 3;

\echo '\nPark forgets it. Nobody calls anything: the background notifier sweeps ...\n'
