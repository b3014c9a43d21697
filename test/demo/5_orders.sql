\set ECHO none
SELECT coupon_id AS kims_coupon FROM commerce.coupons WHERE user_id = 1 AND policy_id = 3 \gset
\set ECHO queries

\echo '\n=== 5. Orders ===\n'
\echo 'Lee buys a mug.\n'
SELECT order_id, status, subtotal, discount, total
FROM commerce.place_order(2, '[{"option_id": 3, "quantity": 1}]');

\echo '\nWhat would two T-shirts and a mug cost Kim with the voucher?\n'
SELECT * FROM commerce.quote_order(1,
	'[{"option_id": 2, "quantity": 2}, {"option_id": 3, "quantity": 1}]', :kims_coupon);

\echo '\nKim buys them: stock, coupon and balance in one step.\n'
SELECT order_id, status, subtotal, discount, total
FROM commerce.place_order(1,
	'[{"option_id": 2, "quantity": 2}, {"option_id": 3, "quantity": 1}]', :kims_coupon);
SELECT line_no, option_id, quantity, unit_price, discount_amount
FROM commerce.order_items WHERE order_id = 2 ORDER BY line_no;
SELECT state, discount_amount, order_id FROM commerce.coupon_wallet WHERE coupon_id = :kims_coupon;
SELECT commerce.get_balance(1) AS kims_balance, commerce.get_balance(2) AS lees_balance;
SELECT * FROM commerce.stock ORDER BY option_id;

\echo '\nRefused: there is no user 99.\n'
SELECT * FROM commerce.place_order(99, '[{"option_id": 1, "quantity": 1}]');

\echo '\nRefused: one mug is left, and 48 T-shirts of size L. DETAIL lists both.\n'
SELECT * FROM commerce.place_order(1,
	'[{"option_id": 3, "quantity": 2}, {"option_id": 2, "quantity": 60}]');

\echo '\nRefused: Park has no account.\n'
SELECT * FROM commerce.place_order(3, '[{"option_id": 1, "quantity": 1}]');

\echo '\nRefused: Lee has 13,000 left.\n'
SELECT * FROM commerce.place_order(2, '[{"option_id": 1, "quantity": 2}]');
