# The switch from one server to another by logical replication, and back, by the very
# commands of doc/operation.md, while sessions place, hold, pay, cancel and charge, and
# one transmits. What they were told happened has happened, on whatever server it is
# looked for afterwards; no id comes twice; every event is delivered, in its order's order.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;
use Documents;
use Processes;

# ---- the commands ----

my ($section) = document('doc/operation.md') =~
	/^## A logical subscriber, and the switch to it\n(.*?)^## /ms;
my @commands = map { $_->[1] } grep { $_->[0] eq 'console' } blocks($section);
my %block;
@block{qw(settings prepare copy stop shut_out wait become open keep_slot follow end)} = @commands;
is(scalar @commands, 11, 'the document has all commands');

my (%server, $from, $to);

# Runs the block between two servers, and returns what it prints.
sub run_block
{
	my ($name, $commands) = @_;
	my $settings = $block{settings} =~ s/^export (?:OLD|NEW)=.*\n//mgr;
	my $script = write_file("set -e -o pipefail\n$settings" . ($commands // $block{$name}));
	local $ENV{OLD} = $server{$from};
	local $ENV{NEW} = $server{$to};
	my ($stdout, $stderr) = ('', '');

	ok(IPC::Run::run([ 'timeout', '300', 'bash', $script ], '>', \$stdout, '2>', \$stderr), "$from to $to: $name")
		or die $stderr;
	return $stdout;
}

# ---- the servers ----

my @conf = ("shared_preload_libraries = 'commerce'", "commerce.databases = 'shop'", 'max_prepared_transactions = 5',
	'wal_retrieve_retry_interval = 500ms');
my %node = map { ($_ => new_server($_, empty => 1, init => { allows_streaming => 'logical' }, conf => \@conf)) } qw(old new);
$server{$_} = sprintf 'host=%s port=%s dbname=shop user=postgres', $node{$_}->host, $node{$_}->port foreach keys %node;

$node{old}->safe_psql('postgres', 'CREATE DATABASE shop; CREATE ROLE shop_app LOGIN; CREATE ROLE shop_relay LOGIN');
$node{old}->safe_psql('shop', q(
	CREATE EXTENSION commerce;
	SELECT commerce.grant_access('shop_app', 'app'), commerce.grant_access('shop_relay', 'relay');
	ALTER TABLE commerce.orders ADD COLUMN channel text NOT NULL DEFAULT 'web';
	CREATE INDEX orders_channel_idx ON commerce.orders (channel);
	CREATE TABLE notes (note_id bigserial PRIMARY KEY, order_id bigint);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
		'BEGIN INSERT INTO public.notes (order_id) VALUES (NEW.order_id); RETURN NEW; END';
	CREATE TRIGGER note AFTER INSERT ON commerce.orders FOR EACH ROW EXECUTE FUNCTION note();
	SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 1000000000))
	FROM generate_series(1, 4) id;
	SELECT FROM commerce.create_product('shirt', 1);
	SELECT count(commerce.create_product_option(1, 'red', 10, 1000000, id)) FROM generate_series(1, 2) id;
	CREATE TABLE careless (n integer);));

# ---- the load ----

my $items = items([ 1, 1 ], [ 2, 2 ]);
my (%printed, %pid);

sub start_session
{
	my ($name, $role, $sql) = @_;
	my $connstr = $server{$from} =~ s{user=.*}{user=$role}r;

	$printed{$name} //= new_file();
	$pid{$name} = start_program(">$printed{$name}", new_file(), 'psql', '-XAtq', '-d', $connstr, '-f', write_file($sql, 0644));
	return;
}

# Each buyer goes on for some minutes, unless it is cut off.
sub start_load
{
	foreach my $buyer (1 .. 4)
	{
		start_session($buyer, 'shop_app', join '', map { <<"SQL" } 1 .. 6000);
SELECT 'charge', user_id, entry_no, amount FROM commerce.charge_balance($buyer, 5);
SELECT 'place', order_id, total FROM commerce.place_order($buyer, '$items', NULL, '$from-$buyer-$_');
SELECT 'cancel', order_id, refunded FROM commerce.cancel_order(
	(SELECT max(order_id) FROM commerce.orders WHERE user_id = $buyer AND status = 'paid' AND order_id % 3 = 0));
SELECT 'hold', order_id, total FROM commerce.hold_order($buyer, '$items', NULL, '1 hour');
SELECT 'pay', order_id, total FROM commerce.pay_order(
	(SELECT max(order_id) FROM commerce.orders WHERE user_id = $buyer AND status = 'pending' AND expires_at > now() + '1 minute'));
SELECT 'hold', order_id, total FROM commerce.hold_order($buyer, '$items', NULL, '3 seconds');
SELECT pg_sleep(0.02);
SQL
	}
	# What it claims in every fourth round it forgets to acknowledge.
	start_session('relay', 'shop_relay', join '', map { transmit() . ($_ % 4 ? acknowledge() : '') } 1 .. 6000);
	return;
}

