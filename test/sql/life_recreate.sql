-- DROP EXTENSION and CREATE EXTENSION in a session that has used it: nothing old is remembered.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set setup :test_dir '/day.psql'
\set ECHO none
\i :helpers

CREATE TEMP TABLE day AS SELECT * FROM pg_temp.day();
SELECT count(*) FROM day;

-- A session that knows the old tables, with the new ones.
PREPARE charge AS SELECT balance_after FROM commerce.charge_balance(1, 5);
EXECUTE charge;
DROP EXTENSION commerce;
SELECT count(*) FROM pg_namespace WHERE nspname = 'commerce';
\set VERBOSITY sqlstate
EXECUTE charge;
\set VERBOSITY default
CREATE EXTENSION commerce;
SELECT * FROM pg_temp.day() EXCEPT SELECT * FROM day;
EXECUTE charge;

-- Everything within one transaction.
BEGIN;
DROP EXTENSION commerce;
CREATE EXTENSION commerce;
SELECT * FROM pg_temp.day() EXCEPT SELECT * FROM day;
COMMIT;
EXECUTE charge;

-- The same undone: the tables of before are there again, with what was in them.
BEGIN;
DROP EXTENSION commerce;
CREATE EXTENSION commerce;
SELECT * FROM pg_temp.day() EXCEPT SELECT * FROM day;
EXECUTE charge;
ROLLBACK;
EXECUTE charge;
SELECT * FROM commerce.get_balance(1);
BEGIN;
SAVEPOINT before_the_drop;
DROP EXTENSION commerce;
CREATE EXTENSION commerce;
SELECT name FROM commerce.create_user('somebody else');
ROLLBACK TO before_the_drop;
EXECUTE charge;
SELECT name FROM commerce.create_user('Lee');
COMMIT;

-- Created in a subtransaction that is undone.
DROP EXTENSION commerce;
BEGIN;
SAVEPOINT before_the_create;
CREATE EXTENSION commerce;
SELECT name FROM commerce.create_user('nobody');
ROLLBACK TO before_the_create;
CREATE EXTENSION commerce;
SELECT * FROM pg_temp.day() EXCEPT SELECT * FROM day;
COMMIT;
EXECUTE charge;
SELECT * FROM commerce.verify();

-- A schema that somebody made beforehand is no place for it.
DROP EXTENSION commerce;
CREATE SCHEMA commerce;
\set VERBOSITY sqlstate
CREATE EXTENSION commerce;
\set VERBOSITY default
DROP SCHEMA commerce;
CREATE EXTENSION commerce;
SELECT name FROM commerce.create_user('Kim');
