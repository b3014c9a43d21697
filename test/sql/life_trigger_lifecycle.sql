-- Triggers on what paying, cancelling, refunding and expiring change: they fire, and may
-- refuse the whole call, but not leave a row out.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- Orders 1 held, 2 held and past its time, 3 and 4 paid; each with a coupon.
DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, per_user_limit => 9, policy_id => 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.issue_coupon(1, 1) FROM generate_series(1, 4);
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 2}]', 1);
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 2}]', 2, '1 microsecond');
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]', n) FROM generate_series(3, 4) n;
END
$$;
CREATE FUNCTION pg_temp.watch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_ARGV[0] = 'skip' THEN
		RETURN NULL;
	END IF;
	RAISE NOTICE '% %: %', TG_OP, TG_TABLE_NAME, (
		SELECT string_agg(key, ', ' ORDER BY key) FROM jsonb_each(to_jsonb(NEW))
		WHERE TG_OP = 'INSERT' AND key = 'type' OR TG_OP = 'UPDATE' AND value IS DISTINCT FROM to_jsonb(OLD) -> key);
	RETURN NEW;
END
$$;

-- A row left out of the middle of a call: an error that is no refusal, and nothing is changed.
CREATE FUNCTION pg_temp.without(event text, relation text, call text, OUT code text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TRIGGER watch BEFORE %s ON commerce.%s FOR EACH ROW EXECUTE FUNCTION pg_temp.watch(''skip'')',
		event, relation);
	SELECT r.code INTO code FROM pg_temp.refusal('SELECT commerce.' || call) r;
	EXECUTE format('DROP TRIGGER watch ON commerce.%s', relation);
END
$$;
SELECT t.event, t.relation, c.call, pg_temp.without(t.event, t.relation, c.call)
FROM (VALUES (1, 'pay_order(1)'), (2, 'cancel_order(3)'),
	(3, $$refund_order(3, '[{"option_id": 1, "quantity": 2}]')$$), (4, 'expire_orders()')) c (nth, call),
	(VALUES ('UPDATE', 'orders'), ('UPDATE', 'order_items'), ('UPDATE', 'coupons'), ('UPDATE', 'stock_slots'),
		('UPDATE', 'balances'), ('INSERT', 'balance_history'), ('INSERT', 'events')) t (event, relation)
ORDER BY c.nth, t.relation;
SELECT order_id, status FROM commerce.orders ORDER BY order_id;

-- They fire for what each call writes, with what it writes.
DO $$
DECLARE
	relation text;
BEGIN
	FOREACH relation IN ARRAY ARRAY['orders', 'order_items', 'coupons', 'stock_slots', 'balances', 'balance_history'] LOOP
		EXECUTE format('CREATE TRIGGER watch AFTER INSERT OR UPDATE ON commerce.%s FOR EACH ROW EXECUTE FUNCTION pg_temp.watch()', relation);
	END LOOP;
END
$$;
SELECT status FROM commerce.pay_order(1);
SELECT status FROM commerce.cancel_order(3, 'no');
SELECT status FROM commerce.refund_order(4, '[{"option_id": 1, "quantity": 1}]');
SELECT status FROM commerce.refund_order(4, '[{"option_id": 1, "quantity": 1}]');
SELECT * FROM commerce.expire_orders();
SELECT * FROM commerce.verify();
