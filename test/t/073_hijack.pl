# Somebody else's functions, operators, types and views of the names that ours use lie
# first in the search_path, beside pg_catalog and fitting better, and in pg_temp: whoever
# calls us, makes the extension or runs the notifier calls none of them.
use strict;
use warnings;
use Cwd 'abs_path';
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use CommerceTest;
use EveryCall;

my $node = new_server('hijack', empty => 1, conf => [ "shared_preload_libraries = 'commerce'",
	"commerce.databases = 'lure'" ]);
my $owner = $node->safe_psql('postgres', 'SELECT current_user');

# What mallory makes. A trap is counted by a sequence, also where its error is caught
# or undone. A namesake takes what its model takes; in place of any type, each of these.
my $snares = q(
	CREATE SEQUENCE public.caught;
	GRANT USAGE ON SEQUENCE public.caught TO PUBLIC;
	CREATE FUNCTION public.caught() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
		PERFORM pg_catalog.nextval('public.caught');
		RAISE EXCEPTION 'caught' USING ERRCODE = 'HJ001';
	END$$;
	CREATE FUNCTION public.try(statement text) RETURNS void LANGUAGE plpgsql AS $$BEGIN
		EXECUTE statement;
	EXCEPTION WHEN OTHERS THEN NULL; -- there is one, or it is no type for this
	END$$;
	CREATE FUNCTION public.as(type oid, any_type text) RETURNS text LANGUAGE sql SET search_path = pg_catalog AS $$
		SELECT CASE WHEN typname ~ '^any.*array$' THEN any_type || '[]' WHEN typname ~ '^any' THEN any_type
			ELSE format_type(oid, NULL) END FROM pg_type WHERE oid = type
	$$;
	CREATE FUNCTION public.set_functions(any_types text[]) RETURNS void LANGUAGE sql SET search_path = pg_catalog AS $$
		SELECT public.try(format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS '
			|| '''BEGIN PERFORM public.caught(); END''', f.proname, f.arguments, public.as(f.prorettype, f.any_type)))
		FROM (SELECT proname, prorettype, any_type, (
				SELECT string_agg(public.as(t, any_type), ', ' ORDER BY n) FROM unnest(proargtypes) WITH ORDINALITY a (t, n))
				-- Some more in place of VARIADIC.
				|| repeat(', ' || any_type, more) AS arguments
			FROM pg_proc, unnest(any_types) any_type, generate_series(0, 4) more
			WHERE pronamespace = 'pg_catalog'::regnamespace AND (more = 0 OR provariadic <> 0)
			  AND (any_type = any_types[1] OR EXISTS (SELECT FROM pg_type WHERE oid = ANY (proargtypes) AND typname ~ '^any'))
			  AND proname !~ '(in|out|recv|send|typanalyze|sel|handler)$') f
	$$;
	CREATE FUNCTION public.set_operators(any_types text[]) RETURNS void LANGUAGE sql SET search_path = pg_catalog AS $$
		SELECT public.try(format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS '
				|| '''BEGIN PERFORM public.caught(); END''', name, concat_ws(', ', l, r), public.as(oprresult, any_type))),
			public.try(format('CREATE OPERATOR public.%s (FUNCTION = public.%I, %s)', oprname, name,
				concat_ws(', ', 'LEFTARG = ' || l, 'RIGHTARG = ' || r)))
		FROM (SELECT oprname, oprresult, any_type, 'operator ' || oprname AS name,
				public.as(oprleft, any_type) AS l, public.as(oprright, any_type) AS r
			FROM pg_operator, unnest(any_types) any_type
			WHERE any_type = any_types[1] OR EXISTS (SELECT FROM pg_type WHERE oid IN (oprleft, oprright) AND typname ~ '^any')) o
	$$;);
my $of_bytes = q('{bigint, integer, text, timestamptz, jsonb, numeric, boolean, name, oid}');
# Types, in this schema; they come last, as whoever names one means it.
my $types = q(SELECT public.try(format('CREATE DOMAIN %s.%I AS pg_catalog.%I CHECK (public.caught())', 'SCHEMA', typname, typname))
	FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typcategory <> 'A');
