-- Why an order is refused, and which of several reasons is told.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Kim has 10000 and a coupon of every kind; Lee has no account; option 3 is sold out.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_user('Lee', 2);
	PERFORM commerce.charge_balance(1, 10000);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 20, 1);
	PERFORM commerce.create_product_option(1, 'blue', 1000, 3, 2);
	PERFORM commerce.create_product_option(1, 'green', 1000, 0, 3);
	PERFORM commerce.create_coupon_policy('good', 'fixed', 500, 100,
		min_order_amount => 5000, per_user_limit => 100, policy_id => 1);
	PERFORM commerce.create_coupon_policy('past', 'fixed', 500, 100,
		min_order_amount => 5000, valid_until => '2020-01-01 00:00+00', policy_id => 2);
	PERFORM commerce.create_coupon_policy('gone', 'fixed', 500, 0, policy_id => 3);
	-- Kim's coupons 1 to 4: good, used, revoked, expired; Lee's: 5, 6.
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 3);
	PERFORM commerce.issue_coupon(1, 2);
	PERFORM commerce.issue_coupon(2, 1) FROM generate_series(1, 2);
	PERFORM commerce.use_coupon(1, 2, 5000);
	PERFORM commerce.revoke_coupon(3);
END
$$;

-- place_order(user, {option: quantity, ...}, coupon)
CREATE FUNCTION pg_temp.order_refusal(user_id bigint, lines text, coupon_id bigint,
	OUT code text, OUT detail jsonb)
LANGUAGE sql AS $$
	SELECT r.code, r.detail
	FROM (SELECT string_agg(format('{"option_id": %s, "quantity": %s}',
				split_part(l, ':', 1), split_part(l, ':', 2)), ',') AS items
		  FROM regexp_split_to_table(lines, ' ') l) i,
		pg_temp.refusal(format('SELECT commerce.place_order(%L, %L, %L)',
			user_id, '[' || i.items || ']', coupon_id)) r
$$;

-- One reason at a time.
SELECT c.why, r.*
FROM (VALUES
	(1, 'none',				1, '1:10', NULL),
	(2, 'items',			1, '1:0', NULL),
	(3, 'user',				9, '1:1', NULL),
	(4, 'option',			1, '1:1 8:1 7:1', NULL),
	(5, 'stock',			1, '1:1 2:4 3:1', NULL),
	(6, 'no coupon',		1, '1:5', 99),
	(7, 'another''s',		1, '1:5', 5),
	(8, 'used',				1, '1:5', 2),
	(9, 'revoked',			1, '1:5', 3),
	(10, 'expired',			1, '1:5', 4),
	(11, 'minimum',			1, '1:4', 1),
	(12, 'account',			2, '1:1', NULL),
	(13, 'balance',			1, '1:11', NULL)
) c (nth, why, user_id, lines, coupon_id),
	pg_temp.order_refusal(c.user_id, c.lines, c.coupon_id) r
ORDER BY c.nth;

-- The balance must hold the total, not the subtotal: 10000 less 500.
BEGIN;
SELECT balance_after FROM commerce.use_balance(1, 500);
SELECT 'just enough' AS why, r.* FROM pg_temp.order_refusal(1, '1:10', 1) r;
SELECT balance_after FROM commerce.use_balance(1, 1);
SELECT 'one coin short' AS why, r.* FROM pg_temp.order_refusal(1, '1:10', 1) r;
ROLLBACK;

-- Two reasons at a time, each with the next in order: the earlier is told. The
-- coupon's own states exclude each other, but for expiry and minimum.
SELECT c.why, r.code
FROM (VALUES
	(1, 'items > user',			9, '1:0', NULL),
	(2, 'user > option',		9, '9:1', NULL),
	(3, 'option > stock',		1, '3:1 9:1', NULL),
	(4, 'stock > no coupon',	1, '3:1', 99),
	(5, 'no coupon > minimum',	1, '1:4', 99),
	(6, 'another''s > minimum',	1, '1:4', 5),
	(7, 'used > minimum',		1, '1:4', 2),
	(8, 'revoked > minimum',	1, '1:4', 3),
	(9, 'expired > minimum',	1, '1:4', 4),
	(10, 'minimum > account',	2, '1:4', 5),
	(11, 'no coupon > account',	2, '1:5', 99),
	(12, 'no coupon > balance',	1, '1:20', 99),
	(13, 'used > balance',		1, '1:20', 2)
) c (nth, why, user_id, lines, coupon_id),
	pg_temp.order_refusal(c.user_id, c.lines, c.coupon_id) r
ORDER BY c.nth;

-- Used and revoked coupons that are expired, too; a minimum above any balance.
BEGIN;
UPDATE commerce.coupons SET expires_at = '2020-01-01 00:00+00' WHERE coupon_id <> 1;
UPDATE commerce.coupon_policies SET min_order_amount = 100000;
SELECT c.why, r.code
FROM (VALUES
	(1, 'another''s > expired',	1, '1:5', 5),
	(2, 'used > expired',		1, '1:5', 2),
	(3, 'revoked > expired',	1, '1:5', 3),
	(4, 'minimum > balance',	1, '1:20', 1),
	(5, 'expired > account',	2, '1:5', 5)
) c (nth, why, user_id, lines, coupon_id),
	pg_temp.order_refusal(c.user_id, c.lines, c.coupon_id) r
ORDER BY c.nth;
UPDATE commerce.coupons SET user_id = 3 WHERE coupon_id IN (2, 3);
SELECT 'another''s > used' AS why, r.code FROM pg_temp.order_refusal(1, '1:5', 2) r;
SELECT 'another''s > revoked' AS why, r.code FROM pg_temp.order_refusal(1, '1:5', 3) r;
ROLLBACK;

-- Far apart: the first of all against all that follow.
SELECT c.why, r.code
FROM (VALUES
	(1, 'items > everything',	9, '1:0 9:1 3:1', 99),
	(2, 'user > everything',	9, '9:1 3:1', 99),
	(3, 'option > everything',	2, '9:1 3:1 1:20', 99),
	(4, 'stock > everything',	2, '3:1 1:21', 99),
	(5, 'stock > minimum',		1, '3:1', 1),
	(6, 'stock > account',		2, '3:1', NULL),
	(7, 'stock > balance',		1, '3:1 1:20', NULL),
	(8, 'option > account',		2, '9:1', NULL),
	(9, 'option > balance',		1, '1:20 9:1', NULL),
	(10, 'user > stock',		9, '3:1', 99)
) c (nth, why, user_id, lines, coupon_id),
	pg_temp.order_refusal(c.user_id, c.lines, c.coupon_id) r
ORDER BY c.nth;

-- Every short line is told, in the order of the lines; the missing option is the first missing.
SELECT detail FROM pg_temp.order_refusal(1, '3:2 2:9 1:1 2:1 1:20', NULL);
SELECT detail FROM pg_temp.order_refusal(1, '1:1 77:1 5:1 77:1', NULL);

-- What is gone is refused without writing: the transaction has no id yet.
BEGIN;
SELECT code FROM pg_temp.order_refusal(1, '1:1 3:1', 1);
SELECT code FROM pg_temp.refusal($$SELECT commerce.issue_coupon(1, 3)$$);
SELECT pg_current_xact_id_if_assigned();
ROLLBACK;

-- Nothing was bought.
SELECT count(*) FROM commerce.orders;
SELECT * FROM commerce.verify();
