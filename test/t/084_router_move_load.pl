# Buckets move from node to node while their users call, through two routers, and relays claim
# at the nodes: no call fails, no order is lost or made twice, keys stand for their orders, and
# every event arrives, an order's in their order; also where whoever moves is killed. A third
# node, which has joined with nothing, takes part. How long the calls wait is told.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;
use CommerceTest;
use RouterTest;

my ($router, @nodes) = new_cluster('node', 2);
my $other = new_router('other', \@nodes);
my @buckets = (7, 8);
my @users = split /\n/, $router->safe_psql('postgres',
	"SELECT id FROM generate_series(1, 100000) id WHERE commerce.bucket(id) IN (7, 8) ORDER BY id LIMIT 16");
my $stop_file = PostgreSQL::Test::Utils::tempdir() . '/stop';

$router->safe_psql('postgres', q(
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'red', 100, 10000000, 1);
	SELECT commerce.create_coupon_policy('spring', 'fixed', 10, 1000000, per_user_limit => 10000, policy_id => 1)));
$router->safe_psql('postgres', "SELECT commerce.create_user('u', $_)") foreach @users;
$router->safe_psql('postgres', "SELECT commerce.charge_balance($_, 1000000000)") foreach @users;

sub connstrs { return join ';', map { $_->connstr('postgres') } @_ }

sub begin_load
{
	my %load = (out => '', err => '');

	unlink $stop_file;
	$load{run} = IPC::Run::start([ '/usr/bin/python3', "$FindBin::RealBin/../cluster/calls.py", connstrs($router, $other),
		connstrs(@nodes), 4, join(',', @users), $stop_file ], '<', \undef, '>', \$load{out}, '2>', \$load{err}, IPC::Run::timeout(400));
	return \%load;
}

# What it told, once all have ended.
sub end_load
{
	my ($load, $name) = @_;

	append_to_file($stop_file, 'stop');
	IPC::Run::finish($load->{run}) or diag($load->{err});
	note($load->{out} =~ s/^order_ids.*\n//mr);
	is(join("\n", $load->{out} =~ /^(wrong .*)/mg), '', "$name: each call was answered as it should be");
	is($load->{err}, '', "$name: no client failed");
	return;
}

sub at_all { my ($sql) = @_; return map { $_->safe_psql('postgres', $sql) } @nodes }

sub sum { my $sum = 0; $sum += $_ foreach @_; return $sum }

# Nothing is under way, nothing amiss; each order that was answered is there, once, and each
# event was delivered.
sub is_whole
{
	my ($load, $name) = @_;
	my ($told) = $load->{out} =~ /^order_ids (.*)$/m;
	my %told = map { $_ => 1 } split /,/, $told;
	my @there = split /\s+/, join "\n", at_all('SELECT order_id FROM commerce.orders');
	my %there = map { $_ => 1 } @there;

	is($router->safe_psql('postgres', 'SELECT * FROM commerce.verify()'), '', "$name: nothing is amiss");
	is(sum(at_all('SELECT count(*) FROM commerce.bucket_moves WHERE contents IS NOT NULL')), 0, "$name: nothing is on its way");
	is(scalar(grep { !$there{$_} } keys %told), 0, "$name: all orders are there");
	is(scalar @there, scalar keys %there, "$name: at one node each");
	is(sum(at_all('SELECT count(*) FROM commerce.idempotency_keys k WHERE function_name = $$place_order$$')), scalar @there,
		"$name: each has its key");
	foreach my $node (@nodes)
	{
		$node->poll_query_until('postgres', q(SELECT (SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
			FROM commerce.claim_events(1000)) IS NOT NULL AND NOT EXISTS (SELECT FROM commerce.deliveries WHERE status <> 'delivered')));
	}
	is(join(' ', at_all(q(SELECT count(*) FROM commerce.deliveries WHERE status <> 'delivered'))), join(' ', (0) x @nodes),
		"$name: every event arrives");
	return;
}

# ---- two nodes; the mover may be killed at any time ----

my $load = begin_load();
my ($moves, $killed) = (0, 0);
foreach my $n (1 .. 12)
{
	my $mover = $n % 2 ? $router : $other;
	my $to = 1 + int($n / 2) % 2;
	my $background = $mover->background_psql('postgres', on_error_stop => 0);

	if ($n % 3 == 0)
	{
		my $pid = $background->query('SELECT pg_backend_pid()');
		my $child = fork() // die;

		if ($child == 0)
		{
			sleep(0.02 * $n);
			$mover->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
			require POSIX;
			POSIX::_exit(0);
		}
		eval { $background->query("SELECT commerce_router.move_bucket($buckets[$n % 2], $to)"); 1 } or $killed++;
		waitpid($child, 0);
		eval { $background->quit };
	}
	else
	{
		$moves++ if $background->query("SELECT commerce_router.move_bucket($buckets[$n % 2], $to)") =~ /t/;
		$background->quit;
	}
}
$router->safe_psql('postgres', "SELECT commerce_router.undo_move($_)") foreach @buckets;
note("moves $moves, movers killed $killed");
cmp_ok($moves, '>', 3, 'buckets moved');
end_load($load, 'two nodes');
is_whole($load, 'two nodes');

# ---- a third one joins with nothing ----

push @nodes, join_node('node', 3, '{}', $nodes[0]);
foreach ($router, $other)
{
	$_->safe_psql('postgres', sprintf q(SELECT node_no FROM commerce_router.add_node('%s')), conninfo($nodes[2]) =~ s/'/''/gr);
}
$load = begin_load();
is($router->safe_psql('postgres', "SELECT commerce_router.move_buckets('{[7,9), [4000,4010)}', 3)"), '12', 'a new node takes buckets');
is($nodes[2]->safe_psql('postgres', 'SELECT count(DISTINCT commerce.bucket(user_id)) FROM commerce.users'), '2', 'their users are there');
like($other->safe_psql('postgres', "SELECT user_id FROM commerce.create_user('new')"), qr/^\d+$/, 'users are made');
sleep(1);
$router->safe_psql('postgres', "SELECT commerce_router.move_bucket(8, 1)");
end_load($load, 'three nodes');
is_whole($load, 'three nodes');

# ---- how long 10,000 orders take ----

my $user = (grep { $router->safe_psql('postgres', "SELECT commerce.bucket($_)") == 7 } @users)[0];
$nodes[2]->safe_psql('postgres', qq(SELECT count(commerce.place_order($user, '[{"option_id": 1, "quantity": 1}]', NULL, 'many ' || n))
	FROM generate_series(1, 10000) n));
$load = begin_load();
sleep(1);
my $began = time;
is($router->safe_psql('postgres', 'SELECT commerce_router.move_bucket(7, 2)'), 't', 'a bucket with 10,000 orders moves');
my $took = time - $began;
end_load($load, '10,000 orders');
my ($longest) = $load->{out} =~ /^longest (.*)$/m;
note(sprintf 'the move took %.2f s, the longest call %.2f s', $took, $longest);
cmp_ok($longest, '<', 30, 'calls wait for it, and not for long');
is_whole($load, '10,000 orders');

done_testing();