# Views of all relations of ours and of those of pg_catalog.
my $views = q(SELECT public.try(format('CREATE VIEW %s.%I AS SELECT * FROM %s WHERE public.caught()', 'SCHEMA', relname, oid::regclass))
	FROM pg_class WHERE relnamespace IN ('commerce'::regnamespace, 'pg_catalog'::regnamespace) AND relkind IN ('r', 'v'));

sub as_mallory
{
	my ($dbname, $sql) = @_;
	my ($out, $errors);
	$node->psql($dbname, "SET client_min_messages = error; SET search_path = pg_catalog; $sql", stdout => \$out, stderr => \$errors,
		extra_params => [ '-U', 'mallory', '-v', 'ON_ERROR_STOP=1' ]) == 0 or die $errors;
	return;
}
sub caught { return $node->safe_psql($_[0] // 'postgres', q(SELECT is_called FROM public.caught)); }

$node->safe_psql('postgres', q(CREATE ROLE mallory LOGIN;
	GRANT CREATE ON SCHEMA public TO PUBLIC; GRANT CREATE ON DATABASE postgres TO mallory));
# What this test asks is not for mallory to answer.
$node->safe_psql('postgres', "ALTER ROLE $owner SET search_path = pg_catalog");

# ---- before there is an extension ----

as_mallory('postgres', "$snares SELECT public.set_functions($of_bytes), public.set_operators($of_bytes); CREATE SCHEMA commerce");
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM pg_proc WHERE proowner = 'mallory'::regrole"), '>', 3000,
	'mallory has many functions');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM pg_operator WHERE oprowner = 'mallory'::regrole"), '>', 700, 'and operators');
is(sqlstates($node, 'CREATE EXTENSION commerce'), '42P06', 'there is no extension in a schema of somebody else');
as_mallory('postgres', 'DROP SCHEMA commerce');
is(sqlstates($node, 'SET search_path = public, pg_catalog; CREATE EXTENSION commerce'), '', 'there is one beside all that');
is(caught(), 'f', 'which calls nothing of it');
is($node->safe_psql('postgres', q(
	SELECT pg_describe_object(classid, objid, objsubid), pg_describe_object(refclassid, refobjid, refobjsubid)
	FROM pg_depend
	WHERE (pg_identify_object(refclassid, refobjid, 0)).schema = 'public' AND (pg_identify_object(classid, objid, 0)).schema = 'commerce')),
	'', 'nor depends on it');

# ---- every call ----

my @roles = qw(reader app relay router admin);
make_busy($node);
$node->safe_psql('postgres', "CREATE ROLE $_ LOGIN; SELECT commerce.grant_access('$_', '$_')") foreach @roles;
$node->safe_psql('postgres', "SELECT commerce.grant_access('mallory', 'reader')");
# Operators and functions that fit our own types better than any of pg_catalog's.
as_mallory('postgres', q(SELECT public.set_functions(t), public.set_operators(t) FROM (
	SELECT array_agg(oid::regtype::text) FROM pg_type WHERE typnamespace = 'commerce'::regnamespace AND typcategory <> 'A') x (t)));
as_mallory('postgres', join ';', (map { s/SCHEMA/public/r } $views, $types), 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC');

my %level = map { split /\|/ } split /\n/, $node->safe_psql('postgres',
	q(SELECT object_name, level FROM commerce.access_rights() WHERE privilege = 'EXECUTE'));
my %call = (%writer, %reader);
is(join(' ', sort keys %call), join(' ', sort keys %level), 'every function is called');

# Settings that anybody may change, and that change what a statement means or how it runs.
my $odd = join '; ', map { "SET $_" } 'transform_null_equals = on', 'array_nulls = off', 'standard_conforming_strings = off',
	'quote_all_identifiers = on', "DateStyle = 'SQL, DMY'", 'IntervalStyle = sql_standard', "TimeZone = 'Pacific/Kiritimati'",
	'row_security = off', 'plan_cache_mode = force_generic_plan', 'constraint_exclusion = on', "work_mem = '64kB'",
	(map { "enable_$_ = off" } qw(seqscan indexscan indexonlyscan bitmapscan nestloop hashjoin mergejoin sort hashagg material)),
	'extra_float_digits = -15', 'bytea_output = escape', 'xmloption = document', 'from_collapse_limit = 1', 'jit = off';
my %path = ('first of all' => 'public, pg_catalog', 'before that, in pg_temp' => 'pg_temp, public, pg_catalog',
	'behind pg_catalog' => '"$user", public');
foreach my $where (sort keys %path)
{
	# What is in pg_temp is of the session itself.
	my $temp = $where =~ /temp/ ? join ';', map { s/SCHEMA/pg_temp/r } $views, $types : '';
	my $begin = "SET client_min_messages = error; SET search_path = pg_catalog, pg_temp; $temp; SET search_path = $path{$where}; $odd";
	foreach my $role (@roles, $owner)
	{
		my @names = grep { $role eq $owner || $level{$_} eq $role } sort keys %call;
		my @outcomes = outcomes($node, $role, [ map { "SELECT * FROM commerce.$_($call{$_})" } @names ], begin => $begin);
		is(join(' ', map { "$names[$_]:$outcomes[$_]" } grep { $outcomes[$_] ne '00000' } 0 .. $#names), '',
			"$role calls ours, with mallory's $where");
	}
}
is(join(' ', outcomes($node, 'reader', [ map { "SELECT * FROM commerce.$_" } qw(stock coupon_quota coupon_wallet subscriptions deliveries) ],
	begin => 'SET search_path = public, pg_catalog')), '00000 ' x 4 . '00000', 'and reads views');
# In the page's own statements, numbers of two types meet, for which pg_catalog has no operator.
as_mallory('postgres', join ';', map { my ($l, $r) = @$_; map { qq(
	CREATE FUNCTION public."$_"($l, $r) RETURNS numeric LANGUAGE plpgsql AS 'BEGIN PERFORM public.caught(); END';
	CREATE OPERATOR public.$_ (FUNCTION = public."$_", LEFTARG = $l, RIGHTARG = $r)) } qw(* /) } [ 'bigint', 'numeric' ], [ 'numeric', 'bigint' ]);
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'postgres', PGUSER => 'reader');
	command_ok([ abs_path("$FindBin::RealBin/../../report/report.sh"), PostgreSQL::Test::Utils::tempdir() . '/report.html' ], 'a page is made');
}
is(caught(), 'f', 'nothing of mallory was called');

# So it was not for want of traps.
is(join(' ', outcomes($node, 'reader', [ 'SELECT now() - now()', "SELECT 'x'::text", 'SELECT * FROM pg_roles' ],
	begin => 'SET search_path = public, pg_catalog')), 'HJ001 HJ001 HJ001', 'whoever has them first in the search_path is caught');
is(join(' ', outcomes($node, 'reader', [ 'SELECT count(*) FROM commerce.orders WHERE status = status', 'SELECT to_jsonb(o) FROM commerce.orders o',
	q(SELECT format('%s', status) FROM commerce.orders) ])), 'HJ001 HJ001 HJ001', 'and with the usual one where they fit better');
is(caught(), 't', 'which is counted');

# ---- a database with a commerce that is not ours ----

# The notifier is the superuser's.
$node->safe_psql('postgres', 'CREATE DATABASE lure OWNER mallory');
as_mallory('lure', "$snares SELECT public.set_functions($of_bytes), public.set_operators($of_bytes);
	CREATE SCHEMA commerce; GRANT ALL ON SCHEMA commerce TO PUBLIC;
	CREATE TYPE commerce.order_status AS ENUM ('pending');
	CREATE TABLE commerce.orders (status commerce.order_status, expires_at timestamptz);
	INSERT INTO commerce.orders VALUES ('pending', '-infinity');
	GRANT ALL ON commerce.orders TO PUBLIC;
	CREATE FUNCTION commerce.expire_orders(integer) RETURNS bigint LANGUAGE sql AS 'SELECT public.caught()::integer::bigint'");
as_mallory('lure', $types =~ s/SCHEMA/public/r);
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity
	WHERE backend_type = 'commerce notifier' AND datname = 'lure'"), 'the notifier comes to a database of mallory');
sleep 2.5; # it looks every second
is(caught('lure'), 'f', 'and calls nothing there');
is(() = slurp_file($node->logfile) =~ /could not expire/, 0, 'nor tries to');

is_sound($node, 'no invariant is violated');
log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
