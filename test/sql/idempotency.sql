-- The same key again: nothing is done twice, and the object is returned as it stands now.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 20, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 20, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, per_user_limit => 2, policy_id => 1);
END
$$;

-- charge_balance and use_balance: the same entry.
SELECT entry_no, amount, balance_after FROM commerce.charge_balance(1, 10000, 'charge-1');
SELECT entry_no, amount, balance_after FROM commerce.charge_balance(1, 10000, 'charge-1');
SELECT entry_no, amount, balance_after FROM commerce.use_balance(1, 4000, 'use-1');
SELECT entry_no, amount, balance_after FROM commerce.use_balance(1, 4000, 'use-1');
SELECT entry_no, amount, balance_after FROM commerce.charge_balance(1, 10000, 'charge-1');
SELECT user_id, balance, entry_count FROM commerce.balances;

-- issue_coupon: the same coupon, used meanwhile.
SELECT coupon_id, status FROM commerce.issue_coupon(1, 1, 'issue-1');
SELECT coupon_id, discount_amount FROM commerce.use_coupon(1, 1, 5000);
SELECT coupon_id, status, discount_amount FROM commerce.issue_coupon(1, 1, 'issue-1');
SELECT * FROM commerce.coupon_quota;

-- adjust_stock: the stock as it is now.
SELECT available FROM commerce.adjust_stock(1, 5, 'delivery', 'stock-1');
SELECT available FROM commerce.adjust_stock(1, -20);
SELECT available FROM commerce.adjust_stock(1, 5, 'delivery', 'stock-1');
SELECT option_id, quantity, reason FROM commerce.stock_adjustments
WHERE option_id = 1 AND quantity <> 20 ORDER BY adjustment_id;

-- place_order: the same order, as it stands now.
SELECT order_id, total, status FROM commerce.place_order(1,
	'[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 3}]', NULL, 'order-1');
SELECT order_id, total FROM commerce.place_order(1,
	'[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 3}]', NULL, 'order-1');
UPDATE commerce.orders SET cancel_reason = 'changed since' WHERE order_id = 1;
SELECT order_id, total, cancel_reason FROM commerce.place_order(1,
	'[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 3}]', NULL, 'order-1');
SELECT count(*) FROM commerce.orders;
SELECT count(*) FROM commerce.events;

-- Items are compared merged and sorted, numbers by value.
SELECT order_id FROM commerce.place_order(1,
	'[{"option_id": 2, "quantity": 3}, {"quantity": 2, "option_id": 1}]', NULL, 'order-1');
SELECT order_id FROM commerce.place_order(1,
	'[{"option_id": 1, "quantity": 1}, {"option_id": 2, "quantity": 3}, {"option_id": 1, "quantity": 1}]',
	NULL, 'order-1');
SELECT order_id FROM commerce.place_order(1,
	'[{"option_id": 2.0, "quantity": 0.3e1}, {"option_id": 1, "quantity": 2.00}]', NULL, 'order-1');

-- A known key answers before anything is checked that may have changed since:
-- balance and stock are gone, the policy is closed, the limit is reached.
DO $$
BEGIN
	PERFORM commerce.use_balance(1, commerce.get_balance(1));
	PERFORM commerce.adjust_stock(1, -3);
	PERFORM commerce.issue_coupon(1, 1);
	PERFORM commerce.close_coupon_policy(1);
END
$$;
SELECT order_id FROM commerce.place_order(1,
	'[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 3}]', NULL, 'order-1');
SELECT entry_no FROM commerce.use_balance(1, 4000, 'use-1');
SELECT coupon_id FROM commerce.issue_coupon(1, 1, 'issue-1');
SELECT available FROM commerce.adjust_stock(1, 5, 'delivery', 'stock-1');

-- With a coupon: used by the order itself, and no hindrance.
DO $$
BEGIN
	PERFORM commerce.charge_balance(1, 5000);
	PERFORM commerce.create_coupon_policy('fall', 'fixed', 100, 10, policy_id => 2);
	PERFORM commerce.issue_coupon(1, 2, 'issue-2');
END
$$;
SELECT coupon_id FROM commerce.issue_coupon(1, 2, 'issue-2') \gset
SELECT order_id, discount FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]', :coupon_id, 'order-2') \gset
SELECT order_id = :order_id AS same_order, discount
FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]', :coupon_id, 'order-2');

-- Twice within a transaction, and within a statement.
BEGIN;
SELECT entry_no FROM commerce.charge_balance(1, 1, 'charge-2');
SELECT entry_no FROM commerce.charge_balance(1, 1, 'charge-2');
COMMIT;
SELECT h.entry_no FROM generate_series(1, 3) i,
	commerce.charge_balance(1, i / i, 'charge-3') h;

-- An undone call leaves its key free.
BEGIN;
SELECT entry_no FROM commerce.charge_balance(1, 1, 'charge-4');
ROLLBACK;
SELECT entry_no, balance_after FROM commerce.charge_balance(1, 7, 'charge-4');

-- Without a key every call counts.
SELECT entry_no FROM commerce.charge_balance(1, 7);
SELECT entry_no FROM commerce.charge_balance(1, 7);
SELECT * FROM commerce.verify();
