-- Thousands of random requests in batches: the same answers, and the same shop afterwards, as one by one.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/requests.psql'
\set ECHO none
\i :helpers

-- Few of everything, so that it runs out. User 5 has no account, 6 is none; option 7 is none.
DO $$
BEGIN
	PERFORM commerce.create_user('buyer', n) FROM generate_series(1, 5) n;
	PERFORM commerce.charge_balance(n, 1000) FROM generate_series(1, 4) n;
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'no. ' || n, p, 20, n)
	FROM unnest(ARRAY[0, 7, 30, 99, 100, 9223372036854775807]) WITH ORDINALITY o (p, n);
	PERFORM commerce.create_coupon_policy('a third', 'percent', 33, 10000, per_user_limit => 10000, policy_id => 1);
	PERFORM commerce.create_coupon_policy('some', 'fixed', 50, 10000, min_order_amount => 60, per_user_limit => 10000, policy_id => 2);
END
$$;

CREATE FUNCTION pg_temp.upto(n bigint) RETURNS bigint LANGUAGE sql RETURN 1 + floor(random() * n)::bigint;

CREATE FUNCTION pg_temp.random_request() RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	buyer	bigint := CASE WHEN random() < 0.9 THEN pg_temp.upto(4) ELSE 3 + pg_temp.upto(3) END;
	request	jsonb := pg_temp.request(buyer,
		(SELECT string_agg(CASE WHEN random() < 0.9 THEN pg_temp.upto(5) ELSE pg_temp.upto(7) END || ':' ||
			CASE WHEN random() < 0.9 THEN pg_temp.upto(2) ELSE pg_temp.upto(12) END, ' ')
		 FROM generate_series(1, pg_temp.upto(3))),
		CASE WHEN random() < 0.5 THEN (
			SELECT coupon_id FROM (SELECT * FROM commerce.coupons ORDER BY user_id <> buyer, coupon_id DESC LIMIT 9) c
			ORDER BY random() LIMIT 1) END,
		CASE WHEN random() < 0.4 THEN 'k' || pg_temp.upto(60) END);
BEGIN
	-- The arguments of most keys follow from the key.
	IF request ? 'idempotency_key' AND random() < 0.8 THEN
		request := request - 'coupon_id' || jsonb_build_object('items',
			pg_temp.items(1 + hashtext(request ->> 'idempotency_key') & 3 || ':1'));
	END IF;
	RETURN CASE WHEN random() < 0.97 THEN request
		ELSE request || (ARRAY['{"items": []}', '{"user_id": null}', '{"items": null}', '{"idempotency_key": ""}'])
			[pg_temp.upto(4)]::jsonb END;
END
$$;

-- What place_orders says it does.
CREATE FUNCTION pg_temp.one_by_one(requests jsonb)
RETURNS TABLE (request_no integer, order_id bigint, code text, message text, detail jsonb)
LANGUAGE plpgsql AS $$
DECLARE
	r			jsonb;
	detail_text text;
BEGIN
	request_no := 0;
	FOR r IN SELECT * FROM jsonb_array_elements(requests) LOOP
		request_no := request_no + 1;
		order_id := NULL;
		code := NULL;
		message := NULL;
		detail_text := NULL;
		BEGIN
			order_id := (commerce.place_order((r ->> 'user_id')::bigint, r -> 'items', (r ->> 'coupon_id')::bigint,
				r ->> 'idempotency_key')).order_id;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail_text = PG_EXCEPTION_DETAIL;
		END;
		detail := nullif(detail_text, '');
		RETURN NEXT;
	END LOOP;
END
$$;

-- An order without its id, which may be another one.
CREATE FUNCTION pg_temp.content(id bigint) RETURNS text LANGUAGE sql AS $$
	SELECT md5((o - '{order_id,placed_at,paid_at}'::text[])::text) FROM commerce.get_order(id) o
$$;
-- All that orders change, as far as orders after since are concerned.
CREATE FUNCTION pg_temp.shop(since bigint) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object(
		'balances', (SELECT jsonb_agg(to_jsonb(b) - 'updated_at' ORDER BY user_id) FROM commerce.balances b),
		'history', (SELECT jsonb_agg(jsonb_build_array(user_id, entry_no, type, amount, balance_after, pg_temp.content(order_id))
			ORDER BY user_id, entry_no) FROM commerce.balance_history WHERE order_id > since),
		'stock', (SELECT jsonb_agg(to_jsonb(s) ORDER BY option_id) FROM commerce.stock s),
		'coupons', (SELECT jsonb_agg(jsonb_build_array(coupon_id, status, discount_amount, pg_temp.content(order_id))
			ORDER BY coupon_id) FROM commerce.coupons WHERE order_id > since),
		'unused', (SELECT count(*) FROM commerce.coupons WHERE order_id IS NULL),
		'orders', (SELECT jsonb_agg(pg_temp.content(order_id) ORDER BY pg_temp.content(order_id))
			FROM commerce.orders WHERE order_id > since),
		'events', (SELECT jsonb_agg(pg_temp.content(order_id) || event_type ORDER BY event_id) FROM commerce.events WHERE order_id > since),
		'keys', (SELECT jsonb_agg(jsonb_build_array(user_id, function_name, idempotency_key, arguments_digest,
				CASE WHEN object_id > since THEN pg_temp.content(object_id) ELSE object_id::text END)
			ORDER BY user_id, function_name, idempotency_key) FROM commerce.idempotency_keys))
