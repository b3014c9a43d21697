# The one table of refusals, and every other place that tells of them: their
# codes, names and the keys of their DETAIL.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::Bin/../..";

# src/base/refusals.def: of rows with the same code, the first one names it.
my (%name, %keys);
my $def = slurp_file("$top/src/base/refusals.def");
$def =~ s{/\*.*?\*/}{}sg;
while ($def =~ /REFUSAL(\d)\((\w+), (\w+), "(\w{5})",\s*"(?:[^"\\]|\\.)*",\s*([^)]*)\)/g)
{
	my ($count, $id, $function, $code, $values) = ($1, $2, $3, $4, $5);
	my @pairs = split /\s*,\s*/, $values;

	is(scalar @pairs, 2 * $count, "$id has $count values");
	is($function, lc $id, "$id is made by refuse_$function()");
	next unless $code =~ /^SC/;
	$name{$code} //= lc $id;
	while (my ($kind, $key) = splice @pairs, 0, 2)
	{
		$keys{$code}{$key} = 1 unless $kind eq 'said' || $kind eq 'counted';
	}
}
cmp_ok(scalar keys %name, '>', 20, 'refusals.def has refusals');

# doc/reference.md: | code | name | when | DETAIL |
my (%told_name, %told_keys);
my $reference = slurp_file("$top/doc/reference.md");
while ($reference =~ /^\| (SC\d{3}) \| (\w+) \| [^|]* \| ([^|]*) \|$/mg)
{
	my ($code, $name, $detail) = ($1, $2, $3);

	$told_name{$code} = $name;
	$told_keys{$code} = { map { $_ => 1 } $detail =~ /`(\w+)`/g };
}
is_deeply(\%told_name, \%name, 'the reference has every code with its name');
is_deeply(\%told_keys, \%keys, 'and the keys of its DETAIL');

# The comments of the functions: each code exists, and each is somebody's.
my %in_comments;
foreach my $part (glob "$top/sql/[0-9]*.sql")
{
	$in_comments{$_} = 1 foreach slurp_file($part) =~ /\b(SC\d{3})\b/g;
}
is_deeply([ sort keys %in_comments ], [ sort keys %name ],
	'the comments of the functions name these codes');

done_testing();
