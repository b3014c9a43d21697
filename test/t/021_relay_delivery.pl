# An order reaches the outside: signed, with the headers and exactly the payload
# it should have, under one id however often it is sent, and the events of one
# order one after the other.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('delivery');
my $receiver = start_receiver([ secret_file('a') ]);

# ---- one order ----

place($node);
my ($code, $log) = run_relay($node, $receiver, once => 1);
is($code, 0, 'with --once, the relay ends when all is delivered');
is(events($node, 'event_id, status, attempt, delivered_at IS NOT NULL'), '1|delivered|1|t',
	'the event is delivered at the first attempt');

my @requests = requests($receiver);
is(@requests, 1, 'one request came');
is_deeply([ @{ $requests[0] }{qw(event_id order_id event_type signed_by)} ],
	[ 1, 1, 'order.paid', 1 ], 'the receiver verifies its signature');

my ($head, $body) = split /\r\n\r\n/, slurp_file($receiver->{raw}), 2;
my ($request, @headers) = split /\r\n/, $head;
my %header = map { /^([^:]+): (.*)/ ? (lc($1), $2) : () } @headers;
is($request, 'POST /orders HTTP/1.1', 'it is a POST to the URL');
is($header{'content-type'}, 'application/json', 'of JSON');
is($header{'content-length'}, length $body, 'of a length told beforehand');
like($header{'user-agent'}, qr{^commerce_relay/1\.\d}, 'by commerce_relay');
is($header{'webhook-id'}, '1', 'webhook-id is the event_id');
cmp_ok(abs($header{'webhook-timestamp'} - $requests[0]{time}), '<', 60,
	'webhook-timestamp is the time');
like($header{'webhook-signature'}, qr{^v1,[A-Za-z0-9+/]{43}=$}, 'webhook-signature is one');
ok(!exists $header{expect}, 'nobody waits for 100 Continue');

# The same event claimed once more, and forgotten again.
my $payload = $node->safe_psql('postgres', q(
	BEGIN;
	SELECT FROM commerce.retry_event(1);
	SELECT payload FROM commerce.claim_events();
	ROLLBACK;));
is($body, $payload, 'the body is the payload, byte for byte');
is(decode_json($body)->{data}{order}{total}, 10, 'which tells of the order');

($code, $log) = run_relay($node, $receiver, once => 1);
is($code, 0, 'with --once and nothing to do, it ends');
is(requests($receiver), 1, 'without a request');

# ---- many, some of which fail at first ----

place($node, 300, 10);
answer($receiver, '* 200', map { "$_ 400 404 204" } 50 .. 60);
my $relay = start_relay($node, $receiver, concurrency => 7, 'batch-size' => 13,
	'status-interval' => '100ms');
is_delivered($node, '300 orders are delivered', hurry => 1);
ok(wait_until(sub { 3 < (() = log_of($relay) =~ /event=status/g) }), 'the log has status lines');
is(stop_relay($relay), 0, 'SIGTERM ends the relay');

@requests = requests($receiver);
is(scalar(grep { $_->{signed_by} ne '1' } @requests), 0, 'every request is signed');
my %answers;
push @{ $answers{ $_->{event_id} } }, "$_->{order_id} $_->{answer}" foreach @requests;
is(keys %answers, 301, 'every event came');
is_deeply([ map { @{ $answers{$_} } } 50 .. 60 ],
	[ map { ("$_ 400", "$_ 404", "$_ 204") } 50 .. 60 ],
	'what failed came again, under its id');
is(scalar(grep { @{ $answers{$_} } != 1 } keys %answers), 11, 'and nothing else did');
is($node->safe_psql('postgres', "SELECT string_agg(event_id::text, ' ' ORDER BY event_id)
		FROM commerce.deliveries WHERE attempt = 3"), join(' ', 50 .. 60),
	'their deliveries count three attempts');

is(last_status($relay, qw(claimed delivered failed dead in_flight queued lag_ms)),
	'claimed=322 delivered=300 failed=22 dead=0 in_flight=0 queued=0 lag_ms=0',
	'the last status line counts them');

# ---- several events of one order ----

answer($receiver, '* 200', '7 slow:30', '8 400 slow:30');
my %events;
foreach my $round (1 .. 4)
{
	push @{ $events{$_} }, add_event($node, $_) foreach 5 .. 9;
}
my $before = requests($receiver);
$relay = start_relay($node, $receiver);
is_delivered($node, '4 events each of 5 orders are delivered', hurry => 1);
is(stop_relay($relay), 0, 'SIGTERM ends the relay');

my %came;
my @later = requests($receiver);
foreach my $request (splice @later, $before)
{
	push @{ $came{ $request->{order_id} } }, $request->{event_id};
}
is_deeply($came{$_}, $events{$_}, "order $_: each event once, in order") foreach 5, 6, 7, 9;
is_deeply($came{8}, [ map { ($_, $_) } @{ $events{8} } ],
	'order 8: none before the one before it has arrived');

# The relay looks for more while the first of them is on its way, and finds none.
answer($receiver, '* slow:200');
add_event($node, 5) foreach 1 .. 4;
($code) = run_relay($node, $receiver, once => 1, 'poll-interval' => '10ms');
is($code, 0, '--once ends');
is($node->safe_psql('postgres', "SELECT count(*) FROM commerce.deliveries WHERE status <> 'delivered'"),
	'0', 'only when the last event of an order is delivered');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
