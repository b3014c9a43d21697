# A cluster: nodes with a server each, and a router in front of them.
package RouterTest;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use CommerceTest;

our @EXPORT = qw(new_cluster new_router conninfo users_of);

# So many nodes with equal shares of the buckets, the first of them home to the
# catalogue; returns the router and the nodes.
sub new_cluster
{
	my ($name, $count, %params) = @_;
	my @nodes = map { new_server("$name$_", init => { allows_streaming => 'logical' },
		conf => [ 'max_connections = 60', 'synchronous_commit = on', @{ $params{conf} || [] } ]) } 1 .. $count;
	my $first_id = '';

	foreach my $n (1 .. $count)
	{
		my $node = $nodes[ $n - 1 ];
		my ($from, $until) = map { int($_ * 4096 / $count) } $n - 1, $n;

		$node->safe_psql('postgres', qq(CREATE ROLE router LOGIN; SELECT commerce.grant_access('router', 'router')));
		$first_id = $node->safe_psql('postgres', "SELECT first_id FROM commerce.join_cluster($n, '{[$from,$until)}',
			@{[ $first_id || 'NULL' ]}, force => true)");
	}
	$nodes[0]->safe_psql('postgres', 'SELECT commerce.publish_catalogue()');
	foreach my $n (2 .. $count)
	{
		$nodes[ $n - 1 ]->safe_psql('postgres', sprintf q(CREATE SUBSCRIPTION commerce_node_%d CONNECTION '%s'
			PUBLICATION commerce_catalogue WITH (synchronous_commit = on)), $n, $nodes[0]->connstr('postgres') =~ s/'/''/gr);
	}
	return (new_router($name, \@nodes), @nodes);
}

# One more router in front of them.
sub new_router
{
	my ($name, $nodes) = @_;
	my $router = new_server("${name}_router", empty => 1, conf => [ 'max_connections = 60' ]);

	$router->safe_psql('postgres', 'CREATE EXTENSION commerce_router CASCADE');
	$router->safe_psql('postgres', sprintf q(SELECT node_no FROM commerce_router.add_node('%s', %s)),
		conninfo($_) =~ s/'/''/gr, $_ == $nodes->[0] ? 'true' : 'false') foreach @$nodes;
	return $router;
}

# As a router connects to it.
sub conninfo
{
	my ($node) = @_;
	return $node->connstr('postgres') . ' user=router connect_timeout=5';
}

# The lowest $count ids above 1000 whose users are the node's, by its number.
sub users_of
{
	my ($router, $node_no, $count) = @_;
	return split /\n/, $router->safe_psql('postgres', qq(
		SELECT id FROM generate_series(1001, 9000) id
		WHERE (commerce_router.node_of(id)).node_no = $node_no ORDER BY id LIMIT $count));
}

1;
