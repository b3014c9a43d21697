-- The checks of verify(), by name: each of them has its case in one of the verify_ tests.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- (order_event_ is followed by paid, cancelled or refunded.)
SELECT DISTINCT m[1] AS check_name
FROM pg_proc, regexp_matches(prosrc, $$(?:SELECT(?: DISTINCT)?\s+|VALUES\s*\(|^\s*\()'([a-z_]+)'$$, 'gn') m
WHERE pronamespace = 'commerce'::regnamespace AND proname ~ '^verify_' AND m[1] NOT IN ('cancelled', 'refunded', 'paid')
ORDER BY 1;
-- Nothing to complain of in an empty shop; in a read-only transaction too, and
-- whatever the session's settings.
SELECT * FROM commerce.verify();
CREATE TABLE pg_temp.balances (user_id bigint, balance bigint);
INSERT INTO pg_temp.balances VALUES (1, 1);
SET search_path = pg_temp, commerce;
BEGIN READ ONLY;
SELECT * FROM commerce.verify();
COMMIT;
RESET search_path;
