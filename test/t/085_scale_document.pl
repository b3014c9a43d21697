# What doc/scale.md says to do is done, as it stands there, with two nodes and a router.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use Documents;

my $document = document('doc/scale.md');
my @blocks = $document =~ /^```sql\n(.*?)^```/msg;
my ($set_up, $moves, $operation) = grep { /join_cluster|move_bucket|set_node/ } @blocks;
# A name is enough for join_cluster; nobody waits for it here.
my @nodes = map { new_server("node$_", empty => 1, init => { allows_streaming => 'logical' },
	conf => [ "synchronous_standby_names = 'standby'", 'synchronous_commit = local' ]) } 1, 2;
my $router = new_server('router', empty => 1);

# With our servers in the place of hosts, and what is there to be seen.
sub here
{
	my ($sql) = @_;

	foreach my $n (1, 2)
	{
		my $connstr = $nodes[ $n - 1 ]->connstr('postgres') =~ s/'/''/gr;
		$sql =~ s/host=node$n dbname=shop user=router/$connstr user=router/g;
		$sql =~ s/host=node$n dbname=shop user=replicator/$connstr/g;
	}
	my $second = $nodes[1]->connstr('postgres') =~ s/'/''/gr;
	return $sql =~ s/host=elsewhere dbname=shop user=router/$second user=router/r =~ s/(?<=\b(?:move_bucket\(2860|3072\)}'), )3/2/gr;
}
my %part = $set_up =~ /^-- at (each node|the first|each other one|each router)[^\n]*\n(.*?)(?=^-- at |\z)/msg;
is(join(' ', sort keys %part), 'each node each other one each router the first', 'the set-up has these parts');
is(sqlstates($_, here($part{'each node'})), '', $_->name . ' is set up') foreach @nodes;
is(sqlstates($nodes[0], here($part{'the first'})), '', 'the first joins');
is($nodes[0]->safe_psql('postgres', 'SELECT first_id FROM commerce.cluster_membership'),
	$part{'each other one'} =~ /first_id => (\d+)/ ? $1 : '', 'with the first_id that the others are told');
is(sqlstates($nodes[1], here($part{'each other one'})), '', 'so does the other');
$router->safe_psql('postgres', 'CREATE ROLE shop_app');
is(sqlstates($router, here($part{'each router'})), '', 'the router knows both');

is(sqlstates($router, q(SELECT commerce.create_product('shirt', 1); SELECT commerce.create_product_option(1, 'red', 100, 10, 1);
	SELECT commerce.create_user('Kim', 1); SELECT commerce.charge_balance(1, 1000);
	SELECT commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');)), '', 'a shop is open');
foreach my $block ($moves, $operation)
{
	foreach my $statement (here($block) =~ /^([^-\n][^;]*;)/mg)
	{
		is(sqlstates($router, $statement), '', $statement =~ s/\s+/ /gr);
	}
}
is($router->safe_psql('postgres', 'SELECT * FROM commerce.verify()'), '', 'all is sound');

done_testing();
