# A cluster: nodes with a server each, and a router in front of them.
package RouterTest;

use strict;
use warnings;
use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use CommerceTest;

our @EXPORT = qw(start_call new_cluster join_node new_router conninfo users_of answers_at);

# So many nodes with equal shares of the buckets, the first of them home to the
# catalogue; returns the router and the nodes.
sub new_cluster
{
	my ($name, $count, %params) = @_;
	my @nodes;

	foreach my $n (1 .. $count)
	{
		my ($from, $until) = map { int($_ * 4096 / $count) } $n - 1, $n;

		push @nodes, join_node($name, $n, "{[$from,$until)}", $nodes[0], %params);
	}
	return (new_router($name, \@nodes, preload => 1, %params), @nodes);
}

# A server that is node $n of the cluster, with these buckets; it follows the catalogue of
# $home, if there is one.
sub join_node
{
	my ($name, $n, $buckets, $home, %params) = @_;
	my $node = new_server("$name$n", init => { allows_streaming => 'logical' },
		conf => [ 'max_connections = 60', 'synchronous_commit = on', @{ $params{conf} || [] } ]);
	my $first_id = $home ? $home->safe_psql('postgres', 'SELECT first_id FROM commerce.cluster_membership') : 'NULL';

	$node->safe_psql('postgres', qq(CREATE ROLE router LOGIN; SELECT commerce.grant_access('router', 'router')));
	$node->safe_psql('postgres', "SELECT node_no FROM commerce.join_cluster($n, '$buckets', $first_id, force => true)");
	if (!$home)
	{
		$node->safe_psql('postgres', 'SELECT commerce.publish_catalogue()');
		return $node;
	}
	$node->safe_psql('postgres', sprintf q(CREATE SUBSCRIPTION commerce_node_%d CONNECTION '%s'
		PUBLICATION commerce_catalogue WITH (synchronous_commit = local)), $n, $home->connstr('postgres') =~ s/'/''/gr);
	$node->poll_query_until('postgres', 'SELECT commerce.catalogue_is_followed()') or die 'the catalogue does not come';
	return $node;
}

# One more router in front of them. preload: its sessions tell each other what is short.
sub new_router
{
	my ($name, $nodes, %params) = @_;
	my $router = new_server("${name}_router", empty => 1,
		conf => [ 'max_connections = 60', $params{preload} ? 'shared_preload_libraries = commerce' : (), @{ $params{conf} || [] } ]);

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

# What each statement prints, and what it raises: SQLSTATE, message, DETAIL and HINT. All run
# in one session; what one names by \gset, an id, stands by its name in the answers.
sub answers_at
{
	my ($node, @statements) = @_;
	my @names = map { /\bAS (\w+) .*\\gset$/s ? $1 : () } @statements;
	my ($stdout, $stderr) = ('', '');
	my $script = join '', map { my $end = $statements[$_] =~ /\\gset$/ ? '' : ';';
		"\\echo -- $_\n\\warn -- $_\n$statements[$_]$end\n" } 0 .. $#statements;

	$node->psql('postgres', $script . join('', map { "\\echo -- $_ :$_\n" } @names), stdout => \$stdout,
		stderr => \$stderr, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my ($printed, $raised) = map { +{ "$_\n" =~ /^-- (\d+)\n(.*?)(?=^-- |\z)/msg } } $stdout, $stderr;
	my %name_of = reverse $stdout =~ /^-- ([a-z]\w*) (.+)$/mg;
	my $named = join('|', map { quotemeta } keys %name_of) || '(?!)';
	return map { join("\n", $printed->{$_}, $raised->{$_} =~ /^(?:psql:\S*:\d+: )?((?:ERROR|WARNING|DETAIL|HINT):.*)$/mg)
		=~ s/(?<!\w)($named)(?!\w)/:$name_of{$1}/gr } 0 .. $#statements;
}

# A call at a router, under way: run, for IPC::Run::finish(), out and err.
sub start_call
{
	my ($router, $sql) = @_;
	my $caller = { err => '' };

	$caller->{run} = IPC::Run::start([ 'psql', '-X', '-q', '-v', 'VERBOSITY=sqlstate', '-c', $sql, $router->connstr('postgres') ],
		'<', \undef, '>', \$caller->{out}, '2>', \$caller->{err}, IPC::Run::timeout(180));
	return $caller;
}

1;
