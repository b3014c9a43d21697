# Whatever the receiver answers, or does not: nothing is lost, what went wrong can
# be read in SQL, and the event comes again when it should.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IO::Socket::INET;
use Test::More;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('answers');
my $receiver = start_receiver([ secret_file('a') ]);

# One event and one try: its exit code, and what the outbox says of it. The next
# try is so many seconds after the relay began, and so many after it ended.
sub try_answer
{
	my ($answer, %options) = @_;

	$node->safe_psql('postgres', 'TRUNCATE commerce.events, commerce.stored_deliveries');
	place($node);
	answer($receiver, "* $answer");
	my ($begin) = $node->safe_psql('postgres', 'SELECT extract(epoch FROM clock_timestamp())');
	my ($code, $log) = run_relay($node, $receiver, once => 1, %options);
	my ($end) = $node->safe_psql('postgres', 'SELECT extract(epoch FROM clock_timestamp())');
	my $row = $node->safe_psql('postgres', "SELECT status, attempt, last_error,
		extract(epoch FROM next_attempt_at) - $begin, extract(epoch FROM next_attempt_at) - $end
		FROM commerce.deliveries");
	my %try = (code => $code, log => $log);

	@try{qw(status attempt error after_begin after_end)} = split /\|/, $row;
	return \%try;
}

# What libcurl says in its own words: not that there was an answer.
my $no_answer = qr/^(?!HTTP \d)\S.*\w/;

# It failed, and will be tried again after the usual 5 s, +- 10 %.
sub fails
{
	my ($name, $answer, $error, %options) = @_;
	my $try = try_answer($answer, %options);

	is("$try->{code} $try->{status} $try->{attempt}", '4 available 1', "$name: will be tried again");
	like($try->{error}, $error, "$name: last_error");
	is($try->{error} =~ /[^ -~]/, '', "$name: is one readable line");
	cmp_ok(length $try->{error}, '<', 500, "$name: and no novel");
	cmp_ok($try->{after_begin}, '>=', 4.5, "$name: after the usual while");
	cmp_ok($try->{after_end}, '<=', 5.5, "$name: and no longer");
	like($try->{log}, qr/event_id=\d+ .*order_id=\d+ .*attempt=1 /s, "$name: the log tells of it");
	return;
}

foreach my $fine (qw(200 201 202 204 299 slow:300 flood:200))
{
	my $try = try_answer($fine);
	is("$try->{code} $try->{status} $try->{attempt}", '0 delivered 1', "$fine: delivered");
}

fails('500', '500', qr/^HTTP 500: told to answer 500$/);
fails('404', '404', qr/^HTTP 404: told/);
fails('304', '304', qr/^HTTP 304/);
fails('unreadable answer', 'rude', qr/^HTTP 500: no/);
fails('garbage', 'garbage', $no_answer);
fails('endless trailers', 'trailers', qr/headers .* too long/);
fails('endless body', 'flood:500', qr/^HTTP 500: and more/);
fails('cut', 'cut', $no_answer);
fails('never', 'never', $no_answer, timeout => '300ms');
fails('slower than the timeout', 'slow:5000', $no_answer, timeout => '300ms');

my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
fails('nobody there', '200', qr/^could not connect: ./, url => "http://127.0.0.1:$closed/");
fails('no such host', '200', qr/^could not connect: ./, url => 'http://host.invalid/');

# The event is the same as before the move, and so is the receiver's address.
my $before = requests($receiver);
fails('301', '301', qr/^HTTP 301/);
is(requests($receiver) - $before, 1, '301: is not followed');

# ---- Retry-After ----

sub waits
{
	my ($answer, $least, $most, $name) = @_;
	my $try = try_answer($answer);

	is("$try->{status} $try->{attempt}", 'available 1', "$name: will be tried again");
	cmp_ok($try->{after_begin}, '>=', $least, "$name: not sooner");
	cmp_ok($try->{after_end}, '<=', $most, "$name: nor later");
	return;
}

waits('429:100', 100, 100, 'Retry-After in seconds');
# A date has no fraction of a second.
waits('429:+300', 299, 301, 'Retry-After as a date');
waits('503:100', 100, 100, 'Retry-After with 503');
waits('503:10000000', 43200, 43200, 'Retry-After beyond 12 hours');
waits('503:+10000000', 43200, 43200, 'a date beyond 12 hours');
waits("429:$_", 4.5, 5.5, "Retry-After $_") foreach qw(0 soon -100 1e2 99999999999999999999999x);

# ---- the last attempt ----

$node->safe_psql('postgres', 'TRUNCATE commerce.events, commerce.stored_deliveries');
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
$node->safe_psql('postgres', 'TRUNCATE commerce.events, commerce.stored_deliveries');
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
is($node->safe_psql('postgres', "SELECT status, attempt, last_error FROM commerce.deliveries
		WHERE order_id > $last AND (status = 'delivered' OR last_error IS NOT NULL)
		ORDER BY event_id"),
	"available|1|HTTP 410: told to answer 410\ndelivered|1|\ndelivered|1|",
	'one is refused, the others on their way are delivered');

# Nothing is lost: once the endpoint is back, everything comes, what had been
# claimed and not sent too.
$node->safe_psql('postgres', q(UPDATE commerce.stored_deliveries
	SET due_at = now() WHERE status IN ('available', 'running')));
($code) = run_relay($node, $receiver, once => 1);
is("$code " . $node->safe_psql('postgres',
		'SELECT status, count(*) FROM commerce.deliveries GROUP BY 1'), '0 delivered|25',
	'later, everything comes');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
