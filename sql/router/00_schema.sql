/*
 * What CREATE EXTENSION commerce_router runs. make joins it from the numbered parts in
 * sql/router, in their order, and what generate.pl prints of the nodes' script: change
 * those.
 */

\echo Use "CREATE EXTENSION commerce_router" to load this file. \quit

-- The functions of the shop have the same names as at a node, so a database has one of
-- the extensions, not both.
CREATE SCHEMA commerce;
REVOKE ALL ON SCHEMA commerce FROM PUBLIC;
COMMENT ON SCHEMA commerce IS 'The purchase, decided at the node that has the user. Money is bigint in the currency''s minor unit.';

CREATE SCHEMA commerce_router;
REVOKE ALL ON SCHEMA commerce_router FROM PUBLIC;
COMMENT ON SCHEMA commerce_router IS 'Which nodes there are, and the calls to them.';
