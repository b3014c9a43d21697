-- Rights that nobody gave: what default privileges would leave behind, and what
-- foreign_rights() tells of later.

\set ECHO none
\set QUIET on
\pset format unaligned
\pset tuples_only on
\set ON_ERROR_STOP on

BEGIN;
SET client_min_messages = warning;
CREATE SCHEMA tap;
CREATE EXTENSION pgtap SCHEMA tap;
SET LOCAL search_path = tap, pg_catalog;
SELECT * FROM no_plan();

CREATE ROLE tap_app;
CREATE ROLE tap_reader;
CREATE ROLE tap_owner;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO tap_app WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO tap_app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO tap_app;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO tap_app;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO tap_app WITH GRANT OPTION;
CREATE EXTENSION commerce;

-- Whoever is not the owner and has a right, by the catalogue's own words.
CREATE TEMP VIEW anybodys AS
SELECT c.oid::regclass::text AS object, a.grantee, a.privilege_type
FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
WHERE c.relnamespace = 'commerce'::regnamespace AND c.relkind IN ('r', 'v') AND a.grantee <> c.relowner
UNION ALL
SELECT c.oid::regclass::text, a.grantee, a.privilege_type
FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('s', c.relowner))) a
WHERE c.relnamespace = 'commerce'::regnamespace AND c.relkind = 'S' AND a.grantee <> c.relowner
UNION ALL
SELECT p.oid::regprocedure::text, a.grantee, a.privilege_type
FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace = 'commerce'::regnamespace AND a.grantee <> p.proowner
UNION ALL
SELECT t.oid::regtype::text, a.grantee, a.privilege_type
FROM pg_type t, aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) a
WHERE t.typnamespace = 'commerce'::regnamespace AND t.typtype = 'e' AND a.grantee <> t.typowner
UNION ALL
SELECT n.nspname, a.grantee, a.privilege_type
FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
WHERE n.nspname = 'commerce' AND a.grantee <> n.nspowner;

SELECT is_empty('SELECT * FROM anybodys', 'default privileges leave nothing to anybody');
SELECT is_empty('SELECT * FROM commerce.foreign_rights()', 'nor does foreign_rights() know of any');
GRANT USAGE ON SCHEMA tap TO PUBLIC;
SET LOCAL ROLE tap_app;
SELECT throws_ok('UPDATE commerce.balances SET balance = 1', '42501', NULL, 'the role may not write');
RESET ROLE;

-- A level given as a whole is nobody's surprise, nor is one taken back.
SELECT commerce.grant_access(r.role::regrole, r.level)
FROM (VALUES ('tap_app', 'app'), ('tap_app', 'relay'), ('tap_reader', 'reader')) r (role, level) \g /dev/null
SELECT is_empty('SELECT * FROM commerce.foreign_rights()', 'what levels give is not foreign');
SET LOCAL ROLE tap_reader;
SELECT lives_ok('CREATE TEMP TABLE mine AS SELECT * FROM commerce.orders', 'a reader may keep what it reads');
RESET ROLE;
DROP TABLE mine;

GRANT INSERT, SELECT ON commerce.orders TO tap_owner;
GRANT SELECT ON commerce.users TO tap_app WITH GRANT OPTION;
GRANT UPDATE (name) ON commerce.users TO tap_reader;
GRANT EXECUTE ON FUNCTION commerce.get_balance TO PUBLIC;
GRANT USAGE ON SEQUENCE commerce.order_id_seq TO tap_reader;
GRANT CREATE ON SCHEMA commerce TO tap_app;
GRANT USAGE ON TYPE commerce.order_status TO PUBLIC;
SELECT bag_eq('SELECT * FROM commerce.foreign_rights()', $$VALUES
	('table commerce.orders', 'tap_owner', 'INSERT'),
	('table commerce.orders', 'tap_owner', 'SELECT'),
	('table commerce.users', 'tap_app', 'SELECT'),
	('column commerce.users.name', 'tap_reader', 'UPDATE'),
	('function commerce.get_balance(bigint)', 'PUBLIC', 'EXECUTE'),
	('sequence commerce.order_id_seq', 'tap_reader', 'USAGE'),
	('schema commerce', 'tap_app', 'CREATE'),
	('type commerce.order_status', 'PUBLIC', 'USAGE')$$, 'each other right is');

-- Of a level that is not there as a whole, each right is told.
REVOKE SELECT ON commerce.coupons FROM tap_reader;
SELECT ok(count(*) > 10, 'a level in part is no level')
FROM commerce.foreign_rights() WHERE grantee = 'tap_reader';

SELECT commerce.revoke_access(r::regrole) FROM unnest('{tap_app, tap_reader, tap_owner}'::text[]) r \g /dev/null
SELECT bag_eq('SELECT grantee FROM anybodys', 'VALUES (0::oid), (0::oid)',
	'revoke_access() takes back whatever a role has');

SELECT * FROM finish();
ROLLBACK;