sub transmit
{
	my ($limit) = (@_, 50);

	return qq(SELECT coalesce(array_agg(event_id), '{}') AS ids, coalesce(array_agg(attempt), '{}') AS attempts,
			coalesce(string_agg(format('deliver|%s|%s|%s|%s', event_id, attempt, order_id, event_type), chr(10)), '') AS told
		FROM (SELECT * FROM commerce.claim_events($limit, '2 seconds') ORDER BY event_id) c \\gset
		\\echo :told
		SELECT pg_sleep(0.02);
	);
}
sub acknowledge { return "SELECT commerce.ack_events(:'ids', :'attempts');\n" }

# The sessions that were cut off, of five.
sub end_of_load
{
	return scalar grep { wait_exit($_) eq '2' } delete @pid{ keys %pid };
}

# What they printed: lists of fields.
sub told
{
	my ($name, $kind) = @_;
	return map { [ split /\|/ ] } grep { /^$kind\|/ } split /\n/, slurp_file($printed{$name});
}

# Waits until the server has that many orders more.
sub goes_on
{
	my ($more) = @_;
	my $orders = $node{$from}->safe_psql('shop', 'SELECT count(*) FROM commerce.orders');

	return ok($node{$from}->poll_query_until('shop', "SELECT count(*) >= $orders + $more FROM commerce.orders"),
		"$from: the load goes on");
}

# ---- what must hold ----

# What the buyers were told that the database says otherwise.
sub is_kept
{
	my ($node, $name) = @_;
	my @told = map { my $buyer = $_; map { [ $buyer, @$_ ] } told($buyer, '\w+') } 1 .. 4;
	my $rows = join ',', map { sprintf "(%d, '%s', %d, %d)", $_->[0], $_->[1], $_->[1] eq 'charge' ? @$_[ 3, 4 ] : @$_[ 2, 3 ] } @told;

	cmp_ok(scalar @told, '>', 100, "$name: sessions were told of " . @told . ' calls');
	is($node->safe_psql('shop', qq(
		SELECT * FROM (VALUES $rows) t (buyer, call, id, amount)
		WHERE CASE call
			WHEN 'charge' THEN NOT EXISTS (SELECT FROM commerce.balance_history h
				WHERE h.user_id = buyer AND entry_no = id AND h.amount = t.amount AND type = 'charge')
			ELSE NOT EXISTS (SELECT FROM commerce.orders o WHERE order_id = id AND o.user_id = buyer
				AND CASE call WHEN 'cancel' THEN status = 'cancelled' AND refunded = t.amount
					ELSE total = t.amount END
				AND (call = 'hold' OR paid_at IS NOT NULL))
			END)), '', "$name: all of it is there");
	is($node->safe_psql('shop', 'SELECT count(*) FROM (SELECT order_id FROM notes GROUP BY 1 HAVING count(*) > 1) n'), 0,
		"$name: no trigger fired twice");
	is_sound($node, "$name: it is sound", 'shop');
	return;
}

