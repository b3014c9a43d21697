# The receivers that doc/transmission.md shows, in Node and in Python: they have each
# event once, take nothing that the relay has not signed just now, and live on.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Digest::SHA 'hmac_sha256_base64';
use HTTP::Tiny;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Documents;
use NodeModules;
use Processes;
use RelayTest;

my $node = new_shop('receivers');
my @blocks = map { $_->[1] } blocks(document('doc/transmission.md'));
my $folder = new_node_folder();
my $secret = secret_file('a');
my $other = secret_file('b');
write_file(slurp_file($secret), 0600, "$folder/secret");

# A receiver that the document shows under this name; {url} is where it listens.
sub start_shown
{
	my ($command, $name) = @_;
	my ($program) = grep { m{\A(?:#|//) \Q$name\E\n} } @blocks or die "no $name is shown";
	my %receiver = (out => new_file(), err => new_file(), secrets => [$secret]);

	write_file($program, 0600, "$folder/$name");
	$receiver{pid} = start_program($receiver{out}, $receiver{err}, 'sh', '-c',
		"cd '$folder' && exec $command $name");
	wait_until(sub { (-e $receiver{out} && slurp_file($receiver{out}) =~ /\n/)
		  || waitpid($receiver{pid}, 1) != 0 });
	($receiver{url}) = slurp_file($receiver{out}) =~ /\A(\S+)\n/
	  or die 'no receiver: ' . slurp_file($receiver{err});
	return \%receiver;
}

# What it says of events, but for what it said before the last forget_said().
sub said
{
	my ($receiver) = @_;
	my (undef, @lines) = split /\n/, slurp_file($receiver->{out});

	return splice @lines, $receiver->{read} // 0;
}
sub forget_said
{
	my ($receiver) = @_;
	$receiver->{read} += () = said($receiver);
	return;
}

# Orders that are paid, and some of them refunded; what a receiver is to say of them.
sub shop
{
	my ($three, $one) = map { items([ 1, $_ ]) } 3, 1;

	my $last = $node->safe_psql('postgres', 'SELECT coalesce(max(event_id), 0) FROM commerce.events');

	$node->safe_psql('postgres', qq(
		SELECT commerce.place_order(2, '$three') FROM generate_series(1, 40);
		SELECT commerce.refund_order(order_id, '$one') FROM commerce.orders
		WHERE user_id = 2 AND status = 'paid' AND order_id % 2 = 0;));
	return split /\n/, $node->safe_psql('postgres', qq(
		SELECT event_id || ' ' || event_type || ' ' || total
		FROM commerce.events JOIN commerce.orders USING (order_id)
		WHERE event_id > $last ORDER BY event_id));
}

sub by_id { return sort { ($a =~ /^(\d+)/)[0] <=> ($b =~ /^(\d+)/)[0] } @_ }

# Those that have failed need not wait for their next attempt.
sub hurry
{
	$node->safe_psql('postgres', q(UPDATE commerce.stored_deliveries SET due_at = now()
		WHERE status = 'available' AND due_at > now()));
	return;
}

# The answer to a request with this body and these, or other, headers.
sub answer_to
{
	my ($receiver, $body, %other) = @_;
	my $key = 'a' x 32;
	my $time = $other{time} // time;
	my $signature = hmac_sha256_base64("7.$time.$body", $key);
	$signature .= '=' while length($signature) % 4;
	my %headers = ('webhook-id' => 7, 'webhook-timestamp' => $time,
		'webhook-signature' => "v1,$signature", %{ $other{headers} // {} });
	delete @headers{ grep { !defined $headers{$_} } keys %headers };

	my $answer = HTTP::Tiny->new(timeout => 60)->post($receiver->{url},
		{ content => $other{body} // $body, headers => \%headers });
	return $answer->{status} == 599 ? $answer->{content} : $answer->{status};
}

foreach my $shown ([ 'node', 'receiver.mjs' ], [ '/usr/bin/python3', 'receiver.py' ])
{
	my $name = $shown->[1];
	my $receiver = start_shown(@$shown);

	# ---- what the relay sends ----

	my @expected = shop();
	is(@expected, 60, "$name: there are events");
	my ($code) = run_relay($node, $receiver, once => 1);
	is($code, 0, "$name: all are delivered");
	is_deeply([ by_id(said($receiver)) ], \@expected, "$name: it has each of them");
	forget_said($receiver);

	my ($first) = $expected[0] =~ /^(\d+)/;
	$node->safe_psql('postgres', "SELECT commerce.retry_event(event_id) FROM commerce.events
		WHERE event_id >= $first");
	($code) = run_relay($node, $receiver, once => 1);
	is($code, 0, "$name: all are delivered again");
	is_deeply([ said($receiver) ], [], "$name: it drops what it has seen");

	@expected = shop();
	($code) = run_relay($node, $receiver, once => 1, 'secret-file' => $other);
	is($code, 4, "$name: another secret delivers nothing");
	is_deeply([ said($receiver) ], [], "$name: it takes nothing that another secret has signed");
	# Of an order only the oldest event has failed.
	foreach (1 .. 2)
	{
		hurry();
		($code) = run_relay($node, $receiver, once => 1, 'secret-file' => [ $other, $secret ]);
	}
	is($code, 0, "$name: while the secret changes, one of two signatures will do");
	is_deeply([ by_id(said($receiver)) ], \@expected, "$name: it has each of them");
	forget_said($receiver);

	# ---- what others send ----

	my $event = '{"type": "order.paid", "timestamp": "2026-11-25T10:28:17+00:00", "data": '
	  . '{"event_id": 9007199254740991, "order_id": 1, "order": {"total": 5, "cancel_reason": "'
	  . "\xF0\x9F\x91\x95" x 50_000 . '"}}}';
	my @forged = (
		'without a signature' => { headers => { 'webhook-signature' => undef } },
		'with an empty one' => { headers => { 'webhook-signature' => '' } },
		'with one of no length' => { headers => { 'webhook-signature' => 'v1,' } },
		'with one that is no base64' => { headers => { 'webhook-signature' => 'v1,!?& v1' } },
		'with one of another kind' => { headers => { 'webhook-signature' => 'v1a,AAAA' } },
		'without an id' => { headers => { 'webhook-id' => undef } },
		'under another id' => { headers => { 'webhook-id' => 8 } },
		'without a time' => { headers => { 'webhook-timestamp' => undef } },
		'at no time' => { headers => { 'webhook-timestamp' => 'now' } },
		'at another time' => { headers => { 'webhook-timestamp' => time - 1 } },
		'long ago' => { time => time - 400 },
		'in the future' => { time => time + 400 },
		'with another body' => { body => $event =~ s/"total": 5/"total": 6/r },
		'with a longer body' => { body => "$event " },
		'without a body' => { body => '' });
	while (my ($how, $request) = splice @forged, 0, 2)
	{
		is(answer_to($receiver, $event, %$request), 401, "$name: refuses a request $how");
	}
	is_deeply([ said($receiver) ], [], "$name: it has none of them");

	is(answer_to($receiver, $event), 204, "$name: takes one that is signed");
	is_deeply([ said($receiver) ], ['9007199254740991 order.paid 5'], "$name: it has that one");
	is(answer_to($receiver, $event), 204, "$name: takes it again");
	is(() = said($receiver), 1, "$name: it has it once");

	ok(kill(0, $receiver->{pid}), "$name: lives on");
	kill 'TERM', $receiver->{pid};
	wait_exit($receiver->{pid});
}

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
