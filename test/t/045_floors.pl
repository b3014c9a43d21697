# The floors of src, as its map has them: no file includes upwards, no two files
# include each other, and each file has its line.
use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $src = "$FindBin::Bin/../../src";
my $map = slurp_file("$src/README.md");

# From the ground up; relay stands apart.
my @floors = $map =~ m{^\| src/(\w+) \|}mg;
my %height = map { $floors[$_] => $_ } 0 .. $#floors;
cmp_ok(scalar @floors, '>', 5, 'the map has floors');

# A module is all files with one name but for the suffix.
my (%is_module, %includes);
foreach my $path (glob "$src/*/*.c $src/*/*.h $src/*/*.def")
{
	my ($floor, $name) = $path =~ m{/(\w+)/(\w+)\.\w+$};
	my $module = "$floor/$name";

	$is_module{$module} = 1;
	foreach my $included (slurp_file($path) =~ /^#include "([\w\/]+)\.(?:h|def)"/mg)
	{
		$included = "relay/$included" if $floor eq 'relay';
		$includes{$module}{$included} = 1 if -e "$src/$included.h" || -e "$src/$included.def";
	}
}

my %on_map = map { $_ => 1 } $map =~ m{^\| `(\w+/\w+)` \|}mg;
is_deeply([ sort keys %on_map ], [ sort keys %is_module ], 'the map has every file, and no other');

my @upwards;
foreach my $module (sort keys %includes)
{
	my ($floor) = $module =~ m{(\w+)/};

	foreach my $included (sort keys %{ $includes{$module} })
	{
		my ($other) = $included =~ m{(\w+)/};
		my $fits = $floor eq 'relay' || $other eq 'relay'
		  ? $floor eq $other
		  : $height{$other} <= $height{$floor};

		push @upwards, "$module includes $included" unless $fits;
	}
}
is_deeply(\@upwards, [], 'no file includes upwards');

# Take away what includes nothing that is left, until nothing changes.
my %left = map { $_ => 1 } keys %is_module;
my $count;
do
{
	$count = keys %left;
	foreach my $module (keys %left)
	{
		delete $left{$module}
		  unless grep { $_ ne $module && $left{$_} } keys %{ $includes{$module} || {} };
	}
} while (keys %left < $count);
is_deeply([ sort keys %left ], [], 'no circle');

# A backtrace shows the bare name.
my (%defined, @twice);
foreach my $path (sort glob "$src/*/*.c")
{
	my %here = map { $_ => 1 } slurp_file($path) =~ /^([a-z_]\w*)\(/mg;

	foreach my $function (sort keys %here)
	{
		push @twice, $function if $defined{$function}++;
	}
}
is_deeply(\@twice, [], 'no function has the name of another');

done_testing();
