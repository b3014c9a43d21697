------------------------------------------------------------------------------
-- Dump marks: the tables' rows and the sequences' positions are data
------------------------------------------------------------------------------

DO $$
DECLARE
	relation regclass;
BEGIN
	FOR relation IN SELECT oid FROM pg_class
		WHERE relnamespace = 'commerce'::regnamespace AND relkind IN ('r', 'S')
		ORDER BY oid
	LOOP
		PERFORM pg_extension_config_dump(relation, '');
	END LOOP;
END
$$;
