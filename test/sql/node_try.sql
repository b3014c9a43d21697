-- What a router calls: each refusal and error as a value, word for word what the call
-- itself would raise, and nothing changed; otherwise what the call would return.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

SET commerce.max_charge_amount = 9223372036854775807;
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1), commerce.create_user('Lee', 2);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 10, 11);
	PERFORM commerce.charge_balance(1, 9223372036854775807);
	PERFORM commerce.create_coupon_policy('over', 'fixed', 1, 9, issue_from => 'yesterday', issue_until => now(), policy_id => 1);
	PERFORM commerce.create_coupon_policy('soon', 'fixed', 1, 9, issue_from => 'tomorrow', policy_id => 2);
	PERFORM commerce.create_coupon_policy('big', 'fixed', 1, 1, min_order_amount => 5000, policy_id => 3);
	PERFORM commerce.create_coupon_policy('short', 'fixed', 1, 9, valid_for => '1 microsecond', policy_id => 4);
	PERFORM commerce.create_coupon_policy('many', 'fixed', 1, 9, per_user_limit => 9, policy_id => 5);
	PERFORM commerce.issue_coupon(1, 3), commerce.issue_coupon(1, 4);
	PERFORM commerce.issue_coupon(1, 5), commerce.issue_coupon(1, 5);
	PERFORM commerce.use_coupon(1, 3, 100), commerce.revoke_coupon(4);
	PERFORM commerce.place_order(1, '[{"option_id": 11, "quantity": 2}]', idempotency_key => 'k');
	PERFORM commerce.hold_order(1, '[{"option_id": 11, "quantity": 1}]', ttl => '1 microsecond');
END
$$;

CREATE FUNCTION pg_temp.difference(call text, OUT code text, OUT difference text)
LANGUAGE plpgsql AS $$
DECLARE
	raised text[] := '{}';
	text_of text;
	detail_of text;
	hint_of text;
	tried text[];
	answer text;
BEGIN
	BEGIN
		EXECUTE 'SELECT commerce.' || call;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, text_of = MESSAGE_TEXT,
			detail_of = PG_EXCEPTION_DETAIL, hint_of = PG_EXCEPTION_HINT;
		raised := ARRAY[code, text_of, nullif(detail_of, ''), nullif(hint_of, '')];
	END;
	EXECUTE 'SELECT t.answer::text, ARRAY[sqlstate, message, detail, hint] FROM commerce.try_' || call || ' t'
		INTO answer, tried;
	IF answer IS NOT NULL OR raised IS DISTINCT FROM tried THEN
		difference := format('%s, %s, %s', raised, tried, answer);
	END IF;
END
$$;

CREATE TEMP VIEW books AS
SELECT (SELECT sum(entry_count) FROM commerce.balances) AS entries,
	(SELECT count(*) FROM commerce.orders) AS orders, (SELECT sum(available) FROM commerce.stock) AS units,
	(SELECT count(*) FROM commerce.coupons) AS coupons, (SELECT count(*) FROM commerce.idempotency_keys) AS keys;
TABLE books;
SELECT d.code, c.call, d.difference
FROM (VALUES
	($$set_user_name(9, 'x')$$), ($$create_product_option(9, 'x', 1)$$), ($$set_price(9, 1)$$),
	($$cancel_order(9)$$), ($$close_coupon_policy(9)$$), ($$revoke_coupon(9)$$),
	($$charge_balance(1, 0)$$), ($$use_balance(9, 1)$$), ($$use_balance(2, 1)$$), ($$get_balance(9)$$),
	($$charge_balance(1, 9223372036854775807, 'c')$$), ($$charge_balance(1, 9000)$$),
	($$issue_coupon(1, 2)$$), ($$issue_coupon(1, 1)$$), ($$issue_coupon(2, 3)$$), ($$issue_coupon(1, 4)$$),
	($$update_coupon_policy(5, quantity => 1)$$),
	($$use_coupon(1, 3, 100)$$), ($$use_coupon(1, 2, 100)$$), ($$use_coupon(1, 1, 100)$$), ($$use_coupon(1, 4, 100)$$),
	($$place_order(1, '[{"option_id": 11, "quantity": 99}]', idempotency_key => 'n')$$),
	($$hold_order(1, '[{"option_id": 11, "quantity": 99}]')$$),
	($$place_order(1, '[]')$$), ($$quote_order(1, '[{"option_id": 9, "quantity": 99}]')$$),
	($$pay_order(1)$$), ($$pay_order(2)$$), ($$refund_order(1, '[{"option_id": 11, "quantity": 3}]')$$),
	($$place_order(1, '[{"option_id": 11, "quantity": 1}]', expected_total => 1)$$),
	($$place_order(1, '[{"option_id": 11, "quantity": 1}]', idempotency_key => 'k')$$),
	($$place_order(1, NULL)$$), ($$create_user('')$$), ($$place_orders('{}')$$),
	($$issue_coupons(9, '{1}')$$), ($$spread_stock(11, 0)$$), ($$expire_orders(0)$$),
	($$adjust_stock(11, -99)$$), ($$adjust_stock(11, 9223372036854775807)$$), ($$popular_products(0)$$),
	($$purge_idempotency_keys('-1 day')$$), ($$get_order(9)$$), ($$erase_user(9)$$)) c (call),
	LATERAL pg_temp.difference(c.call) d;
TABLE books;

-- What is let through.
SELECT (answer).order_id, (answer).status, (answer).total, sqlstate, message, detail, hint
FROM commerce.try_place_order(1, '[{"option_id": 11, "quantity": 1}]');
SELECT * FROM commerce.try_get_balance(1);
SELECT answer FROM commerce.try_quote_order(1, '[{"option_id": 11, "quantity": 2}]');
SELECT answer FROM commerce.try_place_orders('[{"user_id": 1, "items": [{"option_id": 11, "quantity": 1}]},
	{"user_id": 9, "items": [{"option_id": 11, "quantity": 1}]}]');
SELECT answer FROM commerce.try_popular_products();
SELECT answer->>'user_id' AS buyer FROM commerce.try_get_order(1);
SELECT (answer).name FROM commerce.try_create_user('Park', 3);
SELECT sqlstate, message, detail FROM commerce.try_create_user('Park', 3);

-- A trigger's error is an answer too; a cancel is none.
CREATE FUNCTION pg_temp.object() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'not %', NEW.name USING ERRCODE = NEW.name, DETAIL = 'why', HINT = 'how';
END
$$;
CREATE TRIGGER object BEFORE INSERT ON commerce.users FOR EACH ROW EXECUTE FUNCTION pg_temp.object();
SELECT * FROM commerce.try_create_user('P0001');
SELECT * FROM commerce.try_create_user('40001');
\set VERBOSITY terse
SELECT * FROM commerce.try_create_user('57014');
SELECT * FROM commerce.try_create_user('53100');
DROP TRIGGER object ON commerce.users;

-- Declared otherwise it is an error, not a crash.
CREATE FUNCTION pg_temp.try_get_balance(user_id bigint) RETURNS bigint
AS '$libdir/commerce', 'commerce_try' LANGUAGE C;
SELECT code FROM pg_temp.refusal('SELECT pg_temp.try_get_balance(1)');
CREATE FUNCTION pg_temp.try_nothing(user_id bigint, OUT answer bigint, OUT sqlstate text, OUT message text,
	OUT detail text, OUT hint text) AS '$libdir/commerce', 'commerce_try' LANGUAGE C;
SELECT code FROM pg_temp.refusal('SELECT pg_temp.try_nothing(1)');
SELECT * FROM commerce.verify();
