# The Containerfile of the relay is sound, as far as can be told without an engine:
# what it copies is there, and what it makes runs without root and holds no secret.
# test/container.sh does what it says.
use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $sources = "$FindBin::RealBin/../..";

# The instructions, one each: [stage, NAME, what follows].
sub instructions
{
	my ($text) = @_;
	my ($stage, @instructions) = (-1);

	$text =~ s/^#.*\n//mg;
	$text =~ s/\\\n\s*/ /g;
	foreach my $line (grep { /\S/ } split /\n/, $text)
	{
		my ($name, $rest) = $line =~ /^([A-Z]+) (.+)$/ or return [ $stage, 'none', $line ];
		$stage++ if $name eq 'FROM';
		push @instructions, [ $stage, $name, $rest ];
	}
	return @instructions;
}

sub faults
{
	my ($text) = @_;
	my (@faults, %stages, %last, @of_last);

	foreach my $instruction (instructions($text))
	{
		my ($stage, $name, $rest) = @$instruction;

		push @faults, "unknown: $rest"
			unless $name =~ /^(?:FROM|RUN|WORKDIR|COPY|USER|ENTRYPOINT|CMD)$/;
		push @faults, "begins with $name" if $stage < 0;
		@of_last = () if $name eq 'FROM';
		push @of_last, $name;
		$last{$name} = $rest;
		if ($name eq 'FROM')
		{
			push @faults, "no fixed release: $rest" unless $rest =~ /^debian:[a-z]+-slim(?: AS (\w+))?$/;
			$stages{$1} = 1 if defined $1;
		}
		elsif ($name eq 'RUN')
		{
			push @faults, "asks back: $rest" if $rest =~ /apt-get install (?!-y --no-install-recommends )/;
		}
		elsif ($name eq 'COPY')
		{
			my ($from, @files) = $rest =~ /^(?:--from=(\w+) )?(.*)$/;
			@files = split / /, $files[0];
			pop @files;
			push @faults, "no stage: $from" if defined $from && !$stages{$from};
			push @faults, map { "not there: $_" } grep { !-e "$sources/$_" } @files unless defined $from;
			push @faults, "copies too much: $rest" if !defined $from && grep { /^\.?\/?$/ } @files;
		}
	}
	push @faults, 'runs as root'
		unless grep { $_ eq 'USER' } @of_last and $last{USER} =~ /^[1-9]\d*:[1-9]\d*$/;
	push @faults, 'starts a shell' unless ($last{ENTRYPOINT} // '') =~ /^\["[^"]+"\]$/;
	push @faults, 'a secret' if $text =~ /^(?:ENV|ARG|[^#]*whsec_|[^#]*password)/mi;
	return @faults;
}

my $text = slurp_file("$sources/src/relay/Containerfile");
is_deeply([ faults($text) ], [], 'the Containerfile has no fault');

my %wrong = (
	'a release' => sub { s/bookworm-slim$/latest/m },
	'a file' => sub { s/commerce\.control/commerce.contol/ },
	'a stage' => sub { s/--from=build/--from=builder/ },
	'a user' => sub { s/^USER.*\n//m },
	'root' => sub { s/^USER.*/USER 0:0/m },
	'an entry point' => sub { s/^ENTRYPOINT.*/ENTRYPOINT commerce_relay/m },
	'an instruction' => sub { s/^WORKDIR/WORKDIRS/m },
	'an installation' => sub { s/install -y/install/ },
	'all sources' => sub { s/^COPY src\/relay src\/relay/COPY . ./m });
foreach my $name (sort keys %wrong)
{
	my $broken = $text;

	$wrong{$name}->() for $broken;
	is(scalar faults($broken), 1, "what is wrong is found: $name");
}
done_testing();
