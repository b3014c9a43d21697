# Every statement in README gives the output that README shows.
#
# The ```psql blocks are one session: a line "shop=# statement" each, then what
# psql prints. Times differ from run to run, and so may the width of a column
# that holds one; nothing else may.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use CommerceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file("$FindBin::Bin/../../README.md");
my @steps;
while ($readme =~ /^```psql\n(.*?)^```/msg)
{
	for my $line (split /\n/, $1)
	{
		if ($line =~ /^shop=# (.*)/)
		{
			push @steps, { statement => $1, output => '' };
		}
		else
		{
			$steps[-1]{output} .= "$line\n";
		}
	}
}
cmp_ok(scalar @steps, '>', 20, 'README shows a session');

my $node = new_server('readme');

my $script = "\\set VERBOSITY verbose\n\\pset pager off\n";
$script .= "\\echo \@\@$_\n$steps[$_]{statement}\n" for 0 .. $#steps;
my $file = PostgreSQL::Test::Utils::tempdir() . '/readme.sql';
append_to_file($file, $script);

# Errors have to come in their places: both streams into one file.
my $printed = "$file.out";
system("psql -X -d \"" . $node->connstr('postgres') . "\" -f \"$file\" >\"$printed\" 2>&1");
my @outputs = split /^@@\d+\n/m, slurp_file($printed);
shift @outputs;

sub normalize
{
	my $text = shift;
	$text =~ s/^psql:\S+:\d+: //mg;
	$text =~ s/^LOCATION:.*\n//mg;
	$text =~ s/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?\+00(:00)?/TIME/g;
	$text =~ s/-+/-/g;
	$text =~ s/[ \t]+/ /g;
	$text =~ s/ $//mg;
	$text =~ s/\s+\z//;
	return $text;
}

is(normalize($outputs[$_] // ''), normalize($steps[$_]{output}), $steps[$_]{statement})
  for 0 .. $#steps;

$node->stop;
done_testing();
