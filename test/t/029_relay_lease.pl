# Many relays side by side, and how they end: nobody sends what another one holds,
# what was begun is finished, and a lease is never outlived.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('lease');
my $receiver = start_receiver([ secret_file('a') ]);

# How often each event came since the last time.
my $seen = 0;
sub arrived
{
	my @requests = requests($receiver);
	my %arrived;

	$arrived{ $_->{event_id} }++ foreach @requests[ $seen .. $#requests ];
	$seen = @requests;
	return \%arrived;
}

sub twice
{
	my ($arrived) = @_;
	return join ' ', grep { $arrived->{$_} > 1 } sort { $a <=> $b } keys %$arrived;
}

# ---- side by side ----

place($node, 1000);
answer($receiver, '* hold');
my @relays = map { start_relay($node, $receiver, once => 1, concurrency => 4, 'batch-size' => 10) }
	1 .. 2;
ok(wait_until(sub { requests($receiver) == 8 }), 'two relays have four requests each on their way');
answer($receiver, '* slow:10');
is(wait_relay($_), 0, 'two relays deliver side by side') foreach @relays;
my $arrived = arrived();
is(keys %$arrived, 1000, 'all of it');
is(twice($arrived), '', 'nothing twice');
isnt(last_status($_, 'delivered'), 'delivered=0', 'each of them some') foreach @relays;
is($node->safe_psql('postgres', 'SELECT status, max(attempt), count(*) FROM commerce.deliveries GROUP BY 1'),
	'delivered|1|1000', 'the outbox knows');

# ---- SIGTERM ----

# Deliveries have been quick, so the relay claims ten for five slots.
answer($receiver, '* 200');
my $relay = start_relay($node, $receiver, concurrency => 5, 'batch-size' => 10);
place($node, 5);
is_delivered($node, 'before SIGTERM, events are delivered');
arrived();
answer($receiver, '* hold');
place($node, 10);
ok(wait_until(sub { requests($receiver) == $seen + 5 }), 'five requests are on their way');
kill 'TERM', $relay->{pid};
ok(wait_logged($relay, qr/event=stopping .*SIGTERM.* in_flight=5 queued=5\b/),
	'SIGTERM: five are on their way, five wait for that');
place($node);
answer($receiver, '* 200');
is(wait_relay($relay), 0, 'SIGTERM: exit code 0');
$arrived = arrived();
is(keys %$arrived, 5, 'SIGTERM: what was on its way has arrived');
is(twice($arrived), '', 'SIGTERM: once');
is($node->safe_psql('postgres', q(SELECT status, attempt, failures, count(*) FROM commerce.deliveries
		WHERE order_id > 1005 GROUP BY 1, 2, 3 ORDER BY 1, 2)),
	"available|0|0|1\navailable|1|0|5\ndelivered|1|0|5",
	'SIGTERM: and is delivered, what waited is given back, what came later is left alone');
is(last_status($relay, qw(delivered released in_flight queued)),
	'delivered=10 released=5 in_flight=0 queued=0', 'SIGTERM: the last status says so');

forget_events($node);
answer($receiver, '* never');
foreach my $signal ([ TERM => 15 ], [ INT => 2 ])
{
	place($node);
	$relay = start_relay($node, $receiver);
	ok(wait_until(sub { requests($receiver) > $seen }), 'a request is on its way');
	kill $signal->[0], $relay->{pid};
	ok(wait_logged($relay, qr/event=stopping .* in_flight=1 /),
		"SIG$signal->[0]: the relay waits for the answer");
	kill $signal->[0], $relay->{pid};
	is(wait_relay($relay), 128 + $signal->[1], "SIG$signal->[0] again: it ends at once");
	arrived();
	forget_events($node);
}

# ---- the lease ----

# Deliveries have been quick, so the relay claims six for its only slot. Then one
# takes long: what waits for too long must not be sent any more, since another
# relay may claim it. So it is given back, and that one need not wait for it.
my @short = (lease => '12s', timeout => '10s', concurrency => 1);
answer($receiver, '* 200');
$relay = start_relay($node, $receiver, @short);
place($node, 20);
is_delivered($node, 'short leases: quick at first');
arrived();
my $last = $node->safe_psql('postgres', 'SELECT max(order_id) FROM commerce.orders');
answer($receiver, '* 200', $last + 1 . ' hold');
place($node, 6);
ok(wait_logged($relay, qr/event=lease_too_short/), 'short leases: some are too short');
my $other = start_relay($node, $receiver, @short, concurrency => 2);
ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM commerce.deliveries
	WHERE status <> 'delivered')), 'short leases: another relay delivers what is given back');
answer($receiver, '* 200');
is_delivered($node, 'short leases: all are delivered');
is(twice(arrived()), '', 'short leases: none came twice');
is($node->safe_psql('postgres', 'SELECT max(failures) FROM commerce.deliveries'), '0',
	'short leases: none has failed');
is(stop_relay($_), 0, 'short leases: a relay ends as it should') foreach $relay, $other;

# Somebody else has claimed it meanwhile: the ack counts no more.
forget_events($node);
answer($receiver, '* hold');
$relay = start_relay($node, $receiver);
place($node);
ok(wait_until(sub { requests($receiver) > $seen }), 'a request is on its way');
$node->safe_psql('postgres', 'UPDATE commerce.stored_deliveries SET attempt = attempt + 1');
answer($receiver, '* 200');
ok(wait_logged($relay, qr/event=lease_lost/), 'an event of somebody else: the log says so');
is(events($node, 'status'), 'running', 'and it stays theirs');
is(stop_relay($relay), 0, 'the relay goes on');
is(last_status($relay, 'delivered'), 'delivered=0', 'without having counted it');
arrived();

# A relay that sleeps through the end of its lease. Another one delivers; the
# first one's answer counts no more.
forget_events($node);
place($node);
answer($receiver, '* hold 200');
$relay = start_relay($node, $receiver, @short);
ok(wait_until(sub { requests($receiver) > $seen }), 'a request is on its way');
kill 'STOP', $relay->{pid};
$node->poll_query_until('postgres',
	'SELECT clock_timestamp() > locked_until FROM commerce.deliveries');
my ($code) = run_relay($node, $receiver, once => 1);
is($code, 0, 'another relay delivers');
answer($receiver, '* 200');
kill 'CONT', $relay->{pid};
ok(wait_logged($relay, qr/event=lease_lost/), 'the first one logs that its lease is lost');
is(events($node, 'status, attempt'), 'delivered|2', 'the second delivery counts');
is(stop_relay($relay), 0, 'the first one goes on');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
