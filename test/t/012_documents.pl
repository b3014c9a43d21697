# What the documents show is what happens. The blocks of a document are run in their
# order, as one session on a server of its own, and print what the document says:
#
#	psql	"shop=# statement", perhaps "shop-# more of it", then what psql prints
#	sh		commands, all of which succeed; a block "output" behind it is what they print
#	python	a program, likewise; one that begins with a comment of a name, "# receiver.py",
#			is written into a file of that name
#	js		a program to be written into a file likewise, "// receiver.mjs"
#	ini		goes into postgresql.conf; the server restarts
#
# Times and process ids differ from run to run, and so may the width of a column that
# holds one; nothing else may. The other languages are for what cannot be run here.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;
use DocumentSession;
use Documents;

my %is_run = map { ($_ => 1) } qw(psql sh python js ini output);
my %is_read = map { ($_ => 1) } qw(text console mermaid sql);

# The document installs commerce by itself.
my %installs = map { ($_ => 1) } qw(README.md README.ko.md);

sub normalize
{
	my ($text) = @_;

	$text =~ s/^psql:\S+:\d+: //mg;
	$text =~ s/\bPID \d+/PID/g;
	$text =~ s/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?\+00(:00)?/TIME/g;
	$text =~ s/-+/-/g;
	$text =~ s/[ \t]+/ /g;
	$text =~ s/ $//mg;
	$text =~ s/\A\s+|\s+\z//g;
	return $text;
}

# A block of statements: [statement, what psql prints] each.
sub statements
{
	my ($text) = @_;
	my @statements;

	foreach my $line (split /\n/, $text)
	{
		if ($line =~ /^shop=[*!]?[#>] (.*)/)
		{
			push @statements, [ $1, '' ];
		}
		elsif ($line =~ /^shop[-('\$][*!]?[#>] (.*)/)
		{
			$statements[-1][0] .= "\n$1";
		}
		else
		{
			$statements[-1][1] .= "$line\n";
		}
	}
	return @statements;
}

sub run_psql
{
	my ($session, $name, $text) = @_;

	foreach my $statement (statements($text))
	{
		my ($first) = split /\n/, $statement->[0];
		is(normalize($session->psql($statement->[0])), normalize($statement->[1]), "$name: $first");
	}
	return;
}

sub run_block
{
	my ($session, $name, $language, $text, $expected) = @_;
	my ($first) = split /\n/, $text;

	if ($language eq 'psql')
	{
		run_psql($session, $name, $text);
	}
	elsif ($language eq 'ini')
	{
		$session->configure($text);
	}
	elsif ($text =~ m{\A(?:#|//) (\w+\.(?:py|mjs))\n})
	{
		$session->save($1, $text);
		pass("$name: $1");
	}
	else
	{
		my $printed = $session->$language($text, $expected // '');

		is(normalize($printed), normalize($expected), "$name: $first") if defined $expected;
		pass("$name: $first") unless defined $expected;
	}
	return;
}

# All of them, or those that are named: prove ... test/t/012_documents.pl :: README.md
my @names = @ARGV ? @ARGV : grep { m{^README(\.ko)?\.md$|^doc/} } documents();
foreach my $name (@names)
{
	my @blocks = blocks(document($name));
	my @unknown = grep { !$is_run{$_} && !$is_read{$_} } map { $_->[0] } @blocks;

	is("@unknown", '', "$name: every block says what it is");
	next unless grep { $is_run{ $_->[0] } } @blocks;

	my $node = new_server($name =~ s/\W/_/gr, empty => 1);
	$node->safe_psql('postgres', 'CREATE DATABASE shop') unless $installs{$name};
	$node->safe_psql('shop', 'CREATE EXTENSION commerce') unless $installs{$name};
	my $session = DocumentSession->new($node);

	foreach my $i (0 .. $#blocks)
	{
		my ($language, $text) = @{ $blocks[$i] };
		my $expected = $i < $#blocks && $blocks[ $i + 1 ][0] eq 'output' ? $blocks[ $i + 1 ][1] : undef;

		utf8::encode($text);
		utf8::encode($expected) if defined $expected;
		next if !$is_run{$language} || $language eq 'output';
		run_block($session, $name, $language, $text, $expected);
	}
	$session->finish;
	log_is_clean($node, "$name: the server is well");
}

done_testing();
