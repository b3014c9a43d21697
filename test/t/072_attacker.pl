# Whoever connects may do what doc/reference.md says of their level, and nothing else:
# by the catalogue, every right on every object; and by trying, as somebody who has
# schemas of their own, and TEMP.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use Catalogue;
use CommerceTest;
use EveryCall;

my $node = new_server('attacker');
my @roles = qw(nobody former reader app relay admin);

make_busy($node);
$node->safe_psql('postgres', "CREATE ROLE $_ LOGIN; GRANT CREATE ON DATABASE postgres TO $_;
	GRANT CREATE ON SCHEMA public TO PUBLIC") foreach @roles;
$node->safe_psql('postgres', "SELECT commerce.grant_access('$_', '$_')") foreach @roles[ 2 .. 5 ];
$node->safe_psql('postgres', q(SELECT commerce.grant_access('former', 'admin'), commerce.revoke_access('former')));

sub query { return split /\n/, $node->safe_psql('postgres', $_[0]); }

# ---- what the reference says ----

# A right is "role kind object privilege". Not to be read by all is what stands behind
# "but for"; every level may use the schema and its types, and no sequence.
my ($levels) = slurp_file("$FindBin::RealBin/../../doc/reference.md") =~ /^## Levels\n(.*?)^## /ms;
my %row = $levels =~ /^\| (\w+) \|(.*)\|$/mg;
my %hidden = map { ($_ => 1) } ($levels =~ /but for (.*?),\s+which\s/s)[0] =~ /`(\w+)`/g;
my %object;
foreach (query(q(
	SELECT 'relation', relname::text FROM pg_class WHERE relnamespace = 'commerce'::regnamespace AND relkind IN ('r', 'v')
	UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'commerce'::regnamespace
	UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = 'commerce'::regnamespace AND typtype NOT IN ('c', 'b')
	UNION ALL SELECT 'sequence', relname FROM pg_class WHERE relnamespace = 'commerce'::regnamespace AND relkind = 'S')))
{
	my ($kind, $name) = split /\|/;
	push @{ $object{$kind} }, $name =~ s/^commerce\.//r;
}
sub may_call
{
	my ($role, $function) = @_;
	return 0 unless $row{$role};
	my $listed = join ' ', $row{reader}, $row{$role};
	return $role eq 'admin' || $listed =~ /`\Q@{[ $function =~ s,\(.*,,r ]}\E`/;
}
my @expected;
foreach my $role (grep { $row{$_} } @roles)
{
	push @expected, "$role schema commerce USAGE", map { "$role type $_ USAGE" } @{ $object{type} };
	push @expected, map { "$role relation $_ SELECT" } grep { $role eq 'admin' || !$hidden{$_} } @{ $object{relation} };
	push @expected, map { "$role function $_ EXECUTE" } grep { may_call($role, $_) } @{ $object{function} };
}

# ---- what the catalogue says ----

# A right on one column counts as one on the relation; a right to give one on is told too.
my $roles = join ', ', map { "('$_')" } @roles, 'public';
my ($maintain) = map { $_ >= 170000 ? ", ('relation', 'MAINTAIN')" : '' } query('SHOW server_version_num');
my @actual = query(qq(
	WITH role (name) AS (VALUES $roles), wanted (kind, privilege) AS (VALUES
		('relation', 'SELECT'), ('relation', 'INSERT'), ('relation', 'UPDATE'), ('relation', 'DELETE'), ('relation', 'TRUNCATE'),
		('relation', 'REFERENCES'), ('relation', 'TRIGGER'), ('sequence', 'USAGE'), ('sequence', 'SELECT'), ('sequence', 'UPDATE'),
		('function', 'EXECUTE'), ('type', 'USAGE'), ('schema', 'USAGE'), ('schema', 'CREATE')$maintain
	), tried AS (SELECT kind, privilege || option AS privilege FROM wanted, unnest(ARRAY['', ' WITH GRANT OPTION']) option)
	SELECT concat_ws(' ', r.name, t.kind, c.relname, t.privilege) FROM role r, tried t, pg_class c
	WHERE c.relnamespace = 'commerce'::regnamespace AND CASE t.kind
		WHEN 'relation' THEN c.relkind NOT IN ('S', 'i') AND (has_table_privilege(r.name, c.oid, t.privilege)
			OR t.privilege ~ '^(SEL|INS|UPD|REF)' AND has_any_column_privilege(r.name, c.oid, t.privilege))
		WHEN 'sequence' THEN c.relkind = 'S' AND has_sequence_privilege(r.name, c.oid, t.privilege) END
	UNION ALL SELECT concat_ws(' ', r.name, t.kind, replace(p.oid::regprocedure::text, 'commerce.', ''), t.privilege)
	FROM role r, tried t, pg_proc p
	WHERE p.pronamespace = 'commerce'::regnamespace AND t.kind = 'function' AND has_function_privilege(r.name, p.oid, t.privilege)
	-- A row type has its table's rights, an array type those of its elements.
	UNION ALL SELECT concat_ws(' ', r.name, t.kind, y.typname, t.privilege) FROM role r, tried t, pg_type y
	WHERE y.typnamespace = 'commerce'::regnamespace AND y.typrelid = 0 AND y.typelem = 0
	  AND t.kind = 'type' AND has_type_privilege(r.name, y.oid, t.privilege)
	UNION ALL SELECT concat_ws(' ', r.name, t.kind, 'commerce', t.privilege) FROM role r, tried t
	WHERE t.kind = 'schema' AND has_schema_privilege(r.name, 'commerce', t.privilege)));

sub only_in
{
	my ($some, $others) = @_;
	my %other = map { ($_ => 1) } @$others;
	return join "\n", sort grep { !$other{$_} } @$some;
}
cmp_ok(scalar @expected, '>', 150, 'the reference was read');
is(only_in(\@actual, \@expected), '', 'nobody has a right that the reference does not give');
is(only_in(\@expected, \@actual), '', 'everybody has those that it gives');

# ---- trying ----

my $catalogue = catalogue($node, 'postgres');
my $contents = contents($node, 'postgres');

# Whoever tries these as any role is stopped each time, for the reason given.
sub is_refused
{
	my ($name, $statements, $reason) = @_;
	foreach my $role (@roles)
	{
		my @outcomes = outcomes($node, $role, $statements, begin => "CREATE SCHEMA IF NOT EXISTS its_$role;
			CREATE OR REPLACE FUNCTION its_$role.trap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
			SET search_path = its_$role");
		my @through = grep { $outcomes[$_] !~ /^(?:$reason)$/ } 0 .. $#outcomes;
		is(join("\n", map { "$outcomes[$_] $statements->[$_]" } @through), '', "$role: $name");
	}
	return;
}

# Every function, with NULLs.
my @calls = query(q(SELECT format('SELECT * FROM commerce.%I(%s)', proname, (SELECT string_agg('NULL::' || format_type(t, NULL), ', ')
	FROM unnest(proargtypes) t)) FROM pg_proc WHERE pronamespace = 'commerce'::regnamespace ORDER BY oid::regprocedure::text));
my @names = query(q(SELECT proname FROM pg_proc WHERE pronamespace = 'commerce'::regnamespace ORDER BY oid::regprocedure::text));
foreach my $role (@roles)
{
	my @outcomes = outcomes($node, $role, \@calls);
	my @wrong = grep { ($outcomes[$_] eq '42501') != !may_call($role, $names[$_]) } 0 .. $#names;
	is(join("\n", map { "$outcomes[$_] $calls[$_]" } @wrong), '', "$role calls what it may");
}

my %column = map { split /\|/ } query(q(SELECT DISTINCT ON (attrelid) relname, attname FROM pg_attribute
	JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'commerce'::regnamespace AND attnum > 0 ORDER BY attrelid, attnum));
my @tables = query(q(SELECT relname FROM pg_class WHERE relnamespace = 'commerce'::regnamespace AND relkind = 'r'));
my @stronger = map { "LOCK TABLE %t IN $_ MODE" } 'ROW SHARE', 'ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE',
	'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE';
my @on_table = ('INSERT INTO %t DEFAULT VALUES', 'UPDATE %t SET %c = %c', 'DELETE FROM %t', 'TRUNCATE %t',
	'SELECT FROM %t FOR UPDATE', 'SELECT FROM %t FOR NO KEY UPDATE', 'SELECT FROM %t FOR SHARE', 'SELECT FROM %t FOR KEY SHARE',
	@stronger, 'CREATE TRIGGER x BEFORE INSERT ON %t FOR EACH ROW EXECUTE FUNCTION trap()',
	'CREATE RULE x AS ON INSERT TO %t DO ALSO NOTHING', 'CREATE INDEX ON %t (%c)', 'CREATE TABLE x (%c bigint REFERENCES %t)',
	'CREATE TABLE x () INHERITS (%t)', 'CREATE POLICY x ON %t', 'CREATE STATISTICS x ON %c, ctid FROM %t',
	'CREATE PUBLICATION x FOR TABLE %t', 'ALTER TABLE %t ADD x integer', 'ALTER TABLE %t DROP %c', 'ALTER TABLE %t ADD CHECK (false)',
	'ALTER TABLE %t OWNER TO CURRENT_USER', 'ALTER TABLE %t DISABLE TRIGGER ALL', 'ALTER TABLE %t ENABLE ROW LEVEL SECURITY',
	'ALTER TABLE %t RENAME TO x', 'ALTER TABLE %t SET (fillfactor = 10)', 'COMMENT ON TABLE %t IS NULL', 'REINDEX TABLE %t',
	'CLUSTER %t', 'DROP TABLE %t CASCADE');
is_refused('writes, locks and changes no table',
	[ map { my $table = $_; map { s/%t/commerce.$table/gr =~ s/%c/$column{$table}/gr } @on_table } @tables ], '42501');

# Some of these are none of what a view can have done to it, also by its owner.
my @views = grep { my $view = $_; !grep { $view eq $_ } @tables } @{ $object{relation} };
is_refused('nor a view', [ map { my $view = $_; map { s/%t/commerce.$view/gr =~ s/%c/$column{$view}/gr =~ s/TABLE (commerce.*)/VIEW $1/r }
	grep { !/CREATE (TABLE|STAT|PUBL|INDEX|POLICY|TRIGGER)|ALTER TABLE %t (ADD|DROP|DIS|ENA)|REINDEX|CLUSTER|TRUNC/ } @on_table } @views ],
	'42501|55000|42601');
is_refused('uses and changes no sequence', [ map { my $seq = $_; map { s/%s/commerce.$seq/gr } "SELECT nextval('%s')",
	"SELECT setval('%s', 1)", "SELECT setval('%s', 9000000000000000, true)", "SELECT currval('%s')", 'SELECT * FROM %s',
	'ALTER SEQUENCE %s RESTART', 'ALTER SEQUENCE %s OWNER TO CURRENT_USER', 'DROP SEQUENCE %s', 'COMMENT ON SEQUENCE %s IS NULL' }
	@{ $object{sequence} } ], '42501');
is_refused('changes no function', [ map { my $function = $_; map { s/%f/commerce.$function/gr } 'ALTER FUNCTION %f OWNER TO CURRENT_USER',
	'ALTER FUNCTION %f SECURITY DEFINER', 'ALTER FUNCTION %f RESET ALL', "ALTER FUNCTION %f SET search_path = public",
	'ALTER FUNCTION %f RENAME TO x', 'ALTER FUNCTION %f SET SCHEMA public', 'DROP FUNCTION %f', 'COMMENT ON FUNCTION %f IS NULL' }
	@{ $object{function} } ], '42501');
is_refused('nor replaces it', [ query(q(SELECT replace(replace(replace(pg_get_functiondef(oid), E'\n', ' '), '''$libdir/commerce''', '''x'''),
	'LANGUAGE c', 'LANGUAGE sql') FROM pg_proc WHERE pronamespace = 'commerce'::regnamespace AND prosrc NOT LIKE '%--%')) ], '42501');
is_refused('changes no type', [ map { my $type = $_; map { s/%y/commerce.$type/gr } "ALTER TYPE %y ADD VALUE 'x'",
	'ALTER TYPE %y OWNER TO CURRENT_USER', 'ALTER TYPE %y RENAME TO x', 'DROP TYPE %y CASCADE', 'CREATE CAST (%y AS integer) WITH INOUT' }
	@{ $object{type} } ], '42501');
is_refused('makes nothing in the schema, nor takes the extension', [ 'CREATE TABLE commerce.x ()', 'CREATE VIEW commerce.x AS SELECT 1',
	"CREATE FUNCTION commerce.x() RETURNS integer LANGUAGE sql AS 'SELECT 1'", 'CREATE SEQUENCE commerce.x',
	'CREATE TYPE commerce.x AS ENUM ()', 'ALTER SCHEMA commerce RENAME TO x', 'ALTER SCHEMA commerce OWNER TO CURRENT_USER',
	'DROP SCHEMA commerce CASCADE',
	'DROP EXTENSION commerce CASCADE', 'ALTER EXTENSION commerce UPDATE', 'ALTER EXTENSION commerce ADD FUNCTION trap()',
	'ALTER EXTENSION commerce DROP TABLE commerce.orders', "LOAD 'commerce'", "COPY (SELECT 1) TO PROGRAM 'true'",
	"CREATE FUNCTION x() RETURNS void LANGUAGE c AS 'commerce', 'commerce_place_order'" ], '42501');

# ---- settings ----

# Bounds are a superuser's to set. Before the library is loaded, nothing knows of them.
my @settings = query(q(LOAD 'commerce'; SELECT name FROM pg_settings WHERE name LIKE 'commerce.%' AND context <> 'user'));
my @set = map { ("SET $_ TO DEFAULT", "ALTER ROLE CURRENT_USER SET $_ = '1'") } @settings;
my $too_much = 'SELECT FROM commerce.charge_balance(1, 1000000000001)';
my $higher = 'commerce.max_charge_amount = 2000000000000';
cmp_ok(scalar @settings, '>', 8, 'there are settings');
foreach my $role (@roles[ 2 .. 5 ])
{
	is(join(' ', grep { !/^(?:42501|55P02)$/ } outcomes($node, $role, \@set, begin => 'SELECT commerce.get_balance(1)')), '',
		"$role sets no bound");
	is(join(' ', grep { $_ ne '42501' } outcomes($node, $role, [ grep { /ALTER/ } @set ])), '', "$role: nor for later");
}
is(join(' ', outcomes($node, 'app', [ $too_much ])), 'SC101', 'a bound holds');
is(join(' ', outcomes($node, 'app', [ $too_much ], begin => "SET $higher")), 'SC101', 'also if it was set before');
{
	local $ENV{PGOPTIONS} = '-c ' . $higher =~ s/ //gr;
	is(join(' ', outcomes($node, 'app', [ $too_much ])), 'SC101', 'or as the session began');
}
is(join(' ', outcomes($node, $node->safe_psql('postgres', 'SELECT current_user'), [ $too_much ], begin => "SET $higher")), '00000',
	'it is a superuser that may');

same_catalogue(catalogue($node, 'postgres'), $catalogue, 'the catalogue is what it was');
is_deeply(contents($node, 'postgres'), $contents, 'and so is the shop');
log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
