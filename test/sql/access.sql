-- Levels: what each may do and may not; nobody writes a table directly.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_commerce_nobody, regress_commerce_reader, regress_commerce_app,
	regress_commerce_relay, regress_commerce_admin;
RESET client_min_messages;
CREATE ROLE regress_commerce_nobody;
CREATE ROLE regress_commerce_reader;
CREATE ROLE regress_commerce_app;
CREATE ROLE regress_commerce_relay;
CREATE ROLE regress_commerce_admin;
SELECT commerce.grant_access('regress_commerce_reader', 'reader');
SELECT commerce.grant_access('regress_commerce_app', 'app');
SELECT commerce.grant_access('regress_commerce_relay', 'relay');
SELECT commerce.grant_access('regress_commerce_admin', 'admin');

DO $$
BEGIN
	PERFORM commerce.create_user('Kim', 1);
	PERFORM commerce.create_product('shirt', 1);
	PERFORM commerce.create_product_option(1, 'red', 10, 100, 1);
	PERFORM commerce.create_coupon_policy('spring', 'fixed', 1, 100, per_user_limit => 100, policy_id => 1);
	PERFORM commerce.charge_balance(1, 1000);
	PERFORM commerce.issue_coupon(1, 1);
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]');
	PERFORM commerce.place_order(1, '[{"option_id": 1, "quantity": 3}]');
	PERFORM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]');
END
$$;

-- Every call by every level: "none" where it is let through, 42501 where it is not.
CREATE FUNCTION pg_temp.as_role(role_name text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	code text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role_name);
	SELECT r.code INTO code FROM pg_temp.refusal(statement) r;
	RESET ROLE;
	RETURN code;
END
$$;
SELECT c.call, pg_temp.as_role('regress_commerce_nobody', s.statement) AS nobody,
	pg_temp.as_role('regress_commerce_reader', s.statement) AS reader,
	pg_temp.as_role('regress_commerce_app', s.statement) AS app,
	pg_temp.as_role('regress_commerce_relay', s.statement) AS relay,
	pg_temp.as_role('regress_commerce_admin', s.statement) AS admin
FROM (VALUES
	(1, $$get_balance(1)$$),
	(2, $$get_order(1)$$),
	(3, $$quote_order(1, '[{"option_id": 1, "quantity": 1}]')$$),
	(4, $$create_user('Lee')$$),
	(5, $$charge_balance(1, 1, 'k')$$),
	(6, $$use_balance(1, 1, 'k')$$),
	(7, $$issue_coupon(1, 1, 'k')$$),
	(8, $$use_coupon(1, 1, 10)$$),
	(9, $$place_order(1, '[{"option_id": 1, "quantity": 1}]', 1, 'k')$$),
	(10, $$place_orders('[{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}], "coupon_id": 1}]')$$),
	(11, $$hold_order(1, '[{"option_id": 1, "quantity": 1}]')$$),
	(12, $$pay_order(4)$$),
	(13, $$cancel_order(4)$$),
	(14, $$refund_order(1, '[{"option_id": 1, "quantity": 1}]')$$),
	(15, $$expire_orders()$$),
	(16, $$claim_events()$$),
	(17, $$ack_events('{1}', '{1}')$$),
	(18, $$fail_event(1, 1, 'no answer')$$),
	(19, $$retry_event(2)$$),
	(20, $$discard_event(2)$$),
	(21, $$purge_events('0')$$),
	(35, $$release_events('{1}', '{1}')$$),
	(36, $$create_subscription('audit')$$),
	(37, $$drop_subscription('default')$$),
	(38, $$pause_subscription('default')$$),
	(39, $$resume_subscription('default')$$),
	(40, $$retry_events()$$),
	(22, $$purge_idempotency_keys('0')$$),
	(23, $$create_product('coat')$$),
	(24, $$create_product_option(1, 'blue', 1, 1)$$),
	(25, $$set_price(1, 11)$$),
	(26, $$adjust_stock(1, 1, 'more', 'k')$$),
	(27, $$create_coupon_policy('fall', 'fixed', 1, 1)$$),
	(28, $$close_coupon_policy(1)$$),
	(29, $$revoke_coupon(1)$$),
	(30, $$grant_access('regress_commerce_nobody', 'admin')$$),
	(31, $$revoke_access('regress_commerce_app')$$),
	(32, $$verify()$$),
	(33, $$verify_stock()$$),
	(34, $$access_rights()$$)
) c (nth, call), LATERAL (SELECT 'SELECT * FROM commerce.' || c.call) s (statement)
ORDER BY c.nth;

