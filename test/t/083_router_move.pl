# A bucket of users moves from node to node while they call: nothing is lost, doubled or
# orphaned, whoever is killed meanwhile; a move that was begun is finished, or undone; and a
# node that joins with nothing takes buckets.
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
my $bucket = 7;
my @users = split /\n/, $router->safe_psql('postgres',
	"SELECT id FROM generate_series(1, 100000) id WHERE commerce.bucket(id) = $bucket ORDER BY id LIMIT 12");
my $users = join ',', @users;

$router->safe_psql('postgres', qq(
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'red', 100, 1000000, 1);
	SELECT commerce.create_coupon_policy('spring', 'fixed', 10, 100000, per_user_limit => 10000, policy_id => 1)));
$router->safe_psql('postgres', "SELECT commerce.create_user('u', $_)") foreach @users;
$router->safe_psql('postgres', "SELECT commerce.charge_balance($_, 1000000000)") foreach @users;
$_->safe_psql('postgres', q(SELECT commerce.create_subscription('audit', '{order.cancelled}'))) foreach @nodes;

sub connstrs { return join ';', map { $_->connstr('postgres') } @_ }

# Where it is, by the nodes themselves; their books; what the bucket's users have.
sub place
{
	return join ' ', map { $_->safe_psql('postgres', "SELECT get_bit(buckets, $bucket) FROM commerce.cluster_membership") } @nodes;
}

sub cluster_is_sound
{
	my ($name) = @_;

	is($router->safe_psql('postgres', 'SELECT * FROM commerce.verify()'), '', "$name: nothing is amiss");
	is(join(' ', map { $_->safe_psql('postgres', q(SELECT count(*) FROM commerce.bucket_moves WHERE contents IS NOT NULL)) } @nodes),
		join(' ', (0) x @nodes), "$name: nothing is on its way");
	return;
}

# All rows of the bucket's users, wherever; how far each event has got.
sub inventory
{
	my $rows = '';
	my %tables = (users => 'user_id', balances => 'user_id', balance_history => 'user_id, entry_no', coupons => 'coupon_id',
		orders => 'order_id', idempotency_keys => 'user_id, function_name, idempotency_key',
		order_items => 'order_id, line_no');

	foreach my $table (sort keys %tables)
	{
		$rows .= "$table: " . join('', map { $_->safe_psql('postgres', $table eq 'order_items'
			? "SELECT i.* FROM commerce.order_items i JOIN commerce.orders USING (order_id) WHERE user_id IN ($users) ORDER BY 1, 2"
			: "SELECT * FROM commerce.$table WHERE user_id IN ($users) ORDER BY $tables{$table}") } @nodes) . "\n";
	}
	return $rows . join('', map { $_->safe_psql('postgres', qq(
		SELECT d.subscription, d.event_id, d.event_type, d.status, d.attempt, d.failures, d.last_error, d.created_at, d.delivered_at
		FROM commerce.deliveries d JOIN commerce.orders USING (order_id) WHERE user_id IN ($users) ORDER BY 1, 2)) } @nodes);
}

# ---- at rest: each row arrives as it was ----

my $key = 0;
foreach my $user (@users)
{
	$router->safe_psql('postgres', qq(SELECT status FROM commerce.place_order($user, '[{"option_id": 1, "quantity": 3}]', NULL, 'a'))) foreach 1, 2;
	my $id = $router->safe_psql('postgres', qq(SELECT order_id FROM commerce.hold_order($user, '[{"option_id": 1, "quantity": 1}]')));
	$router->safe_psql('postgres', "SELECT status FROM commerce.pay_order($id)") if ++$key % 3;
	$router->safe_psql('postgres', "SELECT status FROM commerce.cancel_order($id)") if $key % 2;
	$router->safe_psql('postgres', "SELECT coupon_id FROM commerce.issue_coupon($user, 1, 'a')");
}
my $giver = $nodes[0];
$giver->safe_psql('postgres', q(
	SELECT count(*) FROM commerce.claim_events(6);
	SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt)) FROM (SELECT * FROM commerce.stored_deliveries ORDER BY event_id LIMIT 3) d;
	UPDATE commerce.stored_deliveries SET failures = 9 WHERE event_id = (SELECT max(event_id) FROM commerce.stored_deliveries);
	SELECT commerce.fail_event(event_id, attempt, 'no answer') FROM commerce.stored_deliveries ORDER BY event_id DESC LIMIT 1;
	SELECT commerce.release_events(ARRAY[event_id], ARRAY[attempt]) FROM commerce.stored_deliveries WHERE status = 'running'));
is($giver->safe_psql('postgres', 'SELECT status, count(*) FROM commerce.deliveries WHERE subscription = $$default$$ GROUP BY 1 ORDER BY 1') =~ s/\n/ /gr,
	'available|21 delivered|2 dead|1', 'events have come to different states') or diag inventory();
