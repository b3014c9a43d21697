# Whoever may create C functions may declare ours in any way. What the library does not
# expect is an error, 42P13 or one of the server's own, and never the end of a backend.
#
# Every function of the library is declared with fewer and more arguments, each one of
# another type, other results and kinds, and called with NULLs and with values.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;

my $node = new_server('shop', conf => [ 'restart_after_crash = on', "statement_timeout = '60s'" ]);
my $folder = PostgreSQL::Test::Utils::tempdir();

# A shop in which the values below mean something; and a way to try a declaration: the
# SQLSTATE of each call, or "none". Nothing stays.
$node->safe_psql('postgres', q(
	SELECT commerce.create_user('Kim'), commerce.charge_balance(1, 100000), commerce.create_product('shirt'),
		commerce.create_product_option(1, 'red', 100, 1000), commerce.create_coupon_policy('spring', 'fixed', 10, 100),
		commerce.issue_coupon(1, 1), commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]'),
		commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]');
	CREATE DOMAIN public.id AS bigint;
	CREATE TYPE public.pair AS (one bigint, two text);
	CREATE FUNCTION public.try(declaration text, VARIADIC calls text[]) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		call text;
		codes text[];
	BEGIN
		FOREACH call IN ARRAY calls LOOP
			BEGIN
				EXECUTE declaration;
				EXECUTE call;
				RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ000';
			EXCEPTION WHEN OTHERS THEN
				codes := codes || CASE SQLSTATE WHEN 'ZZ000' THEN 'none' ELSE SQLSTATE END;
			END;
		END LOOP;
		RETURN array_to_string(codes, ' ');
	END $$;));

# A value of each type, also of those that stand in place of another.
my %value = (
	'bigint' => '1', 'integer' => '1', 'smallint' => '1', 'text' => q('{}'), 'jsonb' => q('[{"option_id": 1, "quantity": 1}]'),
	'boolean' => 'true', 'interval' => q('1 day'), 'timestamp with time zone' => 'now()', 'bytea' => q('\x00'),
	'bigint[]' => q('{1}'), 'text[]' => q('{order.paid}'), 'integer[]' => q('{1}'), 'public.id' => '1', 'public.pair' => q[ROW(1, 'x')],
	'commerce.orders' => 'NULL', 'double precision' => '1', 'cstring' => q('x'), 'anyelement' => '1');
my @results = ('bigint', 'integer', 'text', 'jsonb', 'boolean', 'void', 'record', 'trigger', 'public.pair', 'public.id',
	'SETOF record', 'SETOF bigint', 'SETOF public.pair', 'SETOF commerce.orders',
	map { "commerce.$_" } qw(users balances balance_history coupon_policies coupons products product_options orders
		order_items events subscriptions deliveries stock));

# What the install script declares: symbol, types of arguments, result, types of columns.
my @declared;
my $script = q(
	SELECT p.prosrc,
		   (SELECT string_agg(format_type(t, NULL), ';' ORDER BY n) FROM unnest(p.proargtypes) WITH ORDINALITY a (t, n)),
		   CASE WHEN p.proretset THEN 'SETOF ' ELSE '' END || format_type(p.prorettype, NULL),
		   (SELECT string_agg(format_type(t, NULL), ';' ORDER BY n)
			FROM unnest(p.proallargtypes, p.proargmodes) WITH ORDINALITY a (t, mode, n) WHERE mode = 't')
	FROM pg_proc p
	WHERE p.pronamespace = 'commerce'::regnamespace AND p.probin = '$libdir/commerce'
	ORDER BY p.prosrc);
