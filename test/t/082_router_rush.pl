# A flash sale over three nodes and two routers: what is there is sold to the last unit and
# not one more, wherever it lies and whoever buys; nothing is lost between two nodes,
# whichever of them, or of the routers, is killed meanwhile.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use RouterTest;

my ($router, @nodes) = new_cluster('node', 3, conf => [ 'wal_sender_timeout = 2s', 'wal_receiver_timeout = 2s',
	'wal_retrieve_retry_interval = 100ms' ]);
my $other = new_router('other', \@nodes);
my $routers = join ';', map { $_->connstr('postgres') } $router, $other;

# 1,000 users with money, each at their node; options with all units at home.
sub make_users
{
	$_->safe_psql('postgres', q(
		SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 1000000))
		FROM generate_series(1, 1000) id, commerce.cluster_membership m
		WHERE get_bit(m.buckets, commerce.bucket(id)) = 1)) foreach @nodes;
	return;
}

# A rush that may go on beside something else; its answers are counted.
sub begin_rush
{
	my ($first, $last, $option, $quantity) = @_;
	my %rush = (out => '', err => '');

	$rush{run} = IPC::Run::start([ '/usr/bin/python3', "$FindBin::RealBin/../cluster/rush.py", $routers, 8,
		$first, $last, $option, $quantity ], '<', \undef, '>', \$rush{out}, '2>', \$rush{err}, IPC::Run::timeout(300));
	return \%rush;
}

sub answers
{
	my ($rush) = @_;

	IPC::Run::finish($rush->{run});
	diag($rush->{err}) if $rush->{err} ne '';
	note($rush->{out});
	return join ' ', $rush->{out} =~ /^(\w{5} \d+)$/mg;
}

sub rush { return answers(begin_rush(@_)) }

