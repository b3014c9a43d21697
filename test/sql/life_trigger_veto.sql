-- Triggers that say no, change the row, or call us again.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 1000, 100, 1);
	PERFORM commerce.create_product_option(1, 'blue', 500, 100, 2);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 100, 10, per_user_limit => 9, policy_id => 1);
	PERFORM commerce.charge_balance(1, 100000);
	PERFORM commerce.issue_coupon(1, 1);
END
$$;
-- A function that does as it is told.
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	CASE TG_ARGV[0]
		WHEN 'skip' THEN RETURN NULL;
		WHEN 'raise' THEN RAISE EXCEPTION 'not on a Sunday' USING ERRCODE = 'P0042';
		WHEN 'reason' THEN NEW.cancel_reason := 'seen by a trigger'; RETURN NEW;
		WHEN 'charge' THEN PERFORM commerce.charge_balance(1, 1); RETURN NEW;
		WHEN 'order' THEN
			IF NEW.total > 500 THEN
				PERFORM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]');
			END IF;
			RETURN NEW;
	END CASE;
END
$$;
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(', ', (SELECT balance || ' won' FROM commerce.balances),
		(SELECT sum(quantity) || ' in stock' FROM commerce.stock_slots),
		(SELECT count(*) || ' orders' FROM commerce.orders),
		(SELECT count(*) || ' lines' FROM commerce.order_items),
		(SELECT count(*) || ' entries' FROM commerce.balance_history),
		(SELECT count(*) || ' events' FROM commerce.deliveries),
		(SELECT count(*) || ' coupons held' FROM commerce.coupons WHERE status = 'issued'))
$$;
SELECT pg_temp.state();

-- NULL from a BEFORE trigger would leave half an order: an error instead, that is no
-- refusal, on whichever table. Nothing is changed.
CREATE FUNCTION pg_temp.with_trigger(meddling text, event text, relation regclass,
	OUT code text, OUT state text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TRIGGER meddling BEFORE %s ON %s FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle(%L)',
		event, relation, meddling);
	SELECT r.code INTO code FROM pg_temp.refusal($x$SELECT commerce.place_order(1,
		'[{"option_id": 1, "quantity": 2}, {"option_id": 2, "quantity": 1}]', 1, 'k')$x$) r;
	state := pg_temp.state();
	EXECUTE format('DROP TRIGGER meddling ON %s', relation);
END
$$;
SELECT t.event, t.relation, w.code NOT LIKE 'SC%' AND w.code <> 'none' AS an_error, w.state
FROM (VALUES
	(1, 'INSERT', 'orders'), (2, 'INSERT', 'order_items'), (3, 'INSERT', 'balance_history'),
	(4, 'UPDATE', 'balances'), (5, 'UPDATE', 'coupons'), (6, 'UPDATE', 'stock_slots'),
	(7, 'INSERT', 'events'), (8, 'INSERT', 'idempotency_keys')
) t (nth, event, relation), pg_temp.with_trigger('skip', t.event, ('commerce.' || t.relation)::regclass) w
ORDER BY t.nth;

-- A trigger's own error is told as it is.
SELECT t.relation, w.code
FROM unnest(ARRAY['orders', 'order_items', 'events']) t (relation),
	pg_temp.with_trigger('raise', 'INSERT', ('commerce.' || t.relation)::regclass) w;

-- What a trigger puts into the row is what is returned.
CREATE TRIGGER meddling BEFORE INSERT ON commerce.orders FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle('reason');
SELECT total, cancel_reason FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT cancel_reason FROM commerce.orders;
DROP TRIGGER meddling ON commerce.orders;

-- A trigger that calls us again. Before the row is written it is another call like
-- any; after the order it may place another.
CREATE TRIGGER meddling AFTER INSERT ON commerce.orders FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle('charge');
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT pg_temp.state();
DROP TRIGGER meddling ON commerce.orders;
CREATE TRIGGER meddling AFTER INSERT ON commerce.orders FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle('order');
SELECT total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
SELECT pg_temp.state();
DROP TRIGGER meddling ON commerce.orders;
SELECT * FROM commerce.verify();

-- Called again on the very row that is being changed: an error of its own, no refusal
-- and no internal one.
SELECT t.event, t.relation, w.code <> 'none' AS an_error, w.code LIKE 'SC%' AS a_refusal, w.code = 'XX000' AS internal
FROM (VALUES ('UPDATE', 'stock_slots'), ('UPDATE', 'balances')) t (event, relation),
	pg_temp.with_trigger('charge', t.event, ('commerce.' || t.relation)::regclass) w;

-- A rule is no way around the functions: they write rows, not statements.
CREATE RULE no_orders AS ON INSERT TO commerce.orders DO INSTEAD NOTHING;
SELECT status FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
DROP RULE no_orders ON commerce.orders;
SELECT pg_temp.state();
SELECT * FROM commerce.verify();
