-- place_orders refuses a request as place_order does: for the same reason, of several the same one, in the same words.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/requests.psql'
\set ECHO none
\i :helpers

-- Kim has 10000 and a coupon of every kind; Lee has no account; option 3 is sold out.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1), commerce.create_user('Lee', 2);
	PERFORM commerce.charge_balance(1, 10000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 20, 1);
	PERFORM commerce.create_product_option(1, 'blue', 1000, 3, 2);
	PERFORM commerce.create_product_option(1, 'green', 1000, 0, 3);
	PERFORM commerce.create_product_option(1, 'gold', 9223372036854775807, 5, 4);
	PERFORM commerce.create_coupon_policy('good', 'fixed', 500, 100,
		min_order_amount => 5000, per_user_limit => 100, policy_id => 1);
	PERFORM commerce.create_coupon_policy('past', 'fixed', 500, 100,
		min_order_amount => 5000, valid_until => '2020-01-01 00:00+00', policy_id => 2);
	-- Kim's coupons 1 to 4: good, used, revoked, expired; Lee's: 5; used by an order: 6; used and
	-- revoked, expired too: 7, 8.
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 3);
	PERFORM commerce.issue_coupon(1, 2);
	PERFORM commerce.issue_coupon(2, 1);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 3);
	PERFORM commerce.use_coupon(1, 2, 5000), commerce.use_coupon(1, 7, 5000);
	PERFORM commerce.revoke_coupon(3), commerce.revoke_coupon(8);
	PERFORM commerce.charge_balance(1, 4500);
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 5}]', 6, 'taken');
END
$$;
UPDATE commerce.coupons SET expires_at = '2020-01-01 00:00+00' WHERE coupon_id IN (7, 8);

-- What place_order raises, and whether place_orders says the same of this request alone; then, in one batch
-- of all of them, which wants far more of each option than there is.
CREATE TEMP TABLE cases (nth integer, why text, request jsonb);
INSERT INTO cases SELECT row_number() OVER (), why, pg_temp.request(user_id, lines, coupon_id, key)
FROM (VALUES
	('items > everything',		9, '9:1 3:1 1:0', 99, 'taken'),
	('key > everything',		1, '9:1 3:1', 99, 'taken'),
	('user > everything',		9, '9:1 3:1', 99, NULL),
	('user > overflow',			9, '4:2', NULL, NULL),
	('user > balance',			9, '1:1', NULL, 'taken'),
	('option, the first',		1, '1:1 8:1 7:1', NULL, NULL),
	('option > everything',		2, '9:1 3:1 1:16', 99, NULL),
	('option > overflow',		1, '4:2 9:1', NULL, NULL),
	('stock, all that is short',1, '3:2 2:9 1:1 2:1 1:15', NULL, NULL),
	('stock > everything',		2, '3:1 1:16', 99, NULL),
	('stock > overflow',		1, '4:6', NULL, NULL),
	('stock > no coupon',		1, '3:1', 99, NULL),
	('stock > minimum',			1, '3:1', 1, NULL),
	('stock > account',			2, '3:1', NULL, NULL),
	('stock > balance',			1, '3:1 1:15', NULL, NULL),
	('overflow > everything',	2, '4:2', 99, NULL),
	('no coupon > minimum',		1, '1:4', 99, NULL),
	('no coupon > account',		2, '1:5', 99, NULL),
	('no coupon > balance',		1, '1:15', 99, NULL),
	('another''s > minimum',	1, '1:4', 5, NULL),
	('used',					1, '1:5', 2, NULL),
	('used > expired',			1, '1:4', 7, NULL),
	('used by an order > balance',	1, '1:15', 6, NULL),
	('revoked > minimum',		1, '1:4', 3, NULL),
	('revoked > expired',		1, '1:5', 8, NULL),
	('expired > minimum',		1, '1:4', 4, NULL),
	('expired > balance',		1, '1:15', 4, NULL),
	('minimum > account',		2, '1:4', 5, NULL),
	('minimum',					1, '1:4', 1, NULL),
	('account',					2, '1:1', NULL, NULL),
	('account, with coupon',	2, '1:5', 5, NULL),
	('balance',					1, '1:11', NULL, NULL),
	('balance, with coupon',	1, '1:11', 1, NULL),
	('key too long > user',		9, '9:1', NULL, repeat('k', 256))
) c (why, user_id, lines, coupon_id, key);

CREATE FUNCTION pg_temp.single(request jsonb, OUT code text, OUT message text, OUT detail jsonb)
LANGUAGE sql AS $$
	SELECT r.code, r.message, r.detail
	FROM pg_temp.refusal(format('SELECT commerce.place_order(%L, %L, %L, %L)', request -> 'user_id',
		request -> 'items', request -> 'coupon_id', request ->> 'idempotency_key')) r
$$;
CREATE TEMP TABLE together AS
SELECT r.* FROM commerce.place_orders((SELECT jsonb_agg(request ORDER BY nth) FROM cases)) r;

-- 22003 and 22023 have no detail that pg_temp.refusal reads.
SELECT c.why, s.code,
	(s.code, s.message) = (a.sqlstate, a.message) AND (s.detail = a.detail OR s.code LIKE '22%') AS alone,
	(s.code, s.message) = (t.sqlstate, t.message) AND (s.detail = t.detail OR s.code LIKE '22%') AS together
FROM cases c JOIN together t ON t.request_no = c.nth, pg_temp.single(c.request) s,
	commerce.place_orders(jsonb_build_array(c.request)) a
ORDER BY c.nth;

-- Behind an order that takes 9000 of the 10000 and 9 of the 15: still the same as place_order now says, for
-- some another reason than before.
CREATE TEMP TABLE behind AS
SELECT r.* FROM commerce.place_orders((SELECT jsonb_build_array(pg_temp.request(1, '1:9')) || jsonb_agg(request ORDER BY nth)
	FROM cases)) r;
SELECT c.why, t.sqlstate AS before, b.sqlstate AS behind
FROM cases c JOIN together t ON t.request_no = c.nth JOIN behind b ON b.request_no = c.nth + 1
WHERE (t.sqlstate, t.message, t.detail) IS DISTINCT FROM (b.sqlstate, b.message, b.detail) ORDER BY c.nth;
SELECT count(*), bool_and((s.code, s.message) = (b.sqlstate, b.message) AND (s.detail = b.detail OR s.code LIKE '22%')) AS same
FROM cases c JOIN behind b ON b.request_no = c.nth + 1, pg_temp.single(c.request) s;
SELECT count(*) FROM commerce.orders;
SELECT * FROM commerce.verify();