# What became of an option: units sold at all nodes, and left.
sub books
{
	my ($option) = @_;
	my ($sold, $left) = (0, 0);

	foreach my $node (@nodes)
	{
		$sold += $node->safe_psql('postgres', "SELECT coalesce(sum(quantity - refunded_quantity), 0) FROM commerce.order_items
			JOIN commerce.orders USING (order_id) WHERE option_id = $option AND status <> 'cancelled'");
		$left += $node->safe_psql('postgres', "SELECT commerce.unsold('stock', $option)");
	}
	return "sold $sold, left $left";
}

# All transfers are finished when somebody looks; then nothing is amiss anywhere.
sub is_whole
{
	my ($name, $option) = @_;

	$router->safe_psql('postgres', "SELECT * FROM commerce_router.sweep('stock', $option)");
	is($router->safe_psql('postgres', 'SELECT * FROM commerce.verify()'), '', $name);
	is(join(' ', map { $_->safe_psql('postgres', 'SELECT count(*) FROM commerce.transfers_out WHERE settled_at IS NULL') } @nodes),
		'0 0 0', "$name: no transfer is under way");
	return;
}

make_users();
$router->safe_psql('postgres', q(SELECT name FROM commerce.create_product('shirt', 1)));
$router->safe_psql('postgres', "SELECT name FROM commerce.create_product_option(1, 'option $_', 100, 300, $_)") foreach 1 .. 8;

# ---- spread buyers; then several units each ----

is(rush(1, 1000, 1, 1), '00000 300 SC301 700', 'three hundred of a thousand get one');
is(books(1), 'sold 300, left 0', 'all are sold');
is_whole('after that rush', 1);
is(rush(1, 400, 2, 7), '00000 42 SC301 358', 'of those who want seven each, forty-two');
is(books(2), 'sold 294, left 6', 'six are left, which nobody could have had');
is(rush(401, 420, 2, 6), '00000 1 SC301 19', 'but by one who wants all six, wherever they lie');
is(books(2), 'sold 300, left 0', 'now they are gone');
is_whole('after that', 2);

# ---- one node has all buyers, another all units ----

my @users = users_of($router, 3, 20);
$nodes[2]->safe_psql('postgres', "SELECT commerce.create_user('late', $_), commerce.charge_balance($_, 1000000)") foreach @users;
my $codes = join ' ', map { $router->psql('postgres', "SELECT commerce.place_order($_, '[{\"option_id\": 3, \"quantity\": 16}]')",
	stderr => \my $err); $err =~ /insufficient/ ? 'short' : $err ? $err : 'sold' } @users;
is($codes, join(' ', ('sold') x 18, 'short', 'short'), 'buyers of one node get what another has');
is(books(3), 'sold 288, left 12', 'to the last that suffices');

# ---- a transfer that stopped after each step: whoever asks next finishes it ----

my ($buyer) = users_of($router, 2, 1);
$nodes[1]->safe_psql('postgres', "SELECT commerce.create_user('next', $buyer), commerce.charge_balance($buyer, 1000000)");
foreach my $option (6, 7)
{
	my ($transfer) = $nodes[0]->safe_psql('postgres', "SELECT transfer_id FROM commerce.transfer_out('stock', $option, 300, 3)");

	$nodes[2]->safe_psql('postgres', "SELECT commerce.transfer_in('stock', $option, 300, 1, $transfer)") if $option == 7;
	is(books($option), 'sold 0, left 300', 'no unit is lost between two nodes');
	is(sqlstates($router, "SELECT commerce.place_order($buyer, '[{\"option_id\": $option, \"quantity\": 300}]')"), '',
		'a buyer at a third gets what was on its way');
	is(books($option), 'sold 300, left 0', 'all of it');
}
is_whole('after that', 7);

# So it is where the taker is looked at before the giver: what is on its way counts.
my ($other_buyer) = users_of($router, 1, 1);
$nodes[0]->safe_psql('postgres', "SELECT commerce.create_user('other', $other_buyer), commerce.charge_balance($other_buyer, 1000000)");
is($router->safe_psql('postgres', "SELECT commerce_router.gather('stock', 8, 300, 3)"), '', 'all units are at the last node');
$nodes[2]->safe_psql('postgres', "SELECT transfer_id FROM commerce.transfer_out('stock', 8, 300, 2)");
is(sqlstates($router, "SELECT commerce.place_order($other_buyer, '[{\"option_id\": 8, \"quantity\": 300}]')"), '',
	'then on their way, which is not sold out');
is(books(8), 'sold 300, left 0', 'and sold');

# ---- restocks and cancelled orders meanwhile ----

my $rush = begin_rush(1, 1000, 4, 1);
my ($cancelled, $added) = (0, 0);
foreach my $n (1 .. 20)
{
	my $node = $nodes[ $n % 3 ];

	$router->safe_psql('postgres', 'SELECT available FROM commerce.adjust_stock(4, 5)');
	$added += 5;
	my $order = $node->safe_psql('postgres', q(SELECT max(order_id) FROM commerce.orders JOIN commerce.order_items USING (order_id)
		WHERE option_id = 4 AND status = 'paid')) or next;
	$router->safe_psql('postgres', "SELECT status FROM commerce.cancel_order($order)");
	$cancelled++;
}
like(answers($rush), qr/^00000 (\d+) SC301 (\d+)$/, 'buyers among restocks and cancels');
my ($bought) = $rush->{out} =~ /^00000 (\d+)/;
my ($sold, $left) = books(4) =~ /(\d+)/g;
is($sold + $left, 300 + $added, 'what was brought in is sold or left');
is($sold, $bought - $cancelled, 'and sold is what was bought and not cancelled');
is_whole('after that too', 4);

# ---- killed meanwhile ----

$router->safe_psql('postgres', "SELECT available FROM commerce.adjust_stock(5, 300)");
$rush = begin_rush(1, 1000, 5, 1);
foreach my $n (1 .. 3)
{
	$_->safe_psql('postgres', q(SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())) foreach $router, $other;
	$nodes[ $n - 1 ]->stop('immediate');
	$nodes[ $n - 1 ]->start;
}
is(answers($rush), '00000 600 SC301 400', 'nodes and routers are killed: exactly six hundred get one');
is(books(5), 'sold 600, left 0', 'all are sold');
is_whole('after all that', 5);

# ---- all nodes are asked once for all who call before that ----

my $told = 'SELECT commerce_router.shortage_mark()';
my $late = q(SELECT * FROM commerce.place_order(1, '[{"option_id": 5, "quantity": 1}]'));
my $before = $router->safe_psql('postgres', $told);
sub await_turn { $router->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted = $_[0]") or die 'nobody waits' }

# It holds the lock until the others wait for it.
my $asking = start_call($router, q(DO $$ BEGIN
		PERFORM pg_advisory_xact_lock(hashtextextended('commerce_router.gather stock', 5));
		WHILE (SELECT count(*) < 6 FROM pg_locks WHERE locktype = 'advisory') LOOP PERFORM pg_sleep(0.01); END LOOP; END $$));
await_turn('true');
my @callers = map { start_call($router, $late) } 1 .. 5;
IPC::Run::finish($_->{run}) foreach $asking, @callers;
is(join(' ', map { $_->{err} =~ /(SC\w+)/ } @callers), join(' ', ('SC301') x 5), 'who comes too late is told so');
is($router->safe_psql('postgres', $told) - $before, 1, 'when one of them has asked all nodes');
is(sqlstates($router, $late), 'SC301', 'so is the next one');
is($router->safe_psql('postgres', $told) - $before, 2, 'for whom they are asked anew');
$nodes[2]->safe_psql('postgres', 'SELECT commerce.adjust_stock(5, 1)');
is(sqlstates($router, $late), '', 'and who comes after a restock is not');

# Who waits to ask for a second option keeps nobody from the first.
my $other_turn = start_call($router, q(SELECT pg_advisory_lock(hashtextextended('commerce_router.gather stock', 8)), pg_sleep(180)));
await_turn('true');
my $both = start_call($router, $late =~ s/\}]/}, {"option_id": 8, "quantity": 1}]/r);
await_turn('false');
is(sqlstates($router, "SET statement_timeout = '60s'; $late"), 'SC301', 'one is answered while the other is waited for');
$router->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted));
IPC::Run::finish($_->{run}) foreach $other_turn, $both;
like($both->{err}, qr/SC301/, 'and who waited is answered too');

done_testing();
