# Through PgBouncer in transaction mode, from 1.21 on, every program of doc/clients works,
# and statements that are prepared and kept do, but for those of PDO and lib/pq. What
# does not fails as doc/clients.md says, also through Debian 12's 1.18, and what it says
# to do helps.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use Clients;
use CommerceTest;
use Documents;
use Processes;

$ENV{PATH} .= ':/usr/sbin';
my $node = new_clients_server('pgbouncer');
my ($folder, $no_npm) = clients_folder();
my @pooled = qw(pooled.py pooled.mjs Pooled.java pooled.php pooled.go pooled.rb pooled.pl);

# ---- PgBouncer ----

# Before the colon what an outcome is of; then with 1.18, "-" where that is a matter of
# what was done before; then from 1.21 on, with libpq before 17.
my (%old, %new);
foreach (split /\n/, <<'OUTCOMES')
psycopg, more than prepared_max: -: works works 26000 26000
psycopg, a great prepared_max: -: works works works works
psycopg, prepared: works 26000: works works
psycopg, prepare_threshold=None: works works: works works
node-postgres, a name: works 26000: works works
node-postgres, no name: works works: works works
postgres.js, prepared: works works: works works
postgres.js, prepared, in a transaction: works 26000: works works
postgres.js, prepare false: works works: works works
JDBC, prepareThreshold=1: works works: works works
JDBC, prepareThreshold=1 in a transaction: 42P05 works: works works
JDBC, prepareThreshold=0 in a transaction: works works: works works
PDO, prepared: works 26000: works works
PDO, DISABLE_PREPARES: works works: works works
PDO, prepared, in a transaction: works works: works 25P02
PDO, DISABLE_PREPARES, in a transaction: works works: works works
lib/pq, Prepare: works 26000: works works
lib/pq, arguments: another's answer: another's answer
lib/pq, binary_parameters=yes: works: works
lib/pq, items as []byte with binary_parameters=yes: XX000: XX000
lib/pq, items as string with binary_parameters=yes: works: works
pg.rb, prepare: works 26000: works works
pg.rb, exec_params: works works: works works
dbi, prepared, in a transaction: works works: works 25P02
dbi, pg_server_prepare => 0, in a transaction: works works: works works
dbi, prepared: works 26000: works works
dbi, pg_server_prepare => 0: works works: works works
OUTCOMES
{
	my ($name, $with_old, $with_new) = split /: /;
	($old{$name}, $new{$name}) = ($with_old, $with_new);
}

# A PgBouncer of that command line: {host} and {port}. What doc/clients.md shows of
# pgbouncer.ini is in its configuration.
my ($shown) = map { $_->[1] } grep { $_->[1] =~ /^max_prepared_statements/m } blocks(document('doc/clients.md'));
sub start_pgbouncer
{
	my ($knows_statements, @command) = @_;
	my $host = PostgreSQL::Test::Utils::tempdir_short();
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $users = write_file(qq("clerk" ""\n));
	my $ini = "[databases]\nshop = host=@{[ $node->host ]} port=@{[ $node->port ]}\n$shown" . <<"INI";
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir = $host
auth_type = trust
auth_file = $users
default_pool_size = 4
logfile = $host/log
pidfile = $host/pid
INI
	$ini =~ s/^max_prepared_statements.*\n//m unless $knows_statements;
	my $pid = start_program("$host/out", "$host/err", @command, write_file($ini));

	wait_until(sub { -S "$host/.s.PGSQL.$port" || waitpid($pid, 1) != 0 });
	ok(-S "$host/.s.PGSQL.$port", 'PgBouncer runs') or diag(slurp_file("$host/err"));
	return { pid => $pid, host => $host, port => $port };
}

sub stop_pgbouncer
{
	my ($pgbouncer) = @_;

	kill 'INT', $pgbouncer->{pid};
	wait_exit($pgbouncer->{pid});
	return;
}

sub version_of
{
	my ($version) = qx(@_ --version 2>&1) =~ /PgBouncer 1\.(\d+)/;
	return $version // 0;
}

# Which drivers' prepared statements work.
sub outcomes_are
{
	my ($pgbouncer, $version, %expected) = @_;

	new_shop_of_clients($node);
	foreach my $program (grep { !$no_npm || !/mjs$/ } @pooled)
	{
		foreach (split /\n/, run_client($folder, @$pgbouncer{qw(host port)}, $program))
		{
			my ($name, $outcome) = /^(.*): (.*)$/;

			$name =~ s/://;
			my $expected = delete $expected{$name} // 'nothing';
			is($outcome, $expected, "1.$version: $name") unless $expected eq '-';
		}
	}
	delete @expected{ grep { /^(node-postgres|postgres\.js)/ } keys %expected } if $no_npm;
	is(join(', ', sort keys %expected), '', "1.$version: every outcome is there");
	return;
}

# ---- from 1.21 on ----

# Debian 13's, with its C library, where the machine's own is older.
my @command = ('pgbouncer');
my $no_trixie;
if (version_of(@command) < 21)
{
	(my $trixie, $no_trixie) = unpack_trixie(qw(pgbouncer libc6));
	my ($loader) = $trixie ? glob("$trixie/usr/lib/*/ld-linux-*.so.*") : ();
	my ($libraries) = ($loader // '') =~ m{^(.*)/};
	@command = ($loader, '--library-path', "$libraries:" . ($libraries =~ s/^\Q$trixie\E//r),
		"$trixie/usr/sbin/pgbouncer") if $trixie;
}
SKIP:
{
	skip $no_trixie, 1 if $no_trixie;
	my $version = version_of(@command);
	cmp_ok($version, '>=', 21, "PgBouncer 1.$version");
	my $pgbouncer = start_pgbouncer(1, @command);

	foreach my $program (map { s{.*/}{}r } glob(root() . '/doc/clients/*'))
	{
		next if $no_npm && $program =~ /mjs$/;
		new_shop_of_clients($node);
		like(run_client($folder, @$pgbouncer{qw(host port)}, $program),
			qr/^order 1 is paid: 24000\nSC301: .*\norder\.paid 24000\n1 acknowledged\n$/,
			"1.$version: $program does what it does without");
	}
	outcomes_are($pgbouncer, $version, %new);
	stop_pgbouncer($pgbouncer);
}

# ---- 1.18 ----

SKIP:
{
	my $version = version_of('pgbouncer');
	skip "this machine's PgBouncer is 1.$version", 1 if $version >= 21;
	my $pgbouncer = start_pgbouncer(0, 'pgbouncer');

	outcomes_are($pgbouncer, $version, %old);
	stop_pgbouncer($pgbouncer);
}

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
