-- Runs a statement once for the caches, then 20 times: its rows, and milliseconds.
CREATE FUNCTION pg_temp.measure(statement text, OUT row_count bigint,
	OUT median double precision, OUT longest double precision)
LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	took double precision[];
BEGIN
	FOR run IN 0 .. 20 LOOP
		began := clock_timestamp();
		EXECUTE statement;
		took[run] := extract(epoch FROM clock_timestamp() - began) * 1000;
	END LOOP;
	GET DIAGNOSTICS row_count = ROW_COUNT;
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t), max(t)
	INTO median, longest FROM unnest(took[1:]) t;
END
$$;
