-- Arguments out of their bounds, of the calls after an order's making.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('thing', 1);
	PERFORM commerce.create_product_option(1, 'red', 1, 100, 1);
	PERFORM commerce.charge_balance(1, 100);
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
END
$$;

SELECT c.call, r.code, r.message
FROM (VALUES
	(1, $$hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '0')$$),
	(2, $$hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '-1 microsecond')$$),
	(3, $$hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '-178000000 years')$$),
	(4, $$hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '1 month -30 days')$$),
	(5, $$hold_order(1, '[{"option_id": 1, "quantity": 1}]', idempotency_key => '')$$),
	(6, $$hold_order(1, '[{"option_id": 1, "quantity": 1}]', idempotency_key => repeat('k', 256))$$),
	(7, $$cancel_order(1, '')$$),
	(8, $$cancel_order(1, repeat('r', 1001))$$),
	(9, $$cancel_order(1, repeat('이', 1001))$$),
	(10, $$refund_order(1, '[{"option_id": 1, "quantity": 1}]', '')$$),
	(11, $$refund_order(1, '[{"option_id": 1, "quantity": 1}]', repeat('k', 256))$$),
	(12, $$expire_orders(0)$$),
	(13, $$expire_orders(-1)$$),
	(14, $$expire_orders(-2147483648)$$)
) c (nth, call), pg_temp.refusal('SELECT commerce.' || c.call) r
ORDER BY c.nth;

-- Items: as for place_order.
SELECT i.items, h.code AS hold, r.code AS refund, r.detail
FROM (VALUES
	(1, 'null'), (2, '{}'), (3, '[]'), (4, '"x"'), (5, '[1]'), (6, '[{"option_id": 1}]'),
	(7, '[{"option_id": 1, "quantity": 0}]'), (8, '[{"option_id": 1, "quantity": -1}]'),
	(9, '[{"option_id": 1, "quantity": 0.5}]'), (10, '[{"option_id": 1, "quantity": 1000000001}]'),
	(11, '[{"option_id": 1, "quantity": 1, "amount": 1}]'),
	(12, '[{"option_id": 1, "quantity": 1000000000}, {"option_id": 1, "quantity": 1}]')
) i (nth, items),
	pg_temp.refusal(format('SELECT commerce.hold_order(1, %L)', i.items)) h,
	pg_temp.refusal(format('SELECT commerce.refund_order(1, %L)', i.items)) r
ORDER BY i.nth;

-- What is malformed is told before what is not there.
SELECT c.call, r.code
FROM (VALUES
	(1, $$hold_order(9, '[{"option_id": 9, "quantity": 1}]', 9, '0')$$),
	(2, $$hold_order(9, '[{"option_id": 9, "quantity": 1}]', 9, idempotency_key => '')$$),
	(3, $$hold_order(9, '[]', 9, '0')$$),
	(4, $$cancel_order(9, '')$$),
	(5, $$refund_order(9, '[{"option_id": 9, "quantity": 1}]', '')$$)
) c (nth, call), pg_temp.refusal('SELECT commerce.' || c.call) r
ORDER BY c.nth;

-- The extremes of ids are ids that nobody has.
SELECT c.call, r.code
FROM (VALUES
	(1, 'pay_order(0)'), (2, 'pay_order(-9223372036854775808)'), (3, 'pay_order(9223372036854775807)'),
	(4, 'cancel_order(0)'), (5, 'cancel_order(9223372036854775807)'),
	(6, $$refund_order(-9223372036854775808, '[{"option_id": 1, "quantity": 1}]')$$),
	(7, $$refund_order(1, '[{"option_id": -9223372036854775808, "quantity": 1}]')$$),
	(8, $$refund_order(1, '[{"option_id": 9223372036854775807, "quantity": 1000000000}]', repeat('k', 255))$$)
) c (nth, call), pg_temp.refusal('SELECT commerce.' || c.call) r
ORDER BY c.nth;

-- As much as may be.
SELECT status, expires_at - placed_at AS ttl FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '7 days');
SELECT status FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '1 microsecond', idempotency_key => repeat('k', 255));
SELECT status, length(cancel_reason) FROM commerce.cancel_order(3, repeat('이', 1000));
SELECT status, cancel_reason FROM commerce.cancel_order(2, '.');
SELECT status FROM commerce.refund_order(1, '[{"option_id": 1, "quantity": 1}]', repeat('k', 255));
SELECT * FROM commerce.expire_orders(2147483647);

-- Not in a read-only transaction, as any call that writes.
BEGIN READ ONLY;
SELECT c.call, r.code, r.message
FROM (VALUES (1, $$hold_order(1, '[{"option_id": 1, "quantity": 1}]')$$), (2, 'pay_order(1)'), (3, 'cancel_order(1)'),
	(4, $$refund_order(1, '[{"option_id": 1, "quantity": 1}]')$$), (5, 'expire_orders()')
) c (nth, call), pg_temp.refusal('SELECT commerce.' || c.call) r
ORDER BY c.nth;
ROLLBACK;
SELECT * FROM commerce.verify();
