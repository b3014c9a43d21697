# --to stdout: one line of JSON an event, acknowledged only once it is written.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Errno qw(ENOSPC);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('stdout');
my @to_stdout = (to => 'stdout', url => undef, 'secret-file' => undef);

sub lines_of
{
	my ($text) = @_;
	return map { decode_json($_) } split /\n/, $text;
}
sub count_of
{
	my ($status) = @_;
	return $node->safe_psql('postgres',
		"SELECT count(*) FROM commerce.deliveries WHERE status = '$status'");
}

place($node, 250);
my $relay = start_relay($node, undef, @to_stdout, once => 1, 'batch-size' => 20);
is(wait_relay($relay), 0, 'with --once, it ends when all is written');
my @events = lines_of(slurp_file($relay->{out}));
is(@events, 250, 'one line an event');
is_deeply([ sort { $a <=> $b } map { $_->{data}{event_id} } @events ], [ 1 .. 250 ], 'each of them once');
is(count_of('delivered'), 250, 'all are delivered');
my ($first) = slurp_file($relay->{out}) =~ /^(.*)\n/;
is($first, $node->safe_psql('postgres', "BEGIN;
	SELECT FROM commerce.retry_event($events[0]{data}{event_id});
	SELECT payload FROM commerce.claim_events();
	ROLLBACK;"), 'a line is the payload');
unlike(log_of($relay), qr/"order_id"/, 'the log goes elsewhere');

# It goes on, and ends at SIGTERM.
$relay = start_relay($node, undef, @to_stdout);
place($node, 3);
ok(wait_until(sub { count_of('delivered') == 253 }), 'without --once, what comes later is delivered');
is(stop_relay($relay), 0, 'SIGTERM ends it');
is((() = lines_of(slurp_file($relay->{out}))), 3, 'three more lines');

place($node, 10);
$relay = start_relay($node, undef, @to_stdout, once => 1, stdout => '/dev/full');
is(wait_relay($relay), 5, 'a full disk: exit code 5');
my $no_space = do { local $! = ENOSPC; "$!" };
like(log_of($relay), qr/\Q$no_space\E/, 'the log says why');
is(count_of('delivered'), 253, 'nothing counts as delivered');

is($node->safe_psql('postgres', q(SELECT count(*) FROM commerce.deliveries
	WHERE status = 'available' AND coalesce(next_attempt_at, '-infinity') <= now())), '10',
	'and all can be claimed at once');

# A reader slow enough for the pipe to be full most of the time, that leaves in
# the middle: what it has not read may come again, what it has been promised
# not to come again, it has.
place($node, 2000);
pipe my $reader, my $writer or die $!;
my $pipe_size = fcntl($reader, 1032, 0) || 65536; # F_GETPIPE_SZ
$relay = start_relay($node, undef, @to_stdout, once => 1, stdout => '&' . fileno $writer);
close $writer;
my $read = '';
while (length $read < 300_000)
{
	sysread $reader, $read, 3000, length $read or last;
	sleep 0.002;
}
close $reader;
is(wait_relay($relay), 5, 'the reader leaves: exit code 5');
my %complete = map { $_->{data}{event_id} => 1 } lines_of($read =~ s/[^\n]*\z//r);
cmp_ok(keys %complete, '>', 100, 'the reader got many lines');
my $lost = grep { !$complete{$_} } split /\n/,
	$node->safe_psql('postgres', "SELECT event_id FROM commerce.deliveries
		WHERE status = 'delivered' AND event_id > 253");
cmp_ok($lost * length $first, '<=', $pipe_size + 3000,
	'what is delivered and was not read was in the pipe');

$relay = start_relay($node, undef, @to_stdout, once => 1);
is(wait_relay($relay), 0, 'the next relay goes on');
$complete{ $_->{data}{event_id} }++ foreach lines_of(slurp_file($relay->{out}));
cmp_ok(keys(%complete) + $lost, '>=', 2010, 'nothing else is lost');
is(count_of('delivered'), 2263, 'all are delivered');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
