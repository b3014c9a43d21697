# The next version of the extension, which test/next makes up: its sources, built, and
# two server trees to choose from, one with this version's library and one with the next.
#
# A server of new_switchable() runs from a link that leads to one of the trees. The next
# one's has the scripts of both versions, so that CREATE EXTENSION can make any. One of
# new_replaceable() has a tree of its own, into which the next version is installed while
# it runs.
package NextVersion;

use strict;
use warnings;
use Exporter 'import';
use File::Basename;
use File::Copy;
use File::Path 'make_path';
use FindBin;
use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_switchable switch_to new_replaceable replace_library created_version passes_regression_tests a_day);

# Once for all tests, as building takes long.
my $top = ($ENV{SCRATCH} // PostgreSQL::Test::Utils::tempdir()) . '/next';
my $sources = "$top/commerce";
my $tree = "$top/root";
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my %folder = map { ($_ => `$pg_config --$_` =~ s/\n//r) } qw(bindir pkglibdir sharedir);
my %installed = (this => dirname($folder{bindir}), next => dirname("$tree$folder{bindir}"));
my $scripts = "$tree$folder{sharedir}/extension";
my $is_built = 0;

sub run_or_die
{
	my ($command) = @_;
	my $output = `exec 2>&1; $command`;
	die "$command failed:\n$output" if $?;
	return;
}

# As test/server.sh makes one: programs copied, the rest linked.
sub make_tree
{
	my ($made) = @_;
	my $extension = "$folder{sharedir}/extension";

	make_path("$made$folder{$_}") foreach qw(bindir pkglibdir sharedir);
	make_path("$made$extension");
	run_or_die("cp -P $folder{bindir}/* $made$folder{bindir}");
	foreach my $file (glob "$folder{pkglibdir}/* $folder{sharedir}/* $extension/*")
	{
		next if $file eq $extension || basename($file) =~ /^(commerce|bitcode)/;
		symlink $file, "$made$file" or die "could not link $file: $!";
	}
	return;
}

sub build
{
	my $this = "$FindBin::RealBin/../..";
	local %ENV = %ENV;

	return if $is_built++ || -e "$top/built";
	delete @ENV{ grep { /^(MAKE|MFLAGS)/ } keys %ENV };
	make_path($sources);
	make_tree($tree);
	run_or_die("cd '$this' && tar -cf - --exclude=./.git --exclude=./results . | tar -xf - -C $sources");
	run_or_die("cd $sources && make -s sql/commerce--1.0.sql && perl test/next/apply.pl"
		. " && make -s -j\$(nproc) RELAY=no && make -s install RELAY=no DESTDIR=$tree");
	copy("$sources/sql/commerce--1.0.sql", $scripts) or die $!;
	append_to_file("$top/built", '');
	return;
}

my %link;

# A server that can change its library.
sub new_switchable
{
	my ($name, $version, @conf) = @_;

	build();
	created_version('fresh');
	my $link = PostgreSQL::Test::Utils::tempdir() . '/installed';
	symlink $installed{$version}, $link or die $!;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => $link);
	$link{$name} = $link;
	$node->init;
	$node->append_conf('postgresql.conf', "$_\n") foreach 'log_statement = none', @conf;
	$node->start;
	return $node;
}

# Restart it with the library of this version or of the next.
sub switch_to
{
	my ($node, $version) = @_;
	my $link = $link{ $node->name };

	$node->stop;
	unlink $link or die $!;
	symlink $installed{$version}, $link or die $!;
	$node->start;
	return;
}

my %own_tree;

# Install this version or the next over what is there, as make install does.
sub replace_library
{
	my ($node, $version) = @_;
	my $own = $own_tree{ $node->name };
	my $from = $version eq 'next' ? $tree : '';

	run_or_die("install -m 755 $from$folder{pkglibdir}/commerce.so $own$folder{pkglibdir}");
	run_or_die("install -m 644 $from$folder{sharedir}/extension/commerce* $own$folder{sharedir}/extension");
	return;
}

# A server with a library of this version that can be replaced while it runs.
sub new_replaceable
{
	my ($name, @conf) = @_;
	my $own = PostgreSQL::Test::Utils::tempdir();

	build();
	created_version('fresh');
	make_tree($own);
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => dirname("$own$folder{bindir}"));
	$own_tree{$name} = $own;
	replace_library($node, 'this');
	$node->init;
	$node->append_conf('postgresql.conf', "$_\n") foreach 'log_statement = none', @conf;
	$node->start;
	return $node;
}

# What a plain CREATE EXTENSION makes with the next library from now on: 1.0; fresh,
# which is 1.1; or updated, which is 1.0 updated to 1.1.
sub created_version
{
	my ($what) = @_;
	my $version = $what eq '1.0' ? '1.0' : '1.1';
	my $control = slurp_file("$scripts/commerce.control");

	$control =~ s/^default_version = '.*'/default_version = '$version'/m or die;
	unlink "$scripts/commerce.control", "$scripts/commerce--1.1.sql";
	append_to_file("$scripts/commerce.control", $control);
	if ($what ne 'updated')
	{
		copy("$sources/sql/commerce--1.1.sql", $scripts) or die $!;
	}
	return;
}

# What a shop's first day gives in a database.
sub a_day
{
	my ($node, $dbname) = @_;
	return $node->safe_psql($dbname,
		slurp_file("$FindBin::RealBin/../day.psql") . 'SELECT * FROM pg_temp.day()');
}

# Regression tests of this version, against what is created now.
sub passes_regression_tests
{
	my ($node, $name, @tests) = @_;
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);

	delete @ENV{ 'PGUSER', grep { /^(MAKE|MFLAGS)/ } keys %ENV };
	my $output = `cd $sources && make -s installcheck REGRESS='@tests' ISOLATION= 2>&1`;
	ok($? == 0, $name)
		or diag($output, -e "$sources/regression.diffs" ? slurp_file("$sources/regression.diffs") : '');
	return;
}

1;