my $before = inventory();
my $stock = $router->safe_psql('postgres', 'SELECT * FROM commerce.stock, commerce.coupon_quota');
is($router->safe_psql('postgres', "SELECT commerce_router.move_bucket($bucket, 2)"), 't', 'it moves');
is($router->safe_psql('postgres', "SELECT commerce_router.move_bucket($bucket, 2)"), 'f', 'once');
is(place(), '0 1', 'to the other node');
is(inventory(), $before, 'all rows are as they were');
is($router->safe_psql('postgres', 'SELECT * FROM commerce.stock, commerce.coupon_quota'), $stock, 'stock and quota as well');
cluster_is_sound('at rest');
is($other->safe_psql('postgres', qq(SELECT order_id FROM commerce.place_order($users[0], '[{"option_id": 1, "quantity": 3}]', NULL, 'a'))),
	$nodes[1]->safe_psql('postgres', "SELECT min(order_id) FROM commerce.orders WHERE user_id = $users[0]"), 'a key still stands for its order, at a router that was not told');
is($other->safe_psql('postgres', "SELECT node_no FROM commerce_router.buckets WHERE bucket = $bucket"), '2', 'which knows now');
$router->safe_psql('postgres', "SELECT commerce_router.move_bucket($bucket, 1)");
is(inventory(), $before, 'and back');
cluster_is_sound('back');

# ---- interrupted after each step, by whoever made it ----

sub step
{
	my ($sql) = @_;
	return $router->safe_psql('postgres', $sql =~ s/NODE(\d)/(SELECT conninfo FROM commerce_router.nodes WHERE node_no = $1)/gr);
}

sub error
{
	my ($sql) = @_;
	$other->psql('postgres', $sql, stderr => \my $stderr);
	return $stderr;
}

foreach my $steps (1, 2)
{
	foreach my $end (qw(move_bucket undo_move))
	{
		my $name = "after step $steps $end";
		my $move = step("SELECT commerce_router.give_bucket(NODE1, $bucket, 2)");

		is(step("SELECT commerce_router.give_bucket(NODE1, $bucket, 2)"), $move, "$name: a second give is the same move");
		is($router->safe_psql('postgres', 'SELECT * FROM commerce.verify()'), '', "$name: meanwhile all is sound");
		step("SELECT commerce_router.take_bucket(NODE2, 1, $move, commerce_router.bucket_contents(NODE1, $move))") if $steps == 2;
		like(error("SELECT commerce_router.move_bucket($bucket, 1)"), qr/bucket $bucket is on its way to node 2/,
			"$name: it goes nowhere else") if $steps == 1;
		$other->safe_psql('postgres', "SELECT commerce_router.$end($bucket" . ($end eq 'move_bucket' ? ', 2)' : ')'));
		is(place(), $steps == 1 && $end eq 'undo_move' ? '1 0' : '0 1', "$name: it is at one node");
		is(inventory(), $before, "$name: with all rows");
		cluster_is_sound($name);
		$router->safe_psql('postgres', "SELECT commerce_router.move_bucket($bucket, 1)");
	}
}
my $move = step("SELECT commerce_router.give_bucket(NODE1, $bucket, 2)");
my $contents = step("SELECT commerce_router.bucket_contents(NODE1, $move)");
$other->safe_psql('postgres', "SELECT commerce_router.undo_move($bucket)");
my $refused;
$nodes[1]->psql('postgres', "SELECT commerce.take_bucket(1, $move, \$\$$contents\$\$)", stderr => \$refused);
like($refused, qr/this move of bucket $bucket was undone/, 'who comes too late takes nothing');
is(place(), '1 0', 'it stays');
$nodes[0]->safe_psql('postgres', q(SELECT commerce.create_subscription('extra')));
like(error("SELECT commerce_router.move_bucket($bucket, 2)"), qr/this node has no subscription extra/, 'a node without a subscription gets nothing');
is(place(), '1 0', 'it stays as well');
$nodes[0]->safe_psql('postgres', q(SELECT commerce.drop_subscription('extra')));
cluster_is_sound('after refusals');

# ---- a router that was not told, and the node that had the bucket is away ----

$router->safe_psql('postgres', "SELECT commerce_router.move_bucket($bucket, 2)");
$nodes[0]->stop('immediate');
my $calls = join ';', ("SELECT commerce.get_balance($users[0]) > 0") x 2;
is(sqlstates($other, $calls), 'SC901', 'is refused once')
	or diag($other->safe_psql('postgres', 'SELECT * FROM commerce_router.buckets WHERE bucket = 7'));
is($router->safe_psql('postgres', "SELECT commerce.get_balance($users[0]) > 0"), 't', 'one that was is not');
$nodes[0]->start;
is($other->safe_psql('postgres', "SELECT commerce.get_balance($users[0]) > 0"), 't', 'nor is anybody when all are there');
cluster_is_sound('in the end');

done_testing();
