# Whoever dies while orders come in, be it the relay, its session, the server's
# crash or stop: every event arrives at least once, and the events of one order
# first arrive in their order.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use Test::More;
use Time::HiRes qw(sleep);
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('killed', conf => ['restart_after_crash = on']);
my $receiver = start_receiver([ secret_file('a') ]);
my @patience = (lease => '8s', timeout => '6s');

# Some requests fail, some are slow.
answer($receiver, '* 200', map { ("$_ 500:1 200", ($_ + 1) . ' slow:50') } map { $_ * 10 } 1 .. 500);

# Clients place orders for as long as the server lets them, but no more than a slow
# machine can transmit; in between, an order gets further events.
my $items = items([ 1, 2 ]);
my $one = items([ 1, 1 ]);
my $script = write_file(
	"SELECT order_id FROM commerce.place_order(1 + :client_id, '$items');\n" x 3
	. "SELECT max(order_id) AS last FROM commerce.orders WHERE user_id = 1 + :client_id \\gset\n"
	. "SELECT order_id FROM commerce.refund_order(:last, '$one');\n" x 2);
my $clients;
sub open_shop
{
	$clients = IPC::Run::start([ 'pgbench', '-n', '-c', 3, '-R', 60, '-t', 100, '-f', $script,
			$node->connstr('postgres') ], '>', \my $stdout, '2>', \my $stderr);
	return;
}
sub close_shop
{
	$clients->kill_kill(grace => 1);
	return;
}

my $seen_events = 0;
my $seen_requests = 0;

# Before a shop closes, there is something to look at.
sub enough_is_placed
{
	my ($name) = @_;
	ok(wait_until(sub { $node->safe_psql('postgres',
		"SELECT count(*) > 50 FROM commerce.events WHERE event_id > $seen_events") eq 't' }),
		"$name: there are many events");
	return;
}

# All that was placed since the last time has arrived.
sub all_arrived
{
	my ($name) = @_;
	my $relay = start_relay($node, $receiver, @patience);

	is_delivered($node, "$name: all events are delivered in the end");
	is(stop_relay($relay), 0, "$name: the last relay ends as it should");

	my @requests = requests($receiver);
	my (%orders, %arrived);
	foreach my $request (splice @requests, $seen_requests)
	{
		push @{ $orders{ $request->{order_id} } }, $request->{event_id}
			if $request->{signed_by} eq '1' && !$arrived{ $request->{event_id} }++;
		$seen_requests++;
	}
	my %expected;
	my @rows = split /\n/, $node->safe_psql('postgres',
		"SELECT order_id, event_id FROM commerce.events WHERE event_id > $seen_events
		ORDER BY event_id");
	foreach (@rows)
	{
		(my $order_id, $seen_events) = split /\|/;
		push @{ $expected{$order_id} }, $seen_events;
	}
	is_deeply(\%orders, \%expected, "$name: all have arrived, each order's in order");
	note("$name: " . @rows . ' events, ' . (scalar(map { $_ - 1 } grep { $_ > 1 } values %arrived)) . ' arrived again');
	return;
}

# ---- the relay ----

open_shop();
foreach my $round (1 .. 12)
{
	my $relay = start_relay($node, $receiver, @patience, concurrency => 4, 'batch-size' => 8);
	sleep 0.05 + rand 0.4;
	kill 'KILL', $relay->{pid};
	is(wait_relay($relay), 'signal 9', "the relay is killed, round $round");
}
enough_is_placed('relay killed');
close_shop();
all_arrived('relay killed');

# ---- its session, the server ----

my $relay = start_relay($node, $receiver, @patience);
ok(wait_logged($relay, qr/event=connected/), 'a relay is connected');
open_shop();

# Until the relay has done something, also if the shop has sold enough: its next
# delivery under another session.
sub goes_on
{
	my ($name) = @_;
	my $before = requests($receiver);

	place($node);
	ok(wait_until(sub { requests($receiver) > $before }), "$name: the relay goes on");
	return;
}

foreach my $round (1 .. 8)
{
	sleep 0.05 + rand 0.2;
	$node->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE usename = 'relay'));
	goes_on("session terminated, round $round");
}
enough_is_placed('session terminated');
close_shop();

# Whoever is connected is thrown out at a crash, and nobody gets in before the
# server has recovered.
foreach my $round (1 .. 2)
{
	open_shop();
	goes_on("before crash $round");
	my $session = start_program('/dev/null', '/dev/null', 'psql', '-X',
		'-d', $node->connstr('postgres'), '-c', 'SELECT pg_sleep(3600)');
	ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity
		WHERE wait_event = 'PgSleep')), 'another session is there');
	my $pid;
	ok(wait_until(sub { $pid = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE usename = 'relay' LIMIT 1") }),
		"the relay's session is there");
	kill 'KILL', $pid;
	close_shop();
	isnt(wait_exit($session), 'still running', "session killed, round $round: the server crashes");
	wait_until(sub { is_ready($node) });
	goes_on("session killed, server crashed, round $round");
}

sub connections_lost
{
	return scalar(() = log_of($relay) =~ /event=connection_lost/g);
}

foreach my $mode ('immediate', 'fast')
{
	open_shop();
	goes_on("before the $mode stop");
	my $losses = connections_lost();
	$node->stop($mode);
	close_shop();
	ok(wait_until(sub { connections_lost() > $losses }), "$mode stop: the relay waits");
	$node->start;
	goes_on("$mode stop");
}
like(log_of($relay), qr/$_/, "the log tells of $_") foreach qw(lost connected);
cmp_ok(scalar(() = log_of($relay) =~ /event=(?:connect|not_connected|notice)/g), '<', 100,
	'the log is no flood');
is(stop_relay($relay), 0, 'SIGTERM ends the relay');
all_arrived('session and server lost');

$node->stop;
done_testing();
