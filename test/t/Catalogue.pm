# What pg_catalog says of the extension and its members, as sorted lines of text that
# name everything and hold no OID: two databases are alike if their lines are.
#
# The lines tell of: the extension, what it needs and dumps; the members; the columns,
# defaults, indexes, constraints, triggers, rules and policies of its tables and views;
# its types, sequences and functions; comments, security labels; owners and rights, also
# those that pg_dump takes for given; and what all of these depend on.
#
# Left out is what differs though nothing does: OIDs, and so TOAST tables, which have
# theirs in their names; statistics; the numbers of columns and labels where these
# leave gaps, though not their order; the owner's name, which is printed as "owner";
# and of a column's options pg_attver, with which some minor releases of the server
# (15.20 is one) stamp it when it is made, and which nobody can set or dump.
package Catalogue;

use strict;
use warnings;
use Exporter 'import';
use Test::More;

our @EXPORT = qw(catalogue same_catalogue);

# A member of another kind than these would be told of by its name alone.
my $kinds = join ', ', map { "'$_'" } 'schema', 'type', 'sequence', 'table', 'view', 'function';

# The objects. A part is what belongs to a member without being one.
my $objects = q(
WITH extension AS (
	SELECT oid, extname, extowner, extnamespace, extversion, extrelocatable, extconfig, extcondition
	FROM pg_extension WHERE extname = 'commerce'
), member AS (
	SELECT d.classid, d.objid FROM pg_depend d JOIN extension e
		ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
), relation AS (
	SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
), object AS (
	SELECT classid, objid FROM member
	UNION SELECT 'pg_extension'::regclass, oid FROM extension
	UNION SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i JOIN relation r ON r.oid = i.indrelid
	UNION SELECT 'pg_attrdef'::regclass, a.oid FROM pg_attrdef a JOIN relation r ON r.oid = a.adrelid
	UNION SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
		WHERE NOT t.tgisinternal
	UNION SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class
	UNION SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
	UNION SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s JOIN relation r ON r.oid = s.stxrelid
	UNION SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
	UNION SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c
		JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = c.contypid
), -- Row and array types, and the types of members.
type AS (
	SELECT t.* FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	UNION SELECT t.* FROM pg_type t JOIN relation r ON r.reltype = t.oid
), right_of (object, acl) AS (
	SELECT 'table ' || oid::regclass,
		   coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) FROM relation
	UNION ALL SELECT format('column %s.%s', r.oid::regclass, a.attname), a.attacl
		FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid WHERE a.attacl IS NOT NULL
	UNION ALL SELECT 'function ' || p.oid::regprocedure, coalesce(proacl, acldefault('f', proowner))
		FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	UNION ALL SELECT 'type ' || t.oid::regtype, coalesce(typacl, acldefault('T', typowner)) FROM type t
	UNION ALL SELECT 'schema ' || nspname, coalesce(nspacl, acldefault('n', nspowner))
		FROM pg_namespace n JOIN member m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
	UNION ALL SELECT format('initially: %s %s', i.type, i.identity), p.initprivs
		FROM pg_init_privs p JOIN object o ON o.classid = p.classoid AND o.objid = p.objoid,
			 pg_identify_object(p.classoid, p.objoid, p.objsubid) i
), owner (object, role) AS (
	SELECT 'extension', extowner FROM extension
	UNION ALL SELECT 'table ' || r.oid::regclass, relowner FROM relation r
	UNION ALL SELECT 'function ' || p.oid::regprocedure, proowner
		FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	UNION ALL SELECT 'type ' || t.oid::regtype, typowner FROM type t
	UNION ALL SELECT 'schema ' || nspname, nspowner
		FROM pg_namespace n JOIN member m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
)
);

