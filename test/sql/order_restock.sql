-- Money back, goods lost: restock => false, in cancelling and refunding.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 10, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 10, 2);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.place_order(1, '[{"option_id": 2, "quantity": 2}, {"option_id": 1, "quantity": 3}]'); -- 1
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 4}]'); -- 2
	PERFORM commerce.hold_order(1, '[{"option_id": 2, "quantity": 1}]'); -- 3
END
$$;

SELECT status, refunded FROM commerce.cancel_order(1, 'lost', restock => false);
SELECT status, refunded FROM commerce.refund_order(2, '[{"option_id": 1, "quantity": 1}]', 'r', restock => false);
SELECT status FROM commerce.cancel_order(3, restock => false);
SELECT balance FROM commerce.balances;
SELECT option_id, available FROM commerce.stock ORDER BY option_id;
SELECT option_id, quantity, reason FROM commerce.stock_adjustments ORDER BY adjustment_id;

-- It is part of what a key stands for.
SELECT status, refunded FROM commerce.refund_order(2, '[{"option_id": 1, "quantity": 1}]', 'r', restock => false);
SELECT code, detail FROM pg_temp.refusal($$SELECT commerce.refund_order(2, '[{"option_id": 1, "quantity": 1}]', 'r')$$);
SELECT status, refunded FROM commerce.refund_order(2, '[{"option_id": 1, "quantity": 1}]', 'r2');
SELECT option_id, available FROM commerce.stock ORDER BY option_id;

-- The event tells of it.
SELECT event_type, refund FROM commerce.events WHERE refund IS NOT NULL ORDER BY event_id;

SELECT code, message FROM pg_temp.refusal($$SELECT commerce.cancel_order(2, restock => NULL)$$);
SELECT code, message FROM pg_temp.refusal($$SELECT commerce.refund_order(2, '[{"option_id": 1, "quantity": 1}]', restock => NULL)$$);

SELECT * FROM commerce.verify();
-- Of what was not restocked verify() misses the record.
SELECT * FROM pg_temp.violations($$DELETE FROM commerce.stock_adjustments WHERE quantity = -3$$);
