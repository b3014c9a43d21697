# What the relay tells whoever asks: /metrics as Prometheus reads them, and /healthz.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use HTTP::Tiny;
use IO::Socket::INET;
use Test::More;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('metrics');
my $secret = secret_file('a');
my $receiver = start_receiver([$secret]);
my $client = HTTP::Tiny->new(timeout => 60);

# A port that nobody has just now.
sub free_port
{
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "no port: $@";
	return $socket->sockport;
}
my $address = '127.0.0.1:' . free_port();

sub ask
{
	my ($path, $method) = @_;
	return $client->request($method // 'GET', "http://$address$path");
}

# The metrics, by name and labels; each line must be as Prometheus has it.
sub metrics
{
	my $response = ask('/metrics');
	my %metrics;

	$response->{status} == 200 or return {};
	foreach my $line (split /\n/, $response->{content})
	{
		next if $line =~ /^# (?:HELP|TYPE) commerce_relay_\w+ \S/;
		my ($name, $value) = $line =~ /^commerce_relay_(\w+\{(?:\w+="[^"]*",?)+\}) (\S+)$/
			or die "not a metric: $line";
		$name =~ s/subscription="default",?//;
		$name =~ s/\{\}//;
		$metrics{$name} = $value;
	}
	return \%metrics;
}

# ---- at work ----

my $relay = start_relay($node, $receiver, 'metrics-listen' => $address);
ok(wait_until(sub { ask('/healthz')->{status} == 200 }), 'healthy once it is connected');
is(ask('/healthz')->{content}, "ok\n", 'it says so');
like(ask('/metrics')->{headers}{'content-type'}, qr{^text/plain; version=0\.0\.4\b}, "Prometheus' format");
place($node, 5);
is_delivered($node, 'five events');
ok(wait_until(sub { metrics()->{events_delivered_total} == 5 }), 'are counted');
my $metrics = metrics();
is($metrics->{events_claimed_total}, 5, 'as claimed');
is($metrics->{delivery_seconds_count}, 5, 'as many took some time');
is($metrics->{'delivery_seconds_bucket{le="+Inf"}'}, 5, 'which is in some bucket');
cmp_ok($metrics->{delivery_seconds_sum}, '>', 0, 'more than none');
is($metrics->{$_}, 0, "$_ is 0") foreach qw(events_failed_total events_dead_total
	events_released_total events_in_flight events_queued leases_lost_total);
is($metrics->{database_up}, 1, 'the database is there');
is($metrics->{'receiver_state{state="well"}'}, 1, 'the receiver is well');

# ---- who asks something else ----

is(ask('/')->{status}, 404, 'nothing else is there');
is(ask('/metrics', 'POST')->{status}, 405, 'only GET');
is(ask('/metrics', 'HEAD')->{status}, 200, 'and HEAD');
# Those who connect and say nothing, or anything, keep nobody away for long.
my @silent = map { IO::Socket::INET->new(PeerAddr => $address) } 1 .. 100;
print { $silent[0] } 'x' x 100000;
place($node, 1);
is_delivered($node, 'deliveries go on beside many silent connections');
close $_ foreach grep { defined } @silent;
ok(wait_until(sub { ask('/healthz')->{status} == 200 }), 'and it answers');

# ---- failures, and a receiver that is away ----

answer($receiver, '* 400');
place($node, 1);
ok(wait_until(sub { metrics()->{events_failed_total} >= 1 }), 'a failure is counted');
stop_receiver($receiver);
place($node, 5);
ok(wait_until(sub { (metrics()->{'receiver_state{state="away"}'} // 0) == 1 }),
	'a receiver that is away is told of');
ok(wait_until(sub { metrics()->{events_released_total} > 0 }), 'and what was given back');
is(ask('/healthz')->{status}, 200, 'which is not the relay to blame for');

# ---- the database goes away ----

$node->stop('fast');
ok(wait_until(sub { ask('/healthz')->{status} == 503 }), 'unhealthy without its database');
is(metrics()->{database_up}, 0, 'it says why');
$node->start;
ok(wait_until(sub { ask('/healthz')->{status} == 200 }), 'and healthy again');

# ---- addresses ----

my ($code, $log) = run_relay($node, $receiver, once => 1, 'metrics-listen' => $address);
is($code, 1, 'a port that somebody has: exit code 1');
like($log, qr/metrics-listen: could not listen at .*\Q$address\E/, 'it says so');
is(stop_relay($relay), 0, 'SIGTERM ends it');
ok(!IO::Socket::INET->new(PeerAddr => $address), 'nobody listens any more');
SKIP:
{
	skip 'there is no IPv6', 2 unless -s '/proc/net/if_inet6';
	$address = '[::1]:' . free_port();
	$relay = start_relay($node, $receiver, 'metrics-listen' => $address);
	ok(wait_until(sub { ask('/healthz')->{status} == 200 }), 'an address may be of IPv6');
	is(stop_relay($relay), 0, 'and the relay ends as before');
}

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