# Each gives lines, of what its name says.
my @lines = (
	extension => q(SELECT format('version %s, schema %s%s', extversion, extnamespace::regnamespace,
			CASE WHEN extrelocatable THEN ', relocatable' END) FROM extension),
	dumped => q(SELECT format('%s where (%s)', c.oid::regclass, c.condition)
		FROM extension, unnest(extconfig, extcondition) c (oid, condition)),
	member => q(SELECT pg_describe_object(classid, objid, 0) FROM member),
	other => qq(SELECT format('this kind of member is not described: %s %s', i.type, i.identity)
		FROM member m, pg_identify_object(m.classid, m.objid, 0) i WHERE i.type NOT IN ($kinds)),
	relation => q(SELECT format('%s: kind %s, persistence %s, method %s, tablespace %s, options %s, toast options %s, '
			'replica identity %s, row security %s %s', r.oid::regclass, r.relkind, r.relpersistence,
			(SELECT amname FROM pg_am WHERE oid = r.relam),
			(SELECT spcname FROM pg_tablespace WHERE oid = r.reltablespace), r.reloptions,
			(SELECT t.reloptions FROM pg_class t WHERE t.oid = r.reltoastrelid),
			r.relreplident, r.relrowsecurity, r.relforcerowsecurity)
		FROM pg_class r JOIN object o ON o.classid = 'pg_class'::regclass AND o.objid = r.oid),
	column => q(SELECT format('%s.%s: number %s, %s%s%s, collation %s, identity "%s", generated "%s", '
			'storage %s, compression "%s", statistics %s, options %s, inherited %s',
			a.attrelid::regclass, a.attname, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
			format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' not null' END,
			' default ' || pg_get_expr(d.adbin, d.adrelid),
			(SELECT collname FROM pg_collation WHERE oid = a.attcollation), a.attidentity, a.attgenerated,
			a.attstorage, a.attcompression, a.attstattarget,
			ARRAY(SELECT x FROM unnest(a.attoptions) x WHERE x NOT LIKE 'pg_attver=%' ORDER BY x), a.attinhcount)
		FROM pg_attribute a JOIN object o ON o.classid = 'pg_class'::regclass AND o.objid = a.attrelid
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attnum > 0 AND NOT a.attisdropped),
	index => q(SELECT format('%s: %s, primary %s, unique %s, immediate %s, valid %s, ready %s, clustered %s, replica identity %s',
			indexrelid::regclass, pg_get_indexdef(indexrelid), indisprimary, indisunique, indimmediate, indisvalid,
			indisready, indisclustered, indisreplident)
		FROM pg_index i JOIN object o ON o.classid = 'pg_class'::regclass AND o.objid = i.indexrelid),
	constraint => q(SELECT format('%s of %s%s: %s, validated %s', conname, NULLIF(conrelid, 0)::regclass,
			NULLIF(contypid, 0)::regtype, pg_get_constraintdef(c.oid), convalidated)
		FROM pg_constraint c JOIN object o ON o.classid = 'pg_constraint'::regclass AND o.objid = c.oid),
	trigger => q(SELECT format('%s, enabled %s', pg_get_triggerdef(t.oid), tgenabled)
		FROM pg_trigger t JOIN object o ON o.classid = 'pg_trigger'::regclass AND o.objid = t.oid),
	rule => q(SELECT format('%s, enabled %s', pg_get_ruledef(w.oid), ev_enabled)
		FROM pg_rewrite w JOIN object o ON o.classid = 'pg_rewrite'::regclass AND o.objid = w.oid),
	policy => q(SELECT format('%s on %s: for %s to %s, permissive %s, using %s, check %s', polname, polrelid::regclass,
			polcmd, (SELECT array_agg(CASE WHEN r = 0 THEN 'public' ELSE r::regrole::text END ORDER BY 1) FROM unnest(polroles) r),
			polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
		FROM pg_policy p JOIN object o ON o.classid = 'pg_policy'::regclass AND o.objid = p.oid),
	statistics => q(SELECT pg_get_statisticsobjdef(objid) FROM object WHERE classid = 'pg_statistic_ext'::regclass),
	type => q(SELECT format('%s: kind %s, category %s, preferred %s, not null %s, default %s, storage %s, length %s, align %s, array %s',
			t.oid::regtype, typtype, typcategory, typispreferred, typnotnull, typdefault, typstorage, typlen, typalign,
			NULLIF(typarray, 0)::regtype) FROM type t),
	label => q(SELECT format('%s: %s %s', enumtypid::regtype, row_number() OVER (PARTITION BY enumtypid ORDER BY enumsortorder),
			enumlabel) FROM pg_enum JOIN type t ON t.oid = enumtypid),
	sequence => q(SELECT format('%s: %s from %s by %s, %s to %s, cache %s, cycle %s', seqrelid::regclass, seqtypid::regtype,
			seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
		FROM pg_sequence s JOIN relation r ON r.oid = s.seqrelid),
	function => q(SELECT format('%s: %s', p.oid::regprocedure, pg_get_functiondef(p.oid))
		FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid),
	comment => q(SELECT format('on %s %s: %s', i.type, i.identity, d.description)
		FROM pg_description d JOIN object o ON o.classid = d.classoid AND o.objid = d.objoid,
			 pg_identify_object(d.classoid, d.objoid, d.objsubid) i),
	seclabel => q(SELECT format('on %s %s: %s %s', i.type, i.identity, l.provider, l.label)
		FROM pg_seclabel l JOIN object o ON o.classid = l.classoid AND o.objid = l.objoid,
			 pg_identify_object(l.classoid, l.objoid, l.objsubid) i),
	owner => q(SELECT format('of %s: %s', object, CASE WHEN role = extowner THEN 'owner' ELSE role::regrole::text END)
		FROM owner, extension),
	right => q(SELECT format('on %s: %s%s to %s by %s', object, a.privilege_type,
			CASE WHEN a.is_grantable THEN ' with grant option' END,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' WHEN extowner THEN 'owner' ELSE a.grantee::regrole::text END,
			CASE a.grantor WHEN extowner THEN 'owner' ELSE a.grantor::regrole::text END)
		FROM right_of, extension, aclexplode(acl) a),
	dependency => q(SELECT format('%s %s on %s %s (%s)', i.type, i.identity, r.type, r.identity, d.deptype)
		FROM pg_depend d JOIN object o ON o.classid = d.classid AND o.objid = d.objid,
			 pg_identify_object(d.classid, d.objid, d.objsubid) i,
			 pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) r));

# The lines of a database, in an array. before: SQL to run first, whose effect is undone.
sub catalogue
{
	my ($node, $dbname, %params) = @_;
	my @queries;

	for (my $i = 0; $i < @lines; $i += 2)
	{
		push @queries, "SELECT '$lines[$i] ' || replace(l.line, E'\\n', '\\n') AS line FROM ($lines[$i + 1]) l (line)";
	}
	my $text = $node->safe_psql($dbname, "BEGIN; SET LOCAL search_path = pg_catalog;\n"
		. ($params{before} ? "$params{before};\n" : '')
		. "$objects SELECT line FROM (" . join("\nUNION ALL ", @queries) . ') l ORDER BY line COLLATE "C"; ROLLBACK');
	return [ split /\n/, $text ];
}

# Two catalogues are the same; if not, what only one of them has is shown.
sub same_catalogue
{
	my ($got, $expected, $name) = @_;
	my (%difference);

	$difference{$_}++ foreach @$got;
	$difference{$_}-- foreach @$expected;
	my @differing = sort grep { $difference{$_} != 0 } keys %difference;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $same = ok(!@differing, $name);
	diag(($difference{$_} > 0 ? 'only got:      ' : 'only expected: ') . $_) foreach @differing;
	return $same;
}

1;
