# doc/reference.md tells all there is, as it is: functions, refusals, settings,
# types, tables and views. Its levels are tried by 072_attacker.pl.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;
use Documents;

my $reference = document('doc/reference.md');
my $node = new_server('reference');

# Rows of a query, as lists.
sub query
{
	my ($sql) = @_;
	my $rows = $node->safe_psql('postgres', "LOAD 'commerce'; $sql");

	return map { [ split /\|/, $_, -1 ] } split /\n/, $rows;
}

# A column of a query.
sub column { return map { $_->[0] } query(@_) }

# ---- functions: the server itself reads the declarations ----

my (%declaration, @misplaced);
while ($reference =~ /^### (\w+)\n+```sql\n(.*?)^```\n/msg)
{
	my ($heading, @found) = ($1, split /^(?=\w+\()/m, $2);

	push @misplaced, $heading if $found[0] !~ /^$heading\(/;
	foreach my $found (@found)
	{
		my ($name) = $found =~ /^(\w+)/;

		is($declaration{$name}, undef, "$name is declared once");
		$declaration{$name} = $found;
	}
}
is("@misplaced", '', 'each under its own name');
my $declarations = join '', map { "CREATE FUNCTION documented.$declaration{$_}
	LANGUAGE plpgsql AS 'BEGIN END';\n" } sort keys %declaration;
$node->safe_psql('postgres', "CREATE SCHEMA documented;\n$declarations");
my $functions = "SELECT proname, pg_get_function_arguments(oid), pg_get_function_result(oid)
	FROM pg_proc WHERE pronamespace = '%s'::regnamespace ORDER BY proname";
is_deeply([ query(sprintf $functions, 'documented') ], [ query(sprintf $functions, 'commerce') ],
	'every function, with its arguments, their defaults, and its result');

# ---- refusals: as the functions' comments list them ----

# The codes in a text: those of refusals in their order, then the others.
sub codes
{
	my ($text) = @_;
	my @codes = ($text // '') =~ /\b(SC\d{3}|\d{2}\d[0-9P]\d)\b/g;

	return join ' ', (grep { /^SC/ } @codes), sort grep { !/^SC/ } @codes;
}

my %raised;
foreach my $row (query("SELECT proname, substring(obj_description(oid, 'pg_proc') FROM 'Raises .*')
	FROM pg_proc WHERE pronamespace = 'commerce'::regnamespace"))
{
	my ($name, $raises) = @$row;
	my $heading = $name =~ /^try_/ ? 'try_place_order' : $name; # which has them all
	my ($section) = $reference =~ /^### $heading\n(.*?)(?=^##)/ms;
	my ($refuses) = ($section // '') =~ /^(Refuses.*?)\n\n/ms;

	is(codes($refuses), codes($raises), "$name refuses these, in this order");
	$raised{$_} = 1 foreach codes($raises) =~ /SC\d+/g;
}
# What stands in the table itself, 044_refusals.pl compares.
is_deeply([ sort(map { $_->[0] } tables($reference, 'Refusals')) ], [ sort keys %raised ],
	'the refusals that the functions raise');

my @relations = column("SELECT relname FROM pg_class
	WHERE relnamespace = 'commerce'::regnamespace AND relkind IN ('r', 'v')");

# ---- settings ----

my %set = (user => 'by anybody', superuser => 'by superuser', sighup => 'in the file');
my @settings = query("SELECT name, boot_val || coalesce(unit, ''), min_val || ' to ' || max_val, context
	FROM pg_settings WHERE name LIKE 'commerce.%' ORDER BY name");
$_->[3] = $set{ $_->[3] } foreach @settings;
my @documented = map { [ @$_[ 0 .. 3 ] ] } tables($reference, 'Settings');
# A text has no bounds of the server's.
foreach my $i (0 .. $#settings)
{
	$documented[$i][2] = '' if $documented[$i] && $settings[$i][2] eq '';
}
is_deeply(\@documented, \@settings, 'every setting, its default and bounds, and who sets it');

# ---- types, tables, views ----

is_deeply([ sort { $a->[0] cmp $b->[0] } tables($reference, 'Types') ],
	[ query("SELECT typname, string_agg(enumlabel, ' ' ORDER BY enumsortorder)
		FROM pg_type t JOIN pg_enum ON enumtypid = t.oid
		WHERE typnamespace = 'commerce'::regnamespace GROUP BY typname ORDER BY typname COLLATE \"C\"") ],
	'every type, with its values');

my ($about) = $reference =~ /^(## Tables\n.*)\z/ms;
is_deeply([ sort($about =~ /^### (\w+)/mg) ], [ sort @relations ], 'every table and view');
foreach my $relation (sort @relations)
{
	my @columns = query("SELECT attname, replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz'),
			CASE WHEN relkind = 'r' AND NOT attnotnull THEN 'null' ELSE '' END
		FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
		WHERE attrelid = 'commerce.$relation'::regclass AND attnum > 0 ORDER BY attnum");

	is_deeply([ map { [ @$_[ 0, 1 ], $_->[2] =~ /^(null)\b/ ? $1 : '' ] } tables($reference, $relation) ],
		\@columns, "$relation: every column, with its type");
}

$node->stop;
done_testing();