-- What they may read.
SELECT r.relname, pg_temp.as_role('regress_commerce_nobody', s.statement) AS nobody,
	pg_temp.as_role('regress_commerce_reader', s.statement) AS reader,
	pg_temp.as_role('regress_commerce_app', s.statement) AS app,
	pg_temp.as_role('regress_commerce_relay', s.statement) AS relay,
	pg_temp.as_role('regress_commerce_admin', s.statement) AS admin
FROM pg_class r, LATERAL (SELECT 'SELECT count(*) FROM commerce.' || r.relname) s (statement)
WHERE r.relnamespace = 'commerce'::regnamespace AND r.relkind IN ('r', 'v')
ORDER BY r.relname COLLATE "C";

-- What they may write: no table, no sequence, nothing.
SELECT count(*) AS ways, count(*) FILTER (WHERE pg_temp.as_role(u.rolname, s.statement) <> '42501') AS ways_through
FROM pg_roles u, pg_class r, LATERAL (
	SELECT format(f, 'commerce.' || r.relname) FROM unnest(ARRAY['DELETE FROM %s', 'TRUNCATE %s',
		'INSERT INTO %s DEFAULT VALUES', 'LOCK TABLE %s', 'ALTER TABLE %s ADD COLUMN x integer']) f
	WHERE r.relkind = 'r'
	UNION ALL SELECT format('SELECT nextval(%L)', 'commerce.' || r.relname) WHERE r.relkind = 'S'
	) s (statement)
WHERE u.rolname IN ('regress_commerce_reader', 'regress_commerce_app', 'regress_commerce_relay',
		'regress_commerce_admin')
  AND r.relnamespace = 'commerce'::regnamespace AND r.relkind IN ('r', 'S');

-- Levels add up; an admin may give them; a level taken back is taken back whole.
SET ROLE regress_commerce_admin;
SELECT commerce.grant_access('regress_commerce_app', 'relay');
SELECT commerce.grant_access('regress_commerce_app', 'relay');
RESET ROLE;
SELECT pg_temp.as_role('regress_commerce_app', 'SELECT commerce.claim_events()') AS claim,
	pg_temp.as_role('regress_commerce_app', 'SELECT commerce.use_balance(1, 1)') AS use;
SELECT commerce.revoke_access('regress_commerce_app');
SELECT pg_temp.as_role('regress_commerce_app', 'SELECT commerce.claim_events()') AS claim,
	pg_temp.as_role('regress_commerce_app', 'SELECT commerce.use_balance(1, 1)') AS use,
	pg_temp.as_role('regress_commerce_app', 'SELECT count(*) FROM commerce.orders') AS read;
SELECT commerce.revoke_access('regress_commerce_app'); -- nothing left to take
SELECT commerce.revoke_access('regress_commerce_reader');
SELECT commerce.revoke_access('regress_commerce_relay');
SELECT commerce.revoke_access('regress_commerce_admin');

-- A role whose name needs quotes.
CREATE ROLE "regress_Commerce ""shop""";
SELECT commerce.grant_access('"regress_Commerce ""shop"""', 'app');
SELECT pg_temp.as_role('regress_Commerce "shop"', 'SELECT commerce.use_balance(1, 1)') AS use;
SELECT commerce.revoke_access('"regress_Commerce ""shop"""');
DROP ROLE "regress_Commerce ""shop""";

-- What somebody else put into the schema is not ours to give, whatever its name.
CREATE FUNCTION commerce.get_balance(name text) RETURNS text LANGUAGE sql AS 'SELECT name';
REVOKE ALL ON FUNCTION commerce.get_balance(text) FROM PUBLIC;
CREATE TABLE commerce.notes (note text);
SELECT commerce.grant_access('regress_commerce_admin', 'admin');
SELECT pg_temp.as_role('regress_commerce_admin', $$SELECT commerce.get_balance(1)$$) AS ours,
	pg_temp.as_role('regress_commerce_admin', $$SELECT commerce.get_balance('Kim')$$) AS theirs,
	pg_temp.as_role('regress_commerce_admin', $$SELECT * FROM commerce.notes$$) AS their_table;
SELECT commerce.revoke_access('regress_commerce_admin');
DROP FUNCTION commerce.get_balance(text);
DROP TABLE commerce.notes;

-- PUBLIC is no role to give anything to.
SELECT code FROM pg_temp.refusal($$SELECT commerce.grant_access(0::regrole, 'reader')$$);
SELECT code FROM pg_temp.refusal($$SELECT commerce.revoke_access(0::regrole)$$);
-- Nothing hangs on the roles any more.
DROP ROLE regress_commerce_nobody, regress_commerce_reader, regress_commerce_app,
	regress_commerce_relay, regress_commerce_admin;
