# Who tells where no notifier can run, and on a standby that is promoted.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CommerceTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @preloaded = ("shared_preload_libraries = 'commerce'",
	"commerce.databases = 'postgres'");
my $setup = q(SELECT FROM commerce.create_user('kim', 1);
	SELECT FROM commerce.charge_balance(1, 1000000);
	SELECT FROM commerce.create_product('mug', 1);
	SELECT FROM commerce.create_product_option(1, 'red', 100, 1000, 1););

# Who told a session that listens and places an order: '' nobody, 'itself', or the
# backend_type of the process.
sub told
{
	my ($node) = @_;
	my ($own, $pid) = told_by($node, 'postgres',
		q(SELECT FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]')), '\d+');

	return '' unless $pid;
	return $pid == $own ? 'itself' : $node->safe_psql('postgres',
		"SELECT backend_type FROM pg_stat_activity WHERE pid = $pid");
}

sub notifiers
{
	my ($node) = @_;
	return $node->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity
		WHERE backend_type LIKE 'commerce %'));
}

# Without preload: by itself, and not from a prepared transaction.
my $node = new_server('inline', conf => [ "commerce.databases = 'postgres'",
	'max_prepared_transactions = 5' ]);
$node->safe_psql('postgres', $setup);
is(notifiers($node), 0, 'without preload there is no notifier');
is(told($node), 'itself', 'and an order notifies by itself');
is(sqlstates($node, q(BEGIN;
	SELECT FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
	PREPARE TRANSACTION 'order')), '0A000', 'so that it cannot be prepared');
is_sound($node, 'which changes nothing');
$node->stop;

# No process to be had for it.
$node = new_server('crowded', conf => [ @preloaded, 'max_worker_processes = 1',
	'max_logical_replication_workers = 0', 'max_parallel_workers = 0' ]);
$node->safe_psql('postgres', $setup);
ok($node->wait_for_log(qr/could not start the commerce notifier for database "postgres"/),
	'the log says that max_worker_processes is too low');
is(told($node), 'itself', 'and orders notify by themselves');
$node->stop;

# Settings that make no sense.
my ($stdout, $stderr);
$node = new_server('settings', empty => 1, init => { allows_streaming => 1 }, conf => \@preloaded);
foreach my $setting ("commerce.databases = 'a,,b'",
	'commerce.databases = "' . join(',', map { "d$_" } 1 .. 65) . '"',
	"commerce.notify_interval = '-1ms'")
{
	my ($name, $value) = $setting =~ /^(\S+) = (.*)$/;

	$value =~ s/^"(.*)"$/'$1'/;
	is(sqlstates($node, "ALTER SYSTEM SET $name = $value"), '22023', "refused: $name");
}
is(sqlstates($node, "SET commerce.databases = ''"), '55P02',
	'the list cannot be changed by a session');

# A standby has no notifier before its promotion.
$node->safe_psql('postgres', 'CREATE EXTENSION commerce');
$node->restart;
$node->safe_psql('postgres', $setup);
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is(notifiers($standby), 0, 'a standby has no notifier');
$node->stop;
$standby->promote;
ok($standby->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity
	WHERE backend_type = 'commerce notifier' AND state = 'idle')), 'once promoted it has');
is(told($standby), 'commerce notifier', 'and that tells');
log_is_clean($standby, 'no process crashed');
done_testing();
