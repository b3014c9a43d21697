# A node's primary is lost in a rush, and its synchronous standby promoted: routers find it by
# libpq's list of hosts, and no order that was acknowledged is lost, nor a unit.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use Test::More;
use Time::HiRes qw(sleep);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use CommerceTest;
use RouterTest;

my ($router, @nodes) = new_cluster('node', 2);
my $lost = $nodes[1];

$lost->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($lost, 'base', has_streaming => 1);
$standby->start;
$lost->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
$lost->reload;
$lost->poll_query_until('postgres', "SELECT sync_state = 'sync' FROM pg_stat_replication WHERE application_name = 'standby'");
$router->safe_psql('postgres', sprintf q(SELECT node_no FROM commerce_router.set_node(2,
	'host=%s,%s port=%d,%d dbname=postgres user=router target_session_attrs=read-write connect_timeout=5')),
	$lost->host, $standby->host, $lost->port, $standby->port);

# Two thirds of the units are at the node that is lost, and all buyers have money.
foreach my $node (@nodes)
{
	$node->safe_psql('postgres', q(
		SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 1000))
		FROM generate_series(1, 600) id, commerce.cluster_membership m
		WHERE get_bit(m.buckets, commerce.bucket(id)) = 1));
}
$router->safe_psql('postgres', q(SELECT commerce.create_product('shirt', 1)));
$router->safe_psql('postgres', q(SELECT commerce.create_product_option(1, 'red', 100, 300, 1)));
$router->safe_psql('postgres', q(SELECT commerce_router.gather('stock', 1, 200, 2)));

my ($out, $err) = ('', '');
my $rush = IPC::Run::start([ '/usr/bin/python3', "$FindBin::RealBin/../cluster/rush.py", $router->connstr('postgres'), 8,
	1, 600, 1, 1 ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(300));
sleep 0.3;
$lost->stop('immediate');
$standby->promote;
IPC::Run::finish($rush);
diag($err) if $err ne '';
note($out);
is(join(' ', $out =~ /^(\w{5} \d+)$/mg), '00000 300 SC301 300', 'exactly three hundred buyers get one');
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 'f', 'the standby is the node now');
my @sold = map { $_->safe_psql('postgres', 'SELECT coalesce(sum(quantity), 0) FROM commerce.order_items') } $nodes[0], $standby;
is($sold[0] + $sold[1], 300, 'and three hundred are sold: ' . join ' and ', @sold);
$router->safe_psql('postgres', "SELECT * FROM commerce_router.sweep('stock', 1)");
is($router->safe_psql('postgres', 'SELECT * FROM commerce.verify()'), '', 'the cluster is sound');

# A node goes away in the moment when it is to give what another is short of: for whom it
# asks it is as if it had been away before.
my ($buyer) = users_of($router, 1, 1);
$router->safe_psql('postgres', $_) foreach "SELECT commerce.create_user('late', $buyer)", "SELECT commerce.charge_balance($buyer, 1000)",
	'SELECT commerce.create_product_option(1, \'blue\', 100, 0, 2)';
$standby->safe_psql('postgres', q(SELECT commerce.adjust_stock(2, 10);
	CREATE FUNCTION public.go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); END $$;
	CREATE TRIGGER go BEFORE INSERT ON commerce.transfers_out FOR EACH ROW EXECUTE FUNCTION public.go()));
my $call = "SELECT commerce.place_order($buyer, '[{\"option_id\": 2, \"quantity\": 1}]')";
is(sqlstates($router, $call), 'SC901', 'a giver goes away');
$standby->safe_psql('postgres', 'DROP TRIGGER go ON commerce.transfers_out');
is(sqlstates($router, $call), '', 'and is back');

done_testing();
