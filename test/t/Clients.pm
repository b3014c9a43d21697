# The programs of doc/clients, one for each driver, and a shop for them.
package Clients;

use strict;
use warnings;
use Exporter 'import';
use File::Copy 'copy';
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Documents;
use NodeModules;
use Processes;

our @EXPORT = qw(new_clients_server new_shop_of_clients clients_folder unpack_trixie command_of
  start_client run_client);

# A server, with these lines in postgresql.conf too. Where the programs are not asked
# for, this ends the test.
sub new_clients_server
{
	my ($name, @conf) = @_;

	plan skip_all => 'TEST_CLIENTS=yes runs them, and installs the drivers'
	  unless ($ENV{TEST_CLIENTS} // '') eq 'yes';
	# JDBC knows no sockets.
	my $node = new_server($name, empty => 1, conf => [ "listen_addresses = '127.0.0.1'", @conf ]);
	$node->safe_psql('postgres', 'CREATE ROLE clerk LOGIN');
	$node->safe_psql('postgres', 'CREATE DATABASE empty_shop');
	$node->safe_psql('empty_shop', q(
		CREATE EXTENSION commerce;
		SELECT commerce.grant_access('clerk', level) FROM unnest('{app, relay}'::text[]) level;
		SELECT commerce.create_user('Kim'), commerce.charge_balance(1, 100000);
		SELECT commerce.create_product('T-shirt'), commerce.create_product_option(1, 'size M', 12000, stock => 50)));
	return $node;
}

# Database shop as it was at first.
sub new_shop_of_clients
{
	my ($node) = @_;

	$node->safe_psql('postgres', $_)
	  foreach 'DROP DATABASE IF EXISTS shop WITH (FORCE)', 'CREATE DATABASE shop TEMPLATE empty_shop';
	return;
}

# A folder with the programs and what test/clients has, beside the packages of npm: or
# without them, and then why.
sub clients_folder
{
	my $folder = eval { new_node_folder() };
	my $why_not = $folder ? undef : "npm's packages cannot be had";

	$folder //= PostgreSQL::Test::Utils::tempdir();
	foreach my $file (map { glob(root() . "/$_/*") } qw(doc/clients test/clients))
	{
		copy($file, $folder) or die "could not copy $file: $!";
	}
	return ($folder, $why_not);
}

# A folder with these packages of Debian 13 unpacked; or nothing, and why.
sub unpack_trixie
{
	my (@packages) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $said = qx('@{[ root() ]}/test/trixie.sh' '$folder' @packages);

	return $? == 0 ? ($folder, undef) : (undef, 'Debian 13 is not to be had: ' . ($said =~ s/\s+/ /gr));
}

# How a program is run. JDBC takes a URL.
sub command_of
{
	my ($program, $host, $port) = @_;
	my %command = (
		py => ['/usr/bin/python3'],
		mjs => ['node'],
		java => [ 'java', '-Xshare:auto', '-XX:TieredStopAtLevel=1', '-cp', '/usr/share/java/postgresql.jar' ],
		php => ['php'],
		go => [ 'env', 'GO111MODULE=off', 'GOPATH=/usr/share/gocode', 'go', 'run' ],
		rb => ['ruby'],
		pl => ['perl']);
	my ($kind) = $program =~ /\.(\w+)$/;

	return (@{ $command{$kind} }, $program,
		$kind eq 'java' ? "jdbc:postgresql://127.0.0.1:$port/shop?user=clerk" : ());
}

# A program of the folder, as clerk: {pid}, {out} and {err}. env: more of its environment.
sub start_client
{
	my ($folder, $host, $port, $program, %env) = @_;
	my %client = (out => new_file(), err => new_file());
	my $command = join ' ', map { "'$_'" } command_of($program, $host, $port);

	local %ENV = (%ENV, PGHOST => $host, PGPORT => $port, PGUSER => 'clerk', %env);
	delete @ENV{qw(PGDATABASE PGAPPNAME)};
	$client{pid} = start_program($client{out}, $client{err}, 'sh', '-c', "cd '$folder' && exec $command");
	return \%client;
}

# What it prints.
sub run_client
{
	my $client = start_client(@_);
	my $code = wait_exit($client->{pid});

	is($code, 0, "$_[3]: it ends well") or diag(slurp_file($client->{err}));
	return slurp_file($client->{out});
}

1;
