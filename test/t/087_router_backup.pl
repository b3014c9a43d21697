# A node is lost, and restored from a backup that lacks its last hours: what verify() says
# then, and that what doc/scale.md says to do sets it right. Then the same for all nodes.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Documents;
use RouterTest;

my ($section) = document('doc/scale.md') =~ /^## Backup\n(.*?)(?=^## |\z)/ms;
my %blocks;
push @{ $blocks{ $_->[0] } }, $_->[1] foreach blocks($section);
my ($catalogue, $transfers) = @{ $blocks{sql} };
my ($copy) = $catalogue =~ /^(CREATE EXTENSION.*)/ms;
my ($router, @nodes) = new_cluster('node', 2);
my @lost = @nodes;

sub all { return join ' ', map { $router->safe_psql('postgres', $_) =~ s/\n/ /gr } @_ }
sub verify { return all('SELECT v.node_no, check_name, object_id, expected, actual FROM commerce.verify() v ORDER BY 1, 2, 3') }

# What all have of option 1: to be sold, as gather() counts it, and sold.
sub units
{
	my $sold = 0;

	$sold += $_->safe_psql('postgres', 'SELECT coalesce(sum(quantity), 0) FROM commerce.order_items WHERE option_id = 1') foreach @nodes;
	return all(q(SELECT sum(available), sum(unsold) FROM commerce_router.sweep('stock', 1))) . "|$sold";
}

sub quota { return all(q(SELECT sum(available), sum(unsold) FROM commerce_router.sweep('coupon_quota', 1))) }

