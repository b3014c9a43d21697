/*
 * What CREATE EXTENSION commerce runs. make joins it from the numbered parts in
 * sql/, in their order: change those.
 */

\echo Use "CREATE EXTENSION commerce" to load this file. \quit

-- A plain CREATE: it fails loudly when somebody made the schema beforehand.
CREATE SCHEMA commerce;
REVOKE ALL ON SCHEMA commerce FROM PUBLIC;
COMMENT ON SCHEMA commerce IS 'The purchase, decided in one place. Money is bigint in the currency''s minor unit.';
