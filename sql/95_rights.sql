------------------------------------------------------------------------------
-- Rights: nothing is anybody's until grant_access gives it
------------------------------------------------------------------------------

-- What an update adds is revoked in the same way, by name, so that the catalogue says
-- the same of its rights: doc/release.md.
REVOKE ALL ON ALL TABLES IN SCHEMA commerce FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA commerce FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA commerce FROM PUBLIC;

-- Types have rights of PUBLIC too, and default privileges may have given any to
-- anybody.
DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s CASCADE', o.object_kind, o.object,
			CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END)
		FROM commerce.member_objects() o
		CROSS JOIN LATERAL aclexplode(o.acl) x
		WHERE x.grantee <> o.owner
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;
