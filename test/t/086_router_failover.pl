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

done_testing();
