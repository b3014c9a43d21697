# The server dies while clients place orders with keys. Afterwards every order
# whose commit a client saw is there, its key still stands for it, and whatever
# was cut short left nothing behind.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;

my $clients = 4;
my $node = new_server('crash');

$node->safe_psql('postgres', qq(
	SELECT commerce.create_user('buyer', id), commerce.charge_balance(id, 1000000000)
	FROM generate_series(1, $clients) AS id;
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'red', 100, 1000000000, 1),
		commerce.create_product_option(1, 'blue', 10, 1000000000, 2);));
my $items = items([ 2, 1 ], [ 1, 3 ]);

# Each client is one user; it writes "key order_id" once the server has answered.
my $folder = PostgreSQL::Test::Utils::tempdir();
my @psql;
foreach my $client (1 .. $clients)
{
	open my $script, '>', "$folder/$client.sql" or die $!;
	print $script "SELECT 'k$_', order_id FROM commerce.place_order($client, '$items', NULL, 'k$_');\n"
		for 1 .. 200_000;
	close $script;
	push @psql, IPC::Run::start(
		[ 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/$client.sql",
			'-d', $node->connstr('postgres') ],
		'>', "$folder/$client.out", '2>', "$folder/$client.err");
}

# Crash in full swing: a checkpoint in between, so that both sides of it matter.
$node->poll_query_until('postgres', 'SELECT count(*) > 500 FROM commerce.orders');
$node->safe_psql('postgres', 'CHECKPOINT');
my $at_checkpoint = $node->safe_psql('postgres', 'SELECT count(*) FROM commerce.orders');
$node->poll_query_until('postgres',
	"SELECT count(*) > $at_checkpoint + 500 FROM commerce.orders");
$node->stop('immediate');
$_->finish for @psql;
$node->start;

is_sound($node, 'no invariant is violated after the crash');

my $acknowledged = 0;
foreach my $client (1 .. $clients)
{
	my $seen = slurp_file("$folder/$client.out");
	# By a connection lost (2), or by what the server still had to say of it (3).
	like($psql[ $client - 1 ]->result, qr/^[23]$/, "client $client was cut off");

	# Compare before replaying: a replay must not be what makes them appear.
	$node->safe_psql('postgres', 'CREATE TABLE IF NOT EXISTS public.seen
		(user_id bigint, key text, order_id bigint)');
	my $rows = join ",\n", map { my ($key, $id) = split /\|/; "($client, '$key', $id)" }
		split /\n/, $seen;
	my $count = () = $seen =~ /\n/g;
	cmp_ok($count, '>', 0, "client $client had seen commits");
	$acknowledged += $count;
	$node->safe_psql('postgres', "INSERT INTO public.seen VALUES $rows");
}

cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM commerce.orders'), '<=',
	$acknowledged + $clients, 'no more than one order a client was on its way');
is($node->safe_psql('postgres', 'SELECT count(*) FROM public.seen s
		LEFT JOIN commerce.orders o USING (order_id, user_id)
		WHERE o.status IS DISTINCT FROM $$paid$$'),
	'0', 'every acknowledged order is there, and paid');

my $orders = $node->safe_psql('postgres', 'SELECT count(*) FROM commerce.orders');
is($node->safe_psql('postgres', "SELECT count(*) FROM public.seen s,
		LATERAL commerce.place_order(s.user_id, '$items', NULL, s.key) r
		WHERE r.order_id <> s.order_id"),
	'0', 'every acknowledged key stands for its order');
is($node->safe_psql('postgres', 'SELECT count(*) FROM commerce.orders'), $orders,
	'replaying them placed none');

is($node->safe_psql('postgres', "
		SELECT order_id > (SELECT max(order_id) FROM commerce.orders)
		FROM commerce.place_order(1, '$items')"),
	't', 'the shop goes on, with an id of its own');
is_sound($node, 'no invariant is violated by going on');
log_is_clean($node, 'nothing but the crash that was asked for');

$node->stop;
done_testing();
