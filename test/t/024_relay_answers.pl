# Whatever the receiver answers, or does not: nothing is lost, whoever is to blame
# can be read in SQL or the log, and the event comes again when it should.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IO::Socket::INET;
use Test::More;
use CommerceTest;
use Processes;
use RelayAnswers;
use RelayTest;

my $node = new_shop('answers');
my $receiver = start_receiver([ secret_file('a') ]);

try_answers_of($node, $receiver);

foreach my $fine (qw(200 201 202 204 299 slow:300 flood:200))
{
	my $try = try_answer($fine);
	is("$try->{code} $try->{status} $try->{attempt}", '0 delivered 1', "$fine: delivered");
}

fails('404', '404', qr/^HTTP 404: told/);
fails('304', '304', qr/^HTTP 304/);
fails('endless body', 'flood:404', qr/^HTTP 404: and more/);
is_kept('500', '500', qr/^HTTP 500: told to answer 500$/);
is_kept('unreadable answer', 'rude', qr/^HTTP 500: no/);
is_kept('garbage', 'garbage', $no_answer);
is_kept('endless trailers', 'trailers', qr/headers .* too long/);
is_kept('cut', 'cut', $no_answer);
is_kept('never', 'never', $no_answer, timeout => '300ms');
is_kept('slower than the timeout', 'slow:5000', $no_answer, timeout => '300ms');

my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
is_kept('nobody there', '200', qr/^could not connect: ./, url => "http://127.0.0.1:$closed/");
is_kept('no such host', '200', qr/^could not connect: ./, url => 'http://host.invalid/');

# The event is the same as before the move, and so is the receiver's address.
my $before = requests($receiver);
fails('301', '301', qr/^HTTP 301/);
is(requests($receiver) - $before, 1, '301: is not followed');

# ---- Retry-After ----

# Of an answer that speaks of the event.
sub waits
{
	my ($answer, $least, $most, $name) = @_;
	my $try = try_answer($answer);

	is("$try->{status} $try->{failures}", 'available 1', "$name: will be tried again");
	cmp_ok($try->{after_begin}, '>=', $least, "$name: not sooner");
	cmp_ok($try->{after_end}, '<=', $most, "$name: nor later");
	return;
}

waits('404:100', 100, 100, 'Retry-After in seconds');
# A date has no fraction of a second.
waits('404:+300', 299, 301, 'Retry-After as a date');
waits('404:10000000', 43200, 43200, 'Retry-After beyond 12 hours');
waits('404:+10000000', 43200, 43200, 'a date beyond 12 hours');
waits("404:$_", 4.5, 5.5, "Retry-After $_") foreach qw(0 1 soon -100 1e2 99999999999999999999999x);

# Of one that speaks of the receiver: it is left alone, and with --once the relay ends.
sub is_away
{
	my ($answer, $least_ms, $most_ms, $name) = @_;
	my $try = try_answer($answer);

	is("$try->{code} $try->{status} $try->{failures}", '4 available 0', "$name: is kept without blame");
	my ($wait_ms) = $try->{log} =~ /event=receiver_away next_try_ms=(\d+) /;
	cmp_ok($wait_ms, '>=', $least_ms, "$name: not sooner");
	cmp_ok($wait_ms, '<=', $most_ms, "$name: nor later");
	like($try->{log}, qr/event=stopping reason="the receiver is away"/, "$name: the log tells why it ends");
	return;
}

is_away('429:100', 100_000, 100_000, '429 with Retry-After');
is_away('503:100', 100_000, 100_000, '503 with Retry-After');
is_away('503:+300', 298_000, 301_000, '503 with Retry-After as a date');
is_away('503:10000000', 3_600_000, 3_600_000, '503 with Retry-After beyond an hour');
is_away('429', 1000, 1000, '429 and nothing else');

# ---- the last attempt ----

forget_events($node);
place($node);
answer($receiver, '* 404');
$node->safe_psql('postgres', 'SELECT commerce.retry_event(event_id) FROM commerce.events;
	UPDATE commerce.stored_deliveries SET failures = 9');
my $relay = start_relay($node, $receiver);
ok(wait_until(sub { events($node, 'status') eq 'dead' }), 'the last attempt fails');
is(events($node, 'attempt, last_error'), '1|HTTP 404: told to answer 404',
	'the event is dead, with its last error');
is(stop_relay($relay), 0, 'the relay goes on');
is(last_status($relay, qw(claimed delivered failed dead)),
	'claimed=1 delivered=0 failed=1 dead=1', 'the log counts them');
answer($receiver, '* 200');
$node->safe_psql('postgres', 'SELECT commerce.retry_event(event_id) FROM commerce.events');
my ($code) = run_relay($node, $receiver, once => 1);
is("$code " . events($node, 'status, attempt'), '0 delivered|2', 'retry_event() gives it more');

# ---- 410: the receiver wants no more ----

# The relay has seen that deliveries are quick, and so claims all 20 at once.
forget_events($node);
answer($receiver, '* 200');
$relay = start_relay($node, $receiver, concurrency => 3, 'batch-size' => 20);
place($node, 5);
is_delivered($node, 'before 410, events are delivered');
my $last = $node->safe_psql('postgres', 'SELECT max(order_id) FROM commerce.events');
$before = requests($receiver);
answer($receiver, '* hold', $last + 1 . ' 410 200');
place($node, 20);
ok(wait_logged($relay, qr/event=stopping .*410/), '410: the log says why the relay stops');
answer($receiver, '* 200');
is(wait_relay($relay), 3, '410 stops the relay: exit code 3');
is(requests($receiver) - $before, 3, 'only what was on its way already was sent');
is($node->safe_psql('postgres', "SELECT status, attempt, failures, count(*) FROM commerce.deliveries
		WHERE order_id > $last GROUP BY 1, 2, 3 ORDER BY 1, 2"),
	"available|1|0|18\ndelivered|1|0|2",
	'the others on their way are delivered, the rest is given back without blame');
is($node->safe_psql('postgres', 'SELECT subscription, paused_at IS NOT NULL, paused_until, pause_reason
		FROM commerce.subscriptions'), 'default|t||the endpoint answered 410',
	'the subscription is paused, and says why');
($code) = run_relay($node, $receiver, once => 1);
is("$code " . (requests($receiver) - $before), '0 3', 'no relay sends anything more');

# Nothing is lost: once the endpoint is back, everything comes.
$node->safe_psql('postgres', q(SELECT FROM commerce.resume_subscription('default')));
($code) = run_relay($node, $receiver, once => 1);
is("$code " . $node->safe_psql('postgres',
		'SELECT status, count(*) FROM commerce.deliveries GROUP BY 1'), '0 delivered|25',
	'later, everything comes');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
