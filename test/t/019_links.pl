# README is short, and whatever a document points to is there.
use strict;
use warnings;
use utf8;
use FindBin;
use lib $FindBin::RealBin;
use File::Basename;
use File::Spec::Functions qw(abs2rel rel2abs);
use Test::More;
use Documents;

my $most_bytes = 20 * 1024;
cmp_ok(-s root() . '/README.md', '<=', $most_bytes, "README.md has at most $most_bytes bytes");

# Is what this link of a document leads to there?
sub leads_somewhere
{
	my ($name, $link) = @_;
	my ($file, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
	my $path = $file eq '' ? root() . "/$name" : rel2abs($file, dirname(root() . "/$name"));

	return 0 unless -e $path;
	return 1 unless defined $anchor;
	return -f $path && anchors(document(abs2rel($path, root())))->{$anchor};
}

foreach my $name (documents())
{
	my $text = document($name);
	my @links = links($text);
	my @lost = grep { !leads_somewhere($name, $_) } @links;

	is("@lost", '', "$name: all links lead somewhere");
	unlike($text, qr/[\x{2018}\x{2019}\x{201C}\x{201D}]/, "$name: quotes are plain");
}

# ---- doc/flow-chart.md: every box is in the table of its language ----

my $charts = document('doc/flow-chart.md');
my ($english, $korean) = $charts =~ /^(## English\n.*)^(## 한국어\n.*)\z/ms;
my $boxes = 0;

foreach my $part ($english, $korean)
{
	my $table = join "\n", prose($part) =~ /^\|.*\|$/mg;

	utf8::encode($table);
	foreach my $chart (map { $_->[1] } grep { $_->[0] eq 'mermaid' } blocks($part))
	{
		foreach my $label ($chart =~ /^ +\w+[\[{](.*)[\]}]$/mg)
		{
			my ($box) = split /<br>/, $label;

			utf8::encode($box);
			like($table, qr/\Q$box\E/, "where this box is: $box");
			$boxes++;
		}
	}
}
cmp_ok($boxes, '>', 50, 'the charts have boxes');

done_testing();