foreach my $line (split /\n/, $node->safe_psql('postgres', $script))
{
	my ($symbol, $arguments, $result, $columns) = split /\|/, $line;
	push @declared, { symbol => $symbol, arguments => [ split /;/, $arguments ], result => $result,
		columns => [ split /;/, $columns // '' ] };
}

my (@expected, @others);

# A declaration in place of %$function, which it is like but for what %other says; into
# @$tries. kind: FUNCTION, if nothing else is said.
sub declare
{
	my ($tries, $function, %other) = @_;
	my %this = (kind => 'FUNCTION', %$function, %other);
	my @types = @{ $this{arguments} };
	my $columns = join ', ', map { "c$_ $this{columns}[$_]" } 0 .. $#{ $this{columns} };
	my $result = $this{kind} eq 'PROCEDURE' ? '' : 'RETURNS ' . ($columns ne '' ? "TABLE ($columns)" : $this{result});
	my $create = $this{kind} eq 'PROCEDURE' ? 'PROCEDURE' : 'FUNCTION';
	my @calls;
	my $declaration = "CREATE $create public.tried(" . join(', ', @types) . ") $result AS '\$libdir/commerce', "
		. "'$this{symbol}' LANGUAGE C" . ($this{kind} eq 'WINDOW' ? ' WINDOW' : '');
	if ($result eq 'RETURNS trigger')
	{
		$declaration .= '; CREATE TEMP TABLE fired (id bigint); CREATE TRIGGER fired BEFORE INSERT ON fired '
			. 'FOR EACH ROW EXECUTE FUNCTION public.tried()';
		@calls = ('INSERT INTO fired VALUES (1)');
	}
	foreach my $values ([ map { 'NULL' } @types ], [ map { $value{$_} // die "a value of $_" } @types ])
	{
		my $call = 'public.tried(' . join(', ', map {
			"$values->[$_]::" . ($types[$_] eq 'anyelement' ? 'bigint' : $types[$_]) } 0 .. $#types) . ')';

		push @calls, $this{kind} eq 'PROCEDURE' ? "CALL $call" : $this{kind} eq 'WINDOW' ? "SELECT $call OVER ()"
			: "SELECT ($call)::text";
		push @calls, $result =~ /record$/ ? "SELECT * FROM $call AS r (one bigint, two text)" : "SELECT * FROM $call"
			if $this{kind} eq 'FUNCTION';
	}
	push @$tries, { declaration => $declaration, calls => \@calls };
	return;
}

# The list with another type in the place of one.
sub with
{
	my ($types, $place, $type) = @_;
	return [ map { $_ == $place ? $type : $types->[$_] } 0 .. $#$types ];
}

foreach my $function (@declared)
{
	my @arguments = @{ $function->{arguments} };
	my @columns = @{ $function->{columns} };

	# The try_ functions are known by their names, too.
	declare(\@expected, $function) if $function->{symbol} ne 'commerce_try';
	declare(\@others, $function, arguments => $_) foreach (map { [ @arguments[ 0 .. $_ - 1 ] ] } 0 .. $#arguments),
		[ @arguments, 'bigint' ], [ @arguments, 'text' ], [ @arguments, ('bigint') x (15 - @arguments) ];
	foreach my $type (sort keys %value)
	{
		declare(\@others, $function, arguments => with(\@arguments, $_, $type))
			foreach grep { $arguments[$_] ne $type } 0 .. $#arguments;
	}
	foreach my $result (grep { $_ ne $function->{result} || @columns } @results)
	{
		declare(\@others, $function, columns => [], result => $result);
		declare(\@others, $function, columns => [], result => $result, arguments => []) if $result eq 'trigger';
	}
	declare(\@others, $function, columns => $_) foreach (map { [ ('bigint') x $_ ] } 1, 2, 5, 7, 9, 40),
		map { ([ @columns[ 0 .. $_ - 1 ] ], with(\@columns, $_, 'public.pair'), [ @columns, 'bigint' ]) } 1 .. $#columns;
	declare(\@others, $function, kind => $_) foreach 'PROCEDURE', 'WINDOW';
}

# Sets the codes of each try, or that the backend crashed: then it goes on with the next.
sub run_tries
{
	my ($tries) = @_;

	for (my $begun = 0; $begun < @$tries; $begun++)
	{
		my $file = "$folder/tries.sql";
		unlink $file;
		append_to_file($file, join '', map {
			sprintf "\\echo -n '%d '\nSELECT public.try(%s);\n", $_, join ', ', map { "\$try\$$_\$try\$" }
				$tries->[$_]{declaration}, @{ $tries->[$_]{calls} } } $begun .. $#$tries);
		my $output = '';
		$node->psql('postgres', undef, stdout => \$output, stderr => \my $stderr, on_error_stop => 0,
			extra_params => [ '-f', $file ]);
		foreach my $line (split /\n/, $output)
		{
			($begun, my $codes) = $line =~ /^(\d+) (.*)/ or die "unexpected: $line";
			$tries->[$begun]{codes} = $codes;
		}
		last if $tries->[-1]{codes};
		$tries->[$begun]{codes} = 'crashed';
		wait_until(sub { is_ready($node) });
	}
	return;
}

# None of them is other than it should be.
sub is_none
{
	my ($name, @tries) = @_;
	is(scalar @tries, 0, $name) or diag(map { "$_->{codes}: $_->{declaration}\n" } splice @tries, 0, 30);
	return;
}

run_tries(\@expected);
is_none('what the install script declares is served', grep { $_->{codes} =~ /crashed|42P13/ } @expected);
cmp_ok(scalar(grep { $_->{codes} =~ /none/ } @expected), '>', @expected / 2, 'most of these ' . @expected . ' work');

run_tries(\@others);
my $count = @others;
is_none("of $count other declarations none crashes a backend", grep { $_->{codes} eq 'crashed' } @others);
is_none('and none is served', grep { $_->{codes} =~ /none/ } @others);
# 42804 and 42883 are the server's: what a trigger's function must be, and where it can
# be called.
is_none('each is a clear error', grep {
		$_->{codes} !~ ($_->{declaration} =~ /RETURNS trigger/ ? qr/^((42P13|42804|42883) ?)+$/ : qr/^(42P13 ?)+$/)
	} @others);

# ---- what else the library exports is no function for SQL ----

my $library = `$ENV{PG_CONFIG} --pkglibdir` =~ s/\n//r . '/commerce.so';
my @exported = `nm -D --defined-only '$library'` =~ /^\S+ T (\w+)$/gm;
my %is_declared = map { ($_->{symbol} => 1) } @declared;
# A router's script declares others.
$is_declared{$_} = 1 foreach map { slurp_file($_) =~ /^AS 'MODULE_PATHNAME', '(\w+)'/mg } glob "$FindBin::RealBin/../../sql/router/*";
is_deeply([ sort map { /^pg_finfo_(.*)/ ? $1 : () } @exported ], [ sort keys %is_declared ],
	'every function in C is declared by an install script');
my @rest = grep { !/^(pg_finfo_|Pg_magic_func)/ && !$is_declared{$_} } @exported;
is(sqlstates($node, join '', map { "CREATE FUNCTION public.tried() RETURNS bigint AS '\$libdir/commerce', '$_' LANGUAGE C;" } @rest),
	join(' ', map { 42883 } @rest), 'and nothing else can be declared');

is_sound($node, 'the shop is sound');
log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
