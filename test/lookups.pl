#!/usr/bin/perl
# Where the install script's parts would find a name that somebody else may have put
# there, or could be made to: prints each place, as pgspot would. lookups.pl FILE...
#
# It reads no SQL, but how ours is written: keywords are upper case.
use strict;
use warnings;

my $path = 'SET search_path = pg_catalog, pg_temp';

sub line_of { my ($text, $at) = @_; return 1 + (() = substr($text, 0, $at) =~ /\n/g); }

# Comments and strings as blanks, of the same length; a body between dollars stays.
sub blank { return $_[0] =~ s/[^\n]/ /gr; }
sub code_of { return $_[0] =~ s/(--[^\n]*|'(?:[^']|'')*')/blank($1)/ger; }

sub look_at
{
	my ($text) = @_;
	my $code = code_of($text);
	my @found;
	my $found = sub { push @found, [ $_[0], $_[1] ]; };

	while ($code =~ /\bsearch_path\b/g)
	{
		my $at = $-[0];
		substr($code, $at - 4) =~ /^\Q$path\E\b(?!,)/ or $found->($at, "not $path");
	}
	# A member is in our schema, wherever its maker's search_path leads.
	while ($code =~ /^(?:CREATE|ALTER|DROP|COMMENT ON) (?:UNIQUE )?(TABLE|VIEW|SEQUENCE|TYPE|FUNCTION|INDEX|COLUMN)\s+(\S+)(?:\s+ON (\S+))?/mg)
	{
		my ($kind, $name) = ($1, $1 eq 'INDEX' ? $3 // '' : $2);
		$name =~ /^commerce\./ or $found->($-[0], "$kind $name is not said to be in schema commerce");
	}
	while ($code =~ /^CREATE FUNCTION \S+?\(.*?^(?:AS |LANGUAGE |\))(.*?);$/msg)
	{
		my ($at, $function) = ($-[0], $&);
		my ($head) = $function =~ /^(.*?)(?:^AS \$|\z)/ms;
		$head =~ /LANGUAGE C\b/ && $head !~ /SECURITY DEFINER/ or $head =~ /\Q$path\E/ or $found->($at, "function without $path");
	}
	# What is read or written: ours, pg_catalog's, or named in the same statement.
	while ($code =~ /\b(?:FROM|JOIN|INSERT INTO|UPDATE|TRUNCATE|TABLE|LATERAL)\s+(?:ONLY\s+)?([a-z_][a-z0-9_.]*)(\(?)/g)
	{
		my ($at, $name, $is_call) = ($-[0], $1, $2);
		my $before = substr $code, 0, $at;
		next if $name =~ /^(?:commerce\.|pg_)/ || $before =~ /(?:DISTINCT|epoch)\s+\z/;
		next if $is_call; # of what is not in pg_catalog would fail
		$code =~ /(?:WITH|RECURSIVE|,)\s+$name AS (?:MATERIALIZED )?\(/ or $found->($at, "$name is not qualified");
	}
	# A statement that is made up is made by format().
	while ($code =~ /\bEXECUTE\s+(format\(|[a-z_]+)?/g)
	{
		my ($at, $what) = ($-[0], $1 // 'an expression');
		next if $what eq 'format(' || $code =~ /FOR \Q$what\E IN\s+SELECT (?:DISTINCT )?format\(/;
		$found->($at, "EXECUTE of $what");
	}
	return map { line_of($text, $_->[0]) . ": $_->[1]" } @found;
}

foreach my $file (@ARGV)
{
	open my $handle, '<', $file or die "could not open $file: $!\n";
	my $text = do { local $/; <$handle> };
	print "$file:$_\n" foreach look_at($text);
}
