# Who is to blame: one poisoned event among good ones comes to its end alone, and
# holds up nobody for long; a receiver that is killed, or takes only so many
# requests a second, costs no event anything.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(sleep);
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('blame');
my $secret = secret_file('a');
my $receiver = start_receiver([$secret]);

# A new event, whose id is its order's; all others are forgotten.
sub place_first
{
	forget_events($node);
	place($node);
	return $node->safe_psql('postgres', 'SELECT event_id FROM commerce.events');
}

sub state_of
{
	my ($event_id) = @_;
	return $node->safe_psql('postgres',
		"SELECT status, failures FROM commerce.deliveries WHERE event_id = $event_id");
}

sub others_are_fine
{
	my ($event_id, $name) = @_;
	ok($node->poll_query_until('postgres', "SELECT bool_and(status = 'delivered')
		FROM commerce.deliveries WHERE event_id <> $event_id"), "$name: all others arrive");
	is($node->safe_psql('postgres', "SELECT max(failures) FROM commerce.deliveries
		WHERE event_id <> $event_id"), '0', "$name: nothing is held against them");
	return;
}

# ---- poisoned ----

# Without waiting for its next attempts, as long as good events come in between.
foreach my $case ([ 'refused', '400', 0 ], [ 'an error', '500', 1 ], [ 'no answer', 'never', 1 ])
{
	my ($name, $answer, $released) = @$case;
	my $poisoned = place_first();
	answer($receiver, '* 200', "$poisoned $answer");
	my $relay = start_relay($node, $receiver, timeout => '300ms');

	ok(wait_until(sub {
		place($node, 3);
		hurry_events($node);
		state_of($poisoned) eq 'dead|10';
	}), "$name: the event dies of ten failures");
	others_are_fine($poisoned, $name);
	is(stop_relay($relay), 0, "$name: SIGTERM ends the relay");
	is(last_status($relay, qw(failed dead)), 'failed=10 dead=1', "$name: the relay counts them");
	cmp_ok($node->safe_psql('postgres', "SELECT attempt FROM commerce.deliveries
		WHERE event_id = $poisoned"), '>=', 10 + $released, "$name: and the attempts");
}

# Nothing else comes: what was learned when something did counts.
my $poisoned = place_first();
answer($receiver, '* 200', "$poisoned 500");
my $relay = start_relay($node, $receiver);
ok(wait_until(sub { place($node); state_of($poisoned) eq 'available|1' }), 'alone: it has failed once');
others_are_fine($poisoned, 'alone');
ok(wait_until(sub { hurry_events($node); state_of($poisoned) eq 'dead|10' }), 'alone: it dies');
is(stop_relay($relay), 0, 'alone: SIGTERM ends the relay');

# A shop with little to do: the poisoned event looks like a receiver that is away.
$poisoned = place_first();
answer($receiver, '* 200', "$poisoned 500");
$relay = start_relay($node, $receiver);
ok(wait_logged($relay, qr/event=receiver_away/), 'only one event, and it is poisoned: away');
is(state_of($poisoned), 'available|0', 'nothing tells who is to blame');
place($node);
others_are_fine($poisoned, 'little to do');
ok(wait_logged($relay, qr/event=receiver_back/), 'the next event shows that it is there');
ok(wait_until(sub { hurry_events($node); state_of($poisoned) =~ /\|[1-9]/ }),
	'and who is to blame');
is(stop_relay($relay), 0, 'little to do: SIGTERM ends the relay');

# ---- killed in the middle ----

place_first();
answer($receiver, '* slow:20');
$relay = start_relay($node, $receiver);
foreach my $round (1 .. 3)
{
	my $before = requests($receiver);
	place($node, 200);
	ok(wait_until(sub { requests($receiver) > $before + 20 }), "killed, round $round: it is at work");
	stop_receiver($receiver);
	ok(wait_until(sub { $round <= (() = log_of($relay) =~ /event=receiver_away/g) }),
		"killed, round $round: away");
	$receiver = start_receiver([$secret], again => $receiver);
	is_delivered($node, "killed, round $round: all arrive");
}
is($node->safe_psql('postgres', 'SELECT max(failures) FROM commerce.deliveries'), '0',
	'killed: nothing has failed');
is(stop_relay($relay), 0, 'killed: SIGTERM ends the relay');

# Two relays on one subscription; nobody sends what another one has.
place_first();
answer($receiver, '* 503');
my @relays = map { start_relay($node, $receiver, concurrency => 4) } 1 .. 2;
place($node, 300);
ok(wait_logged($_, qr/event=receiver_away/), 'two relays: both know it to be away') foreach @relays;
answer($receiver, '* 200');
is_delivered($node, 'two relays: all arrive');
is(stop_relay($_), 0, 'two relays: SIGTERM ends a relay') foreach @relays;
my %times;
$times{ $_->{event_id} }++ foreach grep { $_->{answer} eq '200' } requests($receiver);
is(scalar(grep { $_ > 1 } values %times), 0, 'two relays: each once');

# ---- so many requests a second ----

# How near it comes to the limit is measured in 034_relay_receiver.pl.
foreach my $limit ('limit:3', 'limit:3:1')
{
	place_first();
	answer($receiver, "* $limit");
	place($node, 40);
	$relay = start_relay($node, $receiver);
	is_delivered($node, "$limit: all arrive");
	is($node->safe_psql('postgres', 'SELECT max(failures) FROM commerce.deliveries'), '0',
		"$limit: nothing has failed");
	my ($seconds) = $node->safe_psql('postgres', 'SELECT extract(epoch FROM max(delivered_at) -
		min(delivered_at)) FROM commerce.deliveries');
	cmp_ok($seconds, '<', 41 / 1.5, "$limit: not much slower than they may");
	is(stop_relay($relay), 0, "$limit: SIGTERM ends the relay");
	unlike(log_of($relay), qr/event=receiver_away/, "$limit: it is not away");
	like(log_of($relay), qr/event=status .*receiver=limiting/, "$limit: it is limiting");
}

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
