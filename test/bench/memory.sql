-- :calls orders in one session, each committed: what its memory grew by, in bytes. The
-- first is by PostgreSQL's own account, the second by the kernel's (RssAnon).
CREATE PROCEDURE place_orders(p_calls bigint) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. p_calls LOOP
		PERFORM order_id FROM commerce.place_order(1 + i::bigint * 104729 % 10000,
			('[{"option_id":' || 1 + i::bigint * 7919 % 10000 || ',"quantity":1}]')::jsonb);
		COMMIT;
	END LOOP;
END
$$;
CREATE VIEW memory AS
	SELECT (SELECT sum(total_bytes) FROM pg_backend_memory_contexts) AS contexts,
		   1024 * (regexp_match(pg_read_file('/proc/self/status'),
								'RssAnon:\s*(\d+)'))[1]::bigint AS anonymous;

CALL place_orders(10000);
-- Twice, as looking takes memory the first time.
SELECT * FROM memory \gset before_
SELECT * FROM memory \gset before_
CALL place_orders(:calls);
SELECT contexts - :before_contexts, anonymous - :before_anonymous FROM memory;
