-- Arguments out of their bounds: 22023 naming the argument; before any look at the data.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('thing', 1);
	PERFORM commerce.create_product_option(1, 'red', 1, 1, 1);
END
$$;

-- Each bound broken, on objects that don't exist where there is one to name.
SELECT c.call, r.code, r.message
FROM (VALUES
	(1, $$create_user('')$$),
	(2, $$create_product('')$$),
	(3, $$create_product_option(9, '', 1)$$),
	(4, $$create_product_option(9, 'a', -1)$$),
	(5, $$create_product_option(9, 'a', 1, -1)$$),
	(6, $$set_price(9, -1)$$),
	(7, $$adjust_stock(9, 1, idempotency_key => '')$$),
	(8, $$create_coupon_policy('', 'fixed', 1, 1)$$),
	(9, $$create_coupon_policy('a', 'free', 1, 1)$$),
	(10, $$create_coupon_policy('a', 'fixed', 0, 1)$$),
	(11, $$create_coupon_policy('a', 'percent', 101, 1)$$),
	(12, $$create_coupon_policy('a', 'fixed', 1, -1)$$),
	(13, $$create_coupon_policy('a', 'fixed', 1, 1, now(), now())$$),
	(14, $$create_coupon_policy('a', 'fixed', 1, 1, max_discount_amount => 0)$$),
	(15, $$create_coupon_policy('a', 'fixed', 1, 1, min_order_amount => -1)$$),
	(16, $$create_coupon_policy('a', 'fixed', 1, 1, per_user_limit => 0)$$),
	(17, $$create_coupon_policy('a', 'fixed', 1, 1, valid_for => '0')$$),
	(18, $$charge_balance(9, 1, '')$$),
	(19, $$use_balance(9, 1, '')$$),
	(20, $$issue_coupon(9, 1, '')$$),
	(21, $$place_order(9, '[{"option_id": 1, "quantity": 1}]', NULL, '')$$),
	(22, $$claim_events(0)$$),
	(23, $$claim_events(1, '0')$$),
	(24, $$claim_events(1, '-1 s')$$),
	(25, $$ack_events('{1}', '{}')$$),
	(26, $$ack_events('{}', '{1}')$$),
	(27, $$fail_event(9, 1, 'a', '-1 s')$$),
	(28, $$grant_access('pg_monitor', 'writer')$$),
	(29, $$grant_access('pg_monitor', '')$$)
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;

-- The ends of bigint and integer.
SELECT c.call, r.code
FROM (VALUES
	(1, $$create_product_option(1, 'a', -9223372036854775808)$$),
	(2, $$create_product_option(1, 'a', 1, -9223372036854775808)$$),
	(3, $$set_price(1, -9223372036854775808)$$),
	(4, $$set_price(1, 9223372036854775807)$$),
	(5, $$create_coupon_policy('a', 'fixed', -9223372036854775808, 1)$$),
	(6, $$create_coupon_policy('a', 'percent', 9223372036854775807, 1)$$),
	(7, $$create_coupon_policy('a', 'fixed', 1, -9223372036854775808)$$),
	(8, $$create_coupon_policy('a', 'fixed', 1, 1, per_user_limit => -2147483648)$$),
	(9, $$claim_events(-2147483648)$$),
	(10, $$claim_events(2147483647)$$),
	(11, $$claim_events(1, '1 microsecond')$$),
	(12, $$get_balance(-9223372036854775808)$$),
	(13, $$issue_coupon(1, 9223372036854775807)$$),
	(14, $$use_coupon(1, -9223372036854775808, 9223372036854775807)$$),
	(15, $$revoke_coupon(9223372036854775807)$$),
	(16, $$close_coupon_policy(-9223372036854775808)$$),
	(17, $$retry_event(9223372036854775807)$$),
	(18, $$discard_event(-9223372036854775808)$$),
	(19, $$fail_event(9223372036854775807, -2147483648, 'a')$$),
	(20, $$ack_events('{9223372036854775807, -9223372036854775808}', '{2147483647, -2147483648}')$$)
) c (nth, call), pg_temp.refusal('SELECT * FROM commerce.' || c.call) r
ORDER BY c.nth;

-- Names have 1 to 200 characters, and characters are not bytes.
SELECT length, word, u.code AS "user", p.code AS product, o.code AS option, c.code AS policy
FROM unnest(ARRAY[1, 200, 201, 10000]) length,
	unnest(ARRAY['x', '글', '😀']) word,
	repeat(word, length) name,
	pg_temp.refusal(format('SELECT commerce.create_user(%L)', name)) u,
	pg_temp.refusal(format('SELECT commerce.create_product(%L)', name)) p,
	pg_temp.refusal(format('SELECT commerce.create_product_option(1, %L, 1)', name)) o,
	pg_temp.refusal(format('SELECT commerce.create_coupon_policy(%L, ''fixed'', 1, 1)', name)) c
ORDER BY word COLLATE "C", length;

-- Whatever else is in a name is kept as it is.
SELECT name FROM commerce.create_user(E'''; DROP TABLE users; --\t"\\ \u0001');
SELECT name = '  ' AS kept FROM commerce.create_user('  ');

-- Idempotency keys have 1 to 255 characters.
SELECT length, word, r.code
FROM unnest(ARRAY[0, 1, 255, 256, 10000]) length,
	unnest(ARRAY['x', '글', '😀']) word,
	pg_temp.refusal(format('SELECT commerce.charge_balance(1, 1, %L)', repeat(word, length))) r
ORDER BY word COLLATE "C", length;
-- Keys are equal when their bytes are: no folding, no trimming, no normal form.
SELECT h.entry_no
FROM unnest(ARRAY['key', 'KEY', ' key', 'key ', E'key\n', 'ke%', E'k\u00e9y', E'ke\u0301y',
	'글', E'\x01', '''"\', 'key']) WITH ORDINALITY k (key, nth),
	commerce.charge_balance(1, 1, k.key) h
ORDER BY k.nth;

-- Nothing of all this was written but the two users and the charges.
SELECT count(*) FROM commerce.users;
SELECT count(*) FROM commerce.products;
SELECT count(*) FROM commerce.coupon_policies;
SELECT * FROM commerce.get_balance(1);
SELECT * FROM commerce.verify();