# The document's SQL for node $n, with our servers in the place of hosts.
sub here
{
	my ($sql, $n) = @_;
	my $other = 3 - $n;

	$sql =~ s/host=node\d dbname=shop user=router/host=node$other dbname=shop/g;
	$sql =~ s/(taker|giver) = 2/$1 = $n/g;
	$sql =~ s/host=node(\d) dbname=shop(?: user=replicator)?/$nodes[ $1 - 1 ]->connstr('postgres') =~ s{'}{''}gr/ge;
	return $sql;
}

# Node $n is lost, and its backup started in its place.
sub restore
{
	my ($n) = @_;
	my $restored = PostgreSQL::Test::Cluster->new("restored$n");

	$restored->init_from_backup($lost[ $n - 1 ], 'base');
	$lost[ $n - 1 ]->stop('immediate');
	$restored->start;
	$nodes[ $n - 1 ] = $restored;
	all(sprintf q(SELECT node_no FROM commerce_router.set_node(%d, '%s')), $n, conninfo($restored) =~ s/'/''/gr);
	return;
}

# What verify() finds: kinds, and at how many nodes which bucket is.
sub checks
{
	return all(q(SELECT string_agg(DISTINCT check_name || CASE node_no WHEN 0 THEN format(' %s: %s', object_id, actual) ELSE '' END, ', ')
		FROM commerce.verify()));
}

# ---- before and after the backup ----

my @users = map { [ users_of($router, $_, 2) ] } 1, 2;
foreach my $user (map { @$_ } @users)
{
	all("SELECT user_id FROM commerce.create_user('buyer', $user)", "SELECT balance_after FROM commerce.charge_balance($user, 1000000)");
}
all(q(SELECT product_id FROM commerce.create_product('shirt', 1)),
	q(SELECT option_id FROM commerce.create_product_option(1, 'red', 100, 1000, 1)),
	q(SELECT policy_id FROM commerce.create_coupon_policy('spring', 'fixed', 1, 100, policy_id => 1)),
	q(SELECT commerce_router.gather('stock', 1, 300, 2)), q(SELECT commerce_router.gather('coupon_quota', 1, 10, 2)));

sub order
{
	my ($user, $units) = @_;
	return all("SELECT order_id FROM commerce.place_order($user, '" . items([ 1, $units ]) . "')");
}
order($users[0][0], 5);
order($users[1][0], 7);
is(units(), '988|988|12', 'a thousand units are there, or sold');
$_->backup('base') foreach @nodes;
my $before = $nodes[1]->safe_psql('postgres', 'SELECT max(event_id) FROM commerce.events');

my $forgotten = order($users[1][0], 40);
order($users[0][0], 600);	# node 2 gives
order($users[1][1], 240);	# and is given
all(q(SELECT commerce_router.gather('coupon_quota', 1, 90, 1)), q(SELECT commerce_router.gather('coupon_quota', 1, 20, 2)),
	q(SELECT product_id FROM commerce.create_product('cap', 2)), q(SELECT option_id FROM commerce.create_product_option(2, 'blue', 50, 8, 2)),
	q(SELECT option_id FROM commerce.set_price(1, 120)));
my $bucket = all("SELECT commerce.bucket($users[1][1])");
is(all("SELECT commerce_router.move_bucket($bucket, 1)"), 't', 'a bucket moves');
is(verify(), '', 'all is sound');
is(units(), '108|108|892', 'the rest is sold');
is(quota(), '100|100', 'no coupon is');

# ---- node 2 is lost ----

restore(2);
is($nodes[1]->safe_psql('postgres', 'SELECT max(event_id) FROM commerce.events'), $before, 'what came after the backup is forgotten');
is(checks(), "bucket_has_one_node $bucket: 2, transfer_in_has_out, transfer_out_has_in", 'verify() says so');
is(units(), '554|388|852', 'and units are there that no router counts');
$nodes[1]->safe_psql('postgres', here($catalogue, 2));
$nodes[1]->safe_psql('postgres', here($transfers, 2));
$nodes[1]->safe_psql('postgres', "SELECT commerce.bucket_given(commerce.give_bucket($bucket, 1))");
is(verify(), '', 'what the document says is done, and all is sound');
is(join(' ', map { $_->safe_psql('postgres', "SELECT sold->'stock'->'1' FROM commerce.bucket_moves
	WHERE bucket = $bucket ORDER BY started_at DESC LIMIT 1") } @nodes), '240 ', 'but for what the bucket had bought by then');
$nodes[1]->safe_psql('postgres', q(SELECT FROM commerce.adjust_stock(1, -240, 'moved')));
is(units(), '148|148|852', 'no unit is doubled or lost: what was sold in orders that are forgotten is there to be sold');
is(quota(), '100|100', 'nor a coupon');
is($nodes[1]->safe_psql('postgres', 'SELECT price FROM commerce.product_options ORDER BY option_id'), "120\n50", 'the catalogue is as it is at its home');
cmp_ok(order($users[1][0], 1), '>', $forgotten, 'no id is given out again');

# ---- the home is lost ----

restore(1);
is(checks(), "bucket_has_one_node $bucket: 0, transfer_in_has_out, transfer_out_has_in", 'the same of the home');
$nodes[0]->safe_psql('postgres', here($copy =~ s/host=node1/host=node2/r, 1));
$nodes[1]->safe_psql('postgres', "ALTER SUBSCRIPTION commerce_node_2 $_") foreach 'DISABLE', 'SET (slot_name = NONE)';
$nodes[1]->safe_psql('postgres', here($catalogue, 2));
$nodes[0]->safe_psql('postgres', here($transfers, 1));
$nodes[0]->safe_psql('postgres', "UPDATE commerce.cluster_membership SET buckets = set_bit(buckets, $bucket, 1); SELECT commerce.membership_changed()");
is(verify(), '', 'it is set right in the same way');
is(units(), '747|747|13', 'but for the 240 that were sold to whom nobody knows any more');
is($nodes[0]->safe_psql('postgres', 'SELECT price FROM commerce.product_options ORDER BY option_id'), "120\n50", 'it has the catalogue');
all(q(SELECT product_id FROM commerce.create_product('hat', 3)));
is($nodes[1]->safe_psql('postgres', 'SELECT name FROM commerce.products WHERE product_id = 3'), 'hat', 'and others follow it');

done_testing();
