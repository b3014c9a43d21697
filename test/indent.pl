#!/usr/bin/perl
# Lays out the C files as PostgreSQL does its own: indent.pl [--check]
#
# With --check it only prints what it would change, and fails if that is
# anything. pg_bsd_indent does the work, PostgreSQL's own program (Debian 12:
# pg-bsd-indent). Which names are types it cannot know: a typedefs.list says so,
# the one in a file's folder or in the nearest above (make typedefs).
#
# What it shall leave as it is stands between the lines "/* INDENT OFF */" and
# "/* INDENT ON */".
use strict;
use warnings;

use File::Basename;
use File::Find;
use File::Temp;

# Those of PostgreSQL 15.
my @options = qw(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1
  -i4 -l79 -lp -lpl -nip -npro -sac -tpg -ts4);

# Comments and literals, in which nothing is code.
my $not_code = qr{/\*.*?\*/ | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'}xs;

my $scratch = File::Temp->newdir;
my $check = @ARGV > 0 && $ARGV[0] eq '--check';
shift @ARGV if $check;
die "usage: indent.pl [--check]\n" if @ARGV;

chdir dirname($0) . '/..' or die "cannot enter the source tree: $!\n";
system('command -v pg_bsd_indent >/dev/null') == 0
  or die "make indent needs pg_bsd_indent (Debian 12: pg-bsd-indent)\n";

my $differing = 0;
foreach my $file (c_files())
{
	my $old = content($file);
	my $new = laid_out($file);

	next if $new eq $old;
	$differing++;
	if ($check)
	{
		set_content("$scratch/new", $new);
		system('diff', '-u', '--label', $file, '--label', "$file, laid out",
			$file, "$scratch/new");
	}
	else
	{
		set_content($file, $new);
		print "$file\n";
	}
}
exit($check && $differing > 0 ? 1 : 0);

sub c_files
{
	my @files;

	find({ no_chdir => 1, wanted => sub { push @files, $_ if /\.[ch]$/ } },
		qw(src test));
	return sort @files;
}

# The nearest list, upwards from the file's folder; src's for all others.
sub typedefs_list
{
	my $folder = dirname(shift);

	while ($folder ne '.')
	{
		return "$folder/typedefs.list" if -e "$folder/typedefs.list";
		$folder = dirname($folder);
	}
	return 'src/typedefs.list';
}

sub laid_out
{
	my $file = shift;
	my @command = ('pg_bsd_indent', $file, "$scratch/out", @options,
		'-U' . typedefs_list($file));

	# It reports trouble on standard error, and does not always fail then.
	open(my $saved, '>&', \*STDERR) or die;
	open(STDERR, '>', "$scratch/errors") or die;
	my $status = system(@command);
	open(STDERR, '>&', $saved) or die;
	my $errors = content("$scratch/errors");
	die "$file: pg_bsd_indent failed: $errors\n" if $status != 0 || $errors ne '';

	return mended(content("$scratch/out"));
}

# What pg_bsd_indent leaves to whoever calls it.
sub mended
{
	my $text = shift;

	# A function's type gets one space before its asterisk.
	$text =~ s/^([A-Za-z_][\w ]*?)[ \t]+(\*+)$/$1 $2/mg;

	# A comma and the name of a member, or dots, are two words.
	$text =~ s/($not_code)|,\.(?=[A-Za-z_.])/defined $1 ? $1 : ', .'/gex;

	return with_continued_initialisers($text);
}

# The lines after a declaration's first are to be indented; releases before 2.1.2
# put them below its first word. Those within a bracket that the first line opened
# stand below that bracket, and stay.
sub with_continued_initialisers
{
	my @lines = split /\n/, shift;
	my $margin;			# of the declaration that we are in
	my @moved;			# for each bracket open in it: whether its line moved

	foreach my $line (@lines)
	{
		my $moves = 0;

		if (defined $margin)
		{
			$moves = @moved ? $moved[-1] : $line =~ /^\Q$margin\E[^\s#]/;
		}
		elsif ($line =~ /^(\t+)[A-Za-z_][\w ]*?[\s*]+\w+(?:\[\w*\])? =(?: [^;{]*)?$/)
		{
			($margin, @moved) = ($1);
		}
		else
		{
			next;
		}

		my $code = $line =~ s/$not_code//gr;
		foreach my $bracket ($code =~ /[()\[\]{}]/g)
		{
			if ($bracket =~ /[(\[{]/) { push @moved, $moves }
			else { pop @moved }
		}
		$line = "\t$line" if $moves && $line ne '';
		undef $margin if $code =~ /;/;
	}
	return join("\n", @lines) . "\n";
}

sub content
{
	my $file = shift;

	open(my $handle, '<', $file) or die "cannot read $file: $!\n";
	local $/;
	return scalar(<$handle>) // '';
}

sub set_content
{
	my ($file, $text) = @_;

	open(my $handle, '>', $file) or die "cannot write $file: $!\n";
	print $handle $text;
	close($handle) or die "cannot write $file: $!\n";
	return;
}
