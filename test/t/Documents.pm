# The documents as the tests read them: their fenced blocks, headings, links and
# tables.
package Documents;

use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(root documents document blocks prose anchors links tables);

# The folder of the sources.
sub root { return abs_path("$FindBin::RealBin/../..") }

# All documents, by their names from there.
sub documents
{
	my $root = root();
	my @files = grep { -e } glob("$root/*.md $root/doc/*.md $root/*/README.md $root/*/*/README.md");
	my %names = map { (s{^\Q$root\E/}{}r => 1) } @files;

	return sort keys %names;
}

# A document's text, in characters.
sub document
{
	my ($name) = @_;
	my $text = slurp_file(root() . "/$name");

	utf8::decode($text) or die "$name is not UTF-8";
	return $text;
}

# Its fenced blocks, in their order: [language, text].
sub blocks
{
	my ($text) = @_;
	my @blocks;

	push @blocks, [ $1, $2 ] while $text =~ /^```(\S*)\n(.*?)^```$/msg;
	return @blocks;
}

# It without them.
sub prose
{
	my ($text) = @_;
	return $text =~ s/^```\S*\n.*?^```$//msgr;
}

# What may follow a # in a link to it, as GitHub names headings: anchor => 1.
sub anchors
{
	my ($text) = @_;
	my (%anchors, %count);

	foreach my $heading (prose($text) =~ /^#+ +(.*?) *$/mg)
	{
		my $anchor = lc $heading;

		$anchor =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
		$anchor =~ s/[^\w\- ]//g;
		$anchor =~ tr/ /-/;
		$anchors{ $count{$anchor} ? "$anchor-$count{$anchor}" : $anchor } = 1;
		$count{$anchor}++;
	}
	return \%anchors;
}

# Where its links and pictures lead to, but for those to other machines.
sub links
{
	my ($text) = @_;
	my $prose = prose($text) =~ s/`[^`\n]*`//gr;

	return grep { !m{^[a-z]+://} } $prose =~ /\]\(([^)\s]+)\)/g;
}

# The tables under a heading, up to the next one: a list of rows, each a list of
# cells, without heads, rules and backquotes.
sub tables
{
	my ($text, $heading) = @_;
	my ($section) = $text =~ /^#+ \Q$heading\E\n(.*?)(?=^#|\z)/ms;
	my @rows;

	foreach my $line (($section // '') =~ /^\|(.*)\|$/mg)
	{
		push @rows, [ map { s/^\s+|\s+$|`//gr } split /(?<!\\)\|/, $line, -1 ];
	}
	return grep { $_->[0] !~ /^:?-+:?$/ } @rows[ 1 .. $#rows ];
}

1;