# The rest is delivered. Every event was, each attempt once, and those of an order in
# their order.
sub is_delivered
{
	my ($node, $name) = @_;
	my $count = -1;

	ok(wait_until(sub {
		my $sql = transmit(1000) . acknowledge();
		my $out = $node->safe_psql('shop', $sql);
		append_to_file($printed{relay}, "$out\n");
		$count = $node->safe_psql('shop', q(SELECT count(*) FROM commerce.deliveries WHERE status <> 'delivered'));
		return $count == 0;
	}), "$name: all is delivered") or diag("$count are not");

	my (%attempts, %last, @wrong);
	foreach (told('relay', 'deliver'))
	{
		my (undef, $event, $attempt, $order) = @$_;
		push @wrong, "event $event twice" if $attempts{$event}{$attempt}++;
		push @wrong, "event $event late" if keys %{ $attempts{$event} } == 1 && ($last{$order} // 0) > $event;
		$last{$order} = $event;
	}
	is("@wrong", '', "$name: each attempt once, each order's events in their order");
	my @lost = grep { !$attempts{$_} } split /\n/, $node->safe_psql('shop', 'SELECT event_id FROM commerce.events');
	is("@lost", '', "$name: none was lost");
	is($node->safe_psql('shop', 'SELECT count(*) - count(DISTINCT event_id) FROM commerce.events'), 0,
		"$name: no event's id came twice");
	return;
}

sub positions
{
	my ($node) = @_;
	return map { split /\|/ } split /\n/, $node->safe_psql('shop', q(SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences));
}

# A client that sets back what keeps it from writing is cut off.
sub shut_out
{
	my ($sql) = @_;
	local $ENV{PGUSER} = 'shop_app';
	my $stubborn = $node{$from}->background_psql('shop');
	my $stderr = '';

	$stubborn->query_safe($sql);
	run_block('shut_out');
	ok(!eval { $stubborn->query_safe($sql); 1 }, 'a client that sets it back is cut off');
	eval { $stubborn->quit };
	$node{$from}->psql('shop', $sql, stderr => \$stderr);
	like($stderr, qr/permission denied for database "shop"/, 'and does not come back');
	return;
}

# Steps 3 to 5, checked.
sub close_and_become
{
	my %is = @_;
	my $order = "SELECT FROM commerce.place_order(1, '$items')";

	is(run_block('stop') =~ s/^\d+\n//mgr, '', 'no transaction is prepared');
	is(end_of_load(), 5, 'all sessions were cut off');
	is(sqlstates($node{$from}, $order, dbname => 'shop'), '25006', 'who writes is refused');
	shut_out("SET default_transaction_read_only = off; $order") if $is{shuts_out};
	run_block('wait');
	is_deeply(rows($node{$to}, 'shop'), rows($node{$from}, 'shop'), "$to has what $from has");
	my %before = positions($node{$from});

	run_block('keep_slot');
	my ($drop, $rest) = $block{become} =~ /^(.*?\n)(.*)/s;
	forget_a_step($drop, $order) if $is{forgets};
	is(run_block('become', $is{forgets} ? $rest : undef) =~ s/\s//gr, '', 'verify() finds nothing');
	my %after = positions($node{$to});
	is(join(' ', grep { $after{$_} < $before{$_} } sort keys %before), '', 'every sequence is where it was, or further');
	return;
}

# Before the subscription is dropped, and before the sequences are set.
sub forget_a_step
{
	my ($drop, $order) = @_;
	my ($stdout, $stderr) = ('', '');
	my $count = 'SELECT count(*), sum(subtotal) FROM commerce.orders';

	$node{$to}->psql('shop', 'SELECT commerce.expire_orders()', stdout => \$stdout, stderr => \$stderr);
	is($stdout, 0, 'a subscriber expires nothing');
	like($stderr, qr/WARNING:  no order is expired: commerce.orders belongs to a subscription/, 'and says so');
	is($node{$to}->safe_psql('shop', q(SELECT count(*) FROM commerce.metrics()
		WHERE name = 'commerce_orders_expired_total' AND value > 0)), 0, 'nor has its notifier done so');
	run_block('drop the subscription', $drop);
	my $before = $node{$to}->safe_psql('shop', $count);
	is(sqlstates($node{$to}, $order, dbname => 'shop'), '23505', 'without the sequences an order fails');
	is($node{$to}->safe_psql('shop', $count), $before, 'and changes nothing');
	is_sound($node{$to}, 'nothing at all', 'shop');
	return;
}

# ---- there, under load ----

($from, $to) = qw(old new);
start_load();
goes_on(100);
my ($find, $rest) = $block{prepare} =~ /^(.*?;?\n.*?indisprimary\)"\n)(.*)/s;
is(run_block('which tables have no key', $find), "careless\n", 'a table without a key is found');
$node{old}->safe_psql('shop', 'DROP TABLE careless');
is(run_block('prepare'), '', 'now none is');
run_block('copy');
goes_on(100);
# So many events are left that a claim there writes down how far it has got.
$node{old}->safe_psql('shop', "SELECT FROM commerce.pause_subscription('default'); "
	. "SELECT FROM commerce.place_order(3, '$items');" x 200);
close_and_become(shuts_out => 1, forgets => 1);
run_block('open');
is_kept($node{new}, 'there');
$node{new}->safe_psql('shop', "SELECT FROM commerce.place_order(2, '$items');" x 20);
ok($node{new}->poll_query_until('shop', q(SELECT count(*) = 0 FROM commerce.orders
	WHERE status = 'pending' AND expires_at < now())), 'what was not paid in time expires');
$node{new}->safe_psql('shop', "SELECT FROM commerce.resume_subscription('default')");
is_delivered($node{new}, 'there');

# ---- and back ----

run_block('follow');
($from, $to) = qw(new old);
start_load();
goes_on(100);
close_and_become();
run_block('open');
is_kept($node{old}, 'back');
$node{old}->safe_psql('shop', "SELECT FROM commerce.place_order(2, '$items');" x 200);
ok($node{old}->poll_query_until('shop', q(SELECT count(*) = 0 FROM commerce.orders
	WHERE status = 'pending' AND expires_at < now())), 'what was not paid in time expires here too');
is_delivered($node{old}, 'back');

# ---- nobody will go there again ----

run_block('follow');
run_block('end');
foreach my $name (sort keys %node)
{
	is($node{$name}->safe_psql('shop', 'SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_subscription)'),
		0, "$name: nothing is kept for anybody");
}
log_is_clean($_, 'no process crashed') for values %node;
$_->stop for values %node;
done_testing();
