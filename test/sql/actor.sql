-- commerce.record_actor: who did it is written with balance entries, stock adjustments,
-- orders and their closing; off, nothing is.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_commerce_clerk;
RESET client_min_messages;
\set ECHO all

SELECT FROM commerce.create_user('Kim', 1);
SELECT FROM commerce.create_product('shirt', 1);

CREATE FUNCTION pg_temp.a_day() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	one CONSTANT jsonb := '[{"option_id": 1, "quantity": 1}]';
	placed bigint;
	held bigint;
BEGIN
	PERFORM commerce.charge_balance(1, 1000), commerce.use_balance(1, 100);
	PERFORM commerce.adjust_stock(1, 10);
	placed := (SELECT order_id FROM commerce.place_order(1, one));
	PERFORM commerce.refund_order(placed, one);
	placed := (SELECT order_id FROM commerce.place_order(1, one));
	PERFORM commerce.cancel_order(placed);
	held := (SELECT order_id FROM commerce.hold_order(1, one));
	PERFORM commerce.pay_order(held);
	PERFORM commerce.place_orders('[{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}]}]');
END
$$;
CREATE TEMP VIEW actors AS
	SELECT 'balance' AS what, type::text AS how, actor, NULL AS closer, count(*) FROM commerce.balance_history GROUP BY 1, 2, 3
	UNION ALL
	SELECT 'stock', reason, actor, NULL, count(*) FROM commerce.stock_adjustments GROUP BY 2, 3
	UNION ALL
	SELECT 'order', status::text, placed_by, closed_by, count(*) FROM commerce.orders GROUP BY 2, 3, 4
	ORDER BY 1, 2, 3, 4;

-- Off, nobody is written, whatever the name.
SET commerce.actor = 'nobody';
SELECT FROM commerce.create_product_option(1, 'red', 10, 5, 1);
SELECT pg_temp.a_day();
SELECT * FROM actors;

-- On, it is the name that the session says.
BEGIN;
SET LOCAL commerce.record_actor = on;
SET LOCAL commerce.actor = 'Park, 매장 3';
SELECT FROM commerce.create_product_option(1, 'blue', 10, 5, 2);
SELECT pg_temp.a_day();
SELECT * FROM actors WHERE actor <> '';
COMMIT;

-- Empty, the session's user, whoever the role is that it took on.
CREATE ROLE regress_commerce_clerk;
SELECT commerce.grant_access('regress_commerce_clerk', 'app');
BEGIN;
SET LOCAL commerce.record_actor = on;
SET LOCAL commerce.actor = '';
SET LOCAL ROLE regress_commerce_clerk;
SELECT actor = session_user AS is_session_user FROM commerce.charge_balance(1, 1);
RESET ROLE;
ROLLBACK;

-- Closed by another than placed it.
SET commerce.record_actor = on;
SET commerce.actor = 'first';
SELECT order_id, placed_by, closed_by FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]') \gset
SET commerce.actor = 'second';
SELECT placed_by, closed_by FROM commerce.cancel_order(:order_id);
SELECT order_id FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', ttl => '1 ms') \gset
SELECT pg_sleep(0.01);
SET commerce.actor = 'third';
SELECT commerce.expire_orders();
SELECT status, placed_by, closed_by FROM commerce.orders WHERE order_id = :order_id;
SELECT o->>'placed_by' AS placed_by, o->>'closed_by' AS closed_by FROM commerce.get_order(:order_id) o;

-- A replay is what was done by whoever did it.
SET commerce.actor = 'fourth';
SELECT actor FROM commerce.charge_balance(1, 5, 'k');
SET commerce.actor = 'fifth';
SELECT actor FROM commerce.charge_balance(1, 5, 'k');

-- Bounds, and who may say what.
SET commerce.actor = '1234567890123456789012345678901234567890123456789012345678901234';
SET ROLE regress_commerce_clerk;
SET commerce.actor = 'me';
SET commerce.record_actor = off;
RESET ROLE;
RESET commerce.actor;
RESET commerce.record_actor;
SELECT * FROM commerce.verify();

SELECT commerce.revoke_access('regress_commerce_clerk');
DROP ROLE regress_commerce_clerk;
