-- One row per difference between a table of schema peer and its namesake in
-- schema commerce: columns, defaults, constraints, indexes, storage settings.
-- Only the counters may differ, stock and coupon quota: commerce has (id, slot) where
-- the peer has the id, with the same number of indexes and the same fillfactor.
WITH tables AS (
	SELECT c.oid, n.nspname AS schema_name, c.relname AS table_name, c.reloptions
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r' AND n.nspname IN ('commerce', 'tuned')
	  AND c.relname IN (SELECT relname FROM pg_class
						WHERE relnamespace = 'tuned'::regnamespace)
	  AND c.relname NOT IN ('stock', 'coupon_quota')
), properties AS (
	SELECT schema_name, table_name, 'storage: ' || coalesce(reloptions::text, '') AS property
	FROM tables
	UNION ALL
	SELECT t.schema_name, t.table_name,
		   format('column %s: %s %s%s default %s', a.attnum, a.attname,
				  format_type(a.atttypid, a.atttypmod),
				  CASE WHEN a.attnotnull THEN ' not null' END,
				  pg_get_expr(d.adbin, d.adrelid))
	FROM tables t
	JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
	LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
	UNION ALL
	SELECT t.schema_name, t.table_name, 'constraint: ' || pg_get_constraintdef(c.oid)
	FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid
	UNION ALL
	SELECT t.schema_name, t.table_name, 'index: ' || pg_get_indexdef(i.indexrelid)
	FROM tables t JOIN pg_index i ON i.indrelid = t.oid
)
SELECT string_agg(DISTINCT schema_name, ' and ') || ' only: ' || table_name || ', ' || alike
FROM (SELECT *, replace(property, schema_name || '.', '') AS alike FROM properties) p
GROUP BY table_name, alike
HAVING count(DISTINCT schema_name) < 2
UNION ALL
SELECT peer || ': ' || string_agg(shape, ' against ')
FROM (SELECT peer, array_to_string(c.reloptions, ',') || ', '
			 || (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid) || ' indexes' AS shape
	  FROM (VALUES ('tuned.stock', 'commerce.stock_slots'),
				   ('tuned.coupon_quota', 'commerce.coupon_quota_slots')) t (peer, ours)
	  JOIN pg_class c ON c.oid IN (to_regclass(peer), to_regclass(ours))) s
GROUP BY peer
HAVING count(DISTINCT shape) > 1;