$$;

-- Answers in which a new order is the number of the request that made it.
CREATE FUNCTION pg_temp.answers(statement text, requests jsonb, since bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	answers	jsonb;
BEGIN
	EXECUTE format($x$
		WITH a (request_no, order_id, code, message, detail) AS MATERIALIZED (SELECT * FROM %s($1)),
			made AS (SELECT order_id, min(request_no) AS made_by FROM a WHERE order_id > $2 GROUP BY order_id)
		SELECT jsonb_agg(jsonb_build_array(request_no, coalesce(-m.made_by, a.order_id), code, message,
			CASE WHEN code NOT IN ('22004', '22023') THEN detail || CASE WHEN n.made_by IS NULL THEN '{}'
				ELSE jsonb_build_object('order_id', -n.made_by) END END) ORDER BY request_no)
		FROM a LEFT JOIN made m USING (order_id) LEFT JOIN made n ON n.order_id = (detail ->> 'order_id')::bigint$x$, statement)
	INTO answers USING requests, since;
	RETURN answers;
END
$$;

-- The same requests in a batch, which is undone, and one by one.
CREATE TEMP TABLE told (code text);
CREATE FUNCTION pg_temp.compare(size bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	requests	jsonb := (SELECT jsonb_agg(pg_temp.random_request()) FROM generate_series(1, size));
	since		bigint := (SELECT max(order_id) FROM commerce.orders);
	answers		jsonb;
	shop		jsonb;
BEGIN
	BEGIN
		answers := pg_temp.answers('commerce.place_orders', requests, since);
		shop := pg_temp.shop(since);
		ASSERT size < 25 OR NOT EXISTS (SELECT FROM commerce.verify()), 'an invariant is violated';
		RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ000';
	EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
		NULL;
	END;
	ASSERT answers = pg_temp.answers('pg_temp.one_by_one', requests, since), 'other answers';
	ASSERT shop = pg_temp.shop(since), 'another shop';
	INSERT INTO told SELECT coalesce(a ->> 2, 'placed') FROM jsonb_array_elements(answers) a;
END
$$;

-- Between the batches the shop goes on, with stock in one slot or in several.
CREATE FUNCTION pg_temp.go_on() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	option	bigint := pg_temp.upto(5);
	rest	bigint;
BEGIN
	PERFORM commerce.adjust_stock(n, pg_temp.upto(15)) FROM generate_series(1, 5) n WHERE random() < 0.5;
	PERFORM commerce.charge_balance(n, pg_temp.upto(900)) FROM generate_series(1, 4) n WHERE random() < 0.5;
	PERFORM commerce.issue_coupon(pg_temp.upto(4), pg_temp.upto(2)) FROM generate_series(1, 4);
	PERFORM commerce.revoke_coupon(max(coupon_id)) FROM commerce.coupons WHERE status = 'issued' HAVING random() < 0.4;
	UPDATE commerce.coupons SET expires_at = now() WHERE coupon_id = (SELECT max(coupon_id) - 1 FROM commerce.coupons)
		AND random() < 0.4;
	PERFORM commerce.cancel_order(order_id) FROM (
		SELECT order_id FROM commerce.orders WHERE status = 'paid' ORDER BY random() LIMIT 2) o;
	DELETE FROM commerce.stock_slots s WHERE s.option_id = option;
	SELECT o.sum INTO rest FROM (SELECT sum(quantity) - coalesce((SELECT sum(quantity) FROM commerce.order_items i
		JOIN commerce.orders USING (order_id) WHERE i.option_id = option AND status = 'paid'), 0) AS sum
		FROM commerce.stock_adjustments a WHERE a.option_id = option) o;
	INSERT INTO commerce.stock_slots SELECT option, slot, 2, rest / 4 + (slot < rest % 4)::integer FROM generate_series(0, 3) slot;
END
$$;

SELECT setseed(0.25);
DO $$
BEGIN
	PERFORM pg_temp.go_on();
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
	FOR i IN 1..150 LOOP
		-- An assertion in the server's heap_update fails after this in one transaction, without commerce as well:
		--   BEGIN; SELECT FROM t WHERE id = 1 FOR NO KEY UPDATE; SAVEPOINT s; UPDATE t SET a = 'b' WHERE id = 1;
		--   ROLLBACK TO s; RELEASE s; UPDATE t SET a = 'longer than what is free on the page' WHERE id = 1;
		IF current_setting('debug_assertions')::boolean THEN
			COMMIT;
		END IF;
		PERFORM pg_temp.compare(CASE WHEN i % 50 = 0 THEN 500 ELSE pg_temp.upto(25) END);
		PERFORM pg_temp.go_on();
	END LOOP;
END
$$;
SELECT count(*) > 3000 AS thousands FROM told;
-- Every answer was met, often enough.
SELECT code, count(*) > 25 AS often FROM told GROUP BY code ORDER BY code;
SELECT * FROM commerce.verify();
