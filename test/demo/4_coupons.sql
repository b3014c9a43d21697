\echo '\n=== 4. Coupons ===\n'
\echo 'Refused: the period of the policy is over.\n'
SELECT policy_id, name, issue_until < now() AS is_over
FROM commerce.create_coupon_policy('last year', 'fixed', 1000, quantity => 10,
	issue_from => now() - interval '1 year', issue_until => now() - interval '1 day');
SELECT * FROM commerce.issue_coupon(1, 2);

\echo '\nRefused: Kim comes too late for the opening day.\n'
SELECT * FROM commerce.issue_coupon(1, 1);

\echo '\nBut there is a voucher of 5,000 for orders of 20,000 and more: one for Kim, one for Lee.\n'
SELECT policy_id, name, discount_type, discount_value, min_order_amount
FROM commerce.create_coupon_policy('voucher', 'fixed', 5000, quantity => 10,
	min_order_amount => 20000);
SELECT coupon_id, user_id, status FROM commerce.issue_coupon(1, 3);
SELECT coupon_id, user_id, status FROM commerce.issue_coupon(2, 3);
\set ECHO none
SELECT (SELECT coupon_id FROM commerce.coupons WHERE user_id = 1 AND policy_id = 3) AS kims_coupon,
	(SELECT coupon_id FROM commerce.coupons WHERE user_id = 2 AND policy_id = 3) AS lees_coupon \gset
\set ECHO queries

\echo '\nRefused: Kim''s coupon, for Lee, does not exist.\n'
SELECT * FROM commerce.use_coupon(2, :kims_coupon, 30000);

\echo '\nLee uses the other one at the till, on 30,000.\n'
SELECT user_id, status, discount_amount FROM commerce.use_coupon(2, :lees_coupon, 30000);

\echo '\nRefused: it is used now.\n'
SELECT * FROM commerce.use_coupon(2, :lees_coupon, 30000);

\echo '\nRefused: a coupon valid for a second, two seconds later.\n'
SELECT policy_id, name, valid_for
FROM commerce.create_coupon_policy('be quick', 'fixed', 1000, quantity => 10,
	valid_for => '1 second');
SELECT coupon_id, user_id, status FROM commerce.issue_coupon(1, 4);
\set ECHO none
SELECT coupon_id AS quick_coupon FROM commerce.coupons WHERE policy_id = 4 \gset
\set ECHO queries
\! sleep 2
SELECT * FROM commerce.use_coupon(1, :quick_coupon, 30000);
