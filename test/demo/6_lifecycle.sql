\set ECHO none
SELECT coupon_id AS parks_coupon FROM commerce.coupons WHERE user_id = 3 AND policy_id = 3 \gset
\set ECHO queries

\echo '... and T-shirts and voucher are back.\n'
SELECT order_id, status, closed_at >= expires_at AS after_its_time
FROM commerce.orders WHERE order_id = 3;
SELECT available, state AS voucher FROM commerce.stock, commerce.coupon_wallet
WHERE option_id = 1 AND user_id = 3;

\echo '\nRefused: it is too late to pay.\n'
SELECT * FROM commerce.pay_order(3);

\echo '\nPark charges 30,000, holds the same again, for 15 minutes, and pays.\n'
SELECT entry_no, type, amount, balance_after FROM commerce.charge_balance(3, 30000);
SELECT order_id, status, total, expires_at - placed_at AS held_for
FROM commerce.hold_order(3, '[{"option_id": 1, "quantity": 2}]', :parks_coupon);
SELECT order_id, status, total FROM commerce.pay_order(4);
SELECT available, state AS voucher FROM commerce.stock, commerce.coupon_wallet
WHERE option_id = 1 AND user_id = 3;

\echo '\nRefused: it is paid.\n'
SELECT * FROM commerce.pay_order(4);

\echo '\nPark cancels: T-shirts, voucher and money come back.\n'
SELECT order_id, status, refunded, cancel_reason
FROM commerce.cancel_order(4, 'changed my mind');
SELECT available, state AS voucher FROM commerce.stock, commerce.coupon_wallet
WHERE option_id = 1 AND user_id = 3;
SELECT entry_no, type, amount, balance_after, order_id FROM commerce.balance_history
WHERE user_id = 3 ORDER BY entry_no;

\echo '\nRefused: there is no order 99.\n'
SELECT * FROM commerce.cancel_order(99);

\echo '\nKim sends back one of the two T-shirts of order 2: half of the 26,000 they cost less the 3,939'
\echo 'that the voucher took off them, rounded down.\n'
SELECT order_id, status, total, refunded
FROM commerce.refund_order(2, '[{"option_id": 2, "quantity": 1}]');
SELECT line_no, option_id, quantity, unit_price, discount_amount, refunded_quantity
FROM commerce.order_items WHERE order_id = 2 ORDER BY line_no;
SELECT entry_no, type, amount, balance_after, order_id FROM commerce.balance_history
WHERE order_id = 2 ORDER BY entry_no;

\echo '\nRefused: Kim has only one more to send back.\n'
SELECT * FROM commerce.refund_order(2, '[{"option_id": 2, "quantity": 2}]');
