# The manual and the sample configuration file say what --help says, and --help is
# what the program does: nothing that is changed in one place is left in another.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use Processes;

my $sources = "$FindBin::RealBin/../..";
my ($help) = run_command([ 'commerce_relay', '--help' ]);

# The words and numbers of a text, whatever stands between them.
sub words
{
	my ($text) = @_;
	return join ' ', lc($text) =~ /\w+/g;
}

# ---- --help ----

# A blank line and a paragraph that begins like this divide it.
my @beginnings = (DESCRIPTION => qr/commerce_relay transmits/, SYNOPSIS => qr/Usage:\n/,
	OPTIONS => qr/Options:\n/, 'THE REQUEST' => qr/The request:\n/,
	'THE SECRET FILE' => qr/(?=The secret file holds)/,
	'THE CONFIGURATION FILE' => qr/(?=The configuration file has)/, SIGNALS => qr/Signals:\n/,
	'EXIT STATUS' => qr/Exit codes:\n/, 'THE LOG' => qr/(?=The log goes)/,
	NOTES => qr/(?=The connection may)/);
my %help;
foreach my $paragraph (split /\n\n/, $help)
{
	my $section;
	for (my $i = 0; $i < @beginnings; $i += 2)
	{
		$section = $beginnings[$i] if $paragraph =~ s/^$beginnings[ $i + 1 ]//;
	}
	$section or die "a paragraph of --help that this test does not know: $paragraph";
	$help{$section} .= $paragraph;
}
$help{DESCRIPTION} = "commerce_relay transmits$help{DESCRIPTION}";
is(keys %help, @beginnings / 2, '--help has its sections');

# ---- the manual ----

my $manual = slurp_file("$sources/doc/commerce_relay.1");
my ($head, %manual) = split /^\.SH (.*)\n/m, $manual;
my ($version) = run_command([ 'commerce_relay', '--version' ]);
like($head, qr/^\.TH COMMERCE_RELAY 1 \S+ "commerce @{[ $version =~ m{([\d.]+)$} ]}"/m,
	'the manual is of this version');

# Its markup away: macros of lines and fonts, escapes.
sub plain
{
	my ($text) = @_;
	$text =~ s/^\.(?:B|BR|I) //mg;
	$text =~ s/^\..*\n//mg;
	$text =~ s/\\f[BIR]//g;
	$text =~ s/\\//g;
	return $text;
}

# Behind the options' explanation, help has their defaults in a column.
my $said = $help{OPTIONS} =~ s/ {2,}(\S+) +(\(.* to .*\))$/ Default: $1 $2/mgr
	=~ s/  (http|default)$/ Default: $1/mgr;
is(words(plain($manual{OPTIONS})), words($said), 'OPTIONS says what --help says');
is(words(plain($manual{$_})), words($help{$_}), "$_ says what --help says")
	foreach grep { $_ ne 'OPTIONS' } sort keys %help;
is(join(' ', sort grep { !exists $help{$_} } keys %manual), 'NAME SEE ALSO',
	'the manual has no other section');

# Whatever sets it finds nothing to complain of.
foreach my $command ([qw(groff -man -ww -z)], [qw(mandoc -T lint)])
{
	SKIP:
	{
		skip "no $command->[0]", 1 if !grep { -x "$_/$command->[0]" } split /:/, $ENV{PATH};
		my ($stdout, $stderr) = run_command([ @$command, "$sources/doc/commerce_relay.1" ]);
		is("$stdout$stderr", '', "$command->[0] finds nothing wrong");
	}
}

# ---- the options' values ----

# NAME, its default and its bounds, where it has some.
my %defaults;
while ($manual{OPTIONS} =~ /^\\fB\\-\\-(.*?)\\fR.*\n((?:[^.\\].*\n|\.BR .*\n)+)/mg)
{
	my ($name, $text) = ($1, $2);
	$name =~ s/\\//g;
	$defaults{$name} = [$1, $2, $3] if $text =~ /^Default: (\w+) \((\w+) to (\w+)\)/m;
}
is(join(' ', sort keys %defaults),
	'batch-size concurrency lease poll-interval status-interval timeout',
	'the manual has defaults and bounds');

# A value is taken if only the database is missed then.
sub is_taken
{
	my ($name, $value) = @_;
	my ($stdout, $stderr) = run_command([ 'commerce_relay', '--once', '--to', 'stdout',
		'--conninfo', 'host=/nowhere', ($name eq 'timeout' ? ('--lease', '24h') : ()),
		($name eq 'lease' ? ('--timeout', '100ms') : ()), "--$name", $value ]);
	return $stderr =~ /event=not_connected/;
}
foreach my $name (sort keys %defaults)
{
	my (undef, $least, $most) = @{ $defaults{$name} };
	ok(is_taken($name, $least), "--$name $least is taken");
	ok(is_taken($name, $most), "--$name $most is taken");
	ok(!is_taken($name, $most =~ s/(\d+)/$1 + 1/er), "more than --$name $most is not");
	ok(!is_taken($name, $least =~ s/(\d+)/$1 - 1/er), "less than --$name $least is not");
}
my (undef, $log) = run_command([ 'commerce_relay', '--once', '--to', 'stdout',
	'--conninfo', 'host=/nowhere' ]);
foreach my $name (qw(batch_size concurrency lease_ms timeout_ms poll_interval_ms))
{
	my ($default) = @{ $defaults{ $name =~ s/_ms$//r =~ tr/_/-/r } };
	my $value = $default =~ s/^(\d+)s$/${1}000/r;
	like($log, qr/event=start .* $name=$value /, "--$name is $default");
}

# ---- other places ----

# Commented out there are the defaults.
my %sample = slurp_file("$sources/src/relay/commerce_relay.conf") =~ /^#([a-z-]+) = (\S+)$/mg;
delete @sample{qw(secret-file subscription)};
is_deeply(\%sample, { map { $_ => $defaults{$_}[0] } keys %defaults },
	'the sample configuration file has the defaults');

foreach my $file (grep { -e } map { "$sources/$_" } 'README.md', 'doc/transmission.md')
{
	my %named = map { $_ => 1 } slurp_file($file) =~ /`--([a-z][a-z-]*)/g;
	is(join(' ', grep { $help !~ /^  --$_\b/m } sort keys %named), '',
		"--help has the options that $file names" =~ s/\Q$sources\E.//r);
}

done_testing();
