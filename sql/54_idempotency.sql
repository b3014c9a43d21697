------------------------------------------------------------------------------
-- Functions: idempotency keys
------------------------------------------------------------------------------

CREATE FUNCTION commerce.purge_idempotency_keys(older_than interval DEFAULT '7 days')
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_purge_idempotency_keys'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.purge_idempotency_keys IS
'Forgets the idempotency keys at least so old (>= 0) and returns how many (level admin). A forgotten key acts anew. Raises 22004, 22023.';
