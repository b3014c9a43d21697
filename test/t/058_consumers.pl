# What doc/transmission.md shows for --to stdout brings every event to Redis, NATS and
# Kafka: once, and those of an order in their order. Nothing is lost while they are
# away; and when the program in between dies, what was in the pipe can be had again.
# Debian has no Kafka: its part is played by the stand-in of Kafka's C library.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Cwd 'getcwd';
use JSON::PP;
use POSIX 'mkfifo';
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Documents;
use NodeModules;
use Processes;
use RelayTest;

$ENV{PATH} .= ':/usr/sbin';
my $json = JSON::PP->new;
my $node = new_shop('consumers');

# ---- what the document shows ----

my @blocks = blocks(document('doc/transmission.md'));

# The first block of that language that matches.
sub shown
{
	my ($language, $pattern) = @_;
	my ($block) = grep { $_->[0] eq $language && $_->[1] =~ $pattern } @blocks
	  or die "the document shows no $pattern";

	return $block->[1];
}

my ($redis_loop) = shown('sh', qr/XADD/) =~ /\| (while .*^done\n)/ms;
my $to_nats = shown('js', qr/to_nats\.mjs/);
my ($had_again) = shown('psql', qr/retry_event\(event_id, 'nats'\)/) =~ /^shop=# (SELECT .*?;)$/ms;
$had_again =~ s/^shop.# //mg;
my $to_kafka = shown('text', qr/kcat -P/);

# ---- events ----

# Each order has three events: it is paid, and refunded twice.
sub fill
{
	my ($orders) = @_;
	my ($three, $one) = map { items([ 1, $_ ]) } 3, 1;

	$node->safe_psql('postgres', qq(
		SELECT order_id FROM commerce.place_order(1, '$three') \\gset
		SELECT commerce.refund_order(:order_id, '$one');
		SELECT commerce.refund_order(:order_id, '$one');
	) x $orders);
	return;
}

sub all_events { return split /\n/, $node->safe_psql('postgres', 'SELECT event_id FROM commerce.events ORDER BY 1') }

# Of payloads as they came, the ids: those that came more than once in the place of
# the first, if repeats may be.
sub ids
{
	my ($may_repeat, @payloads) = @_;
	my %seen;

	return grep { !$may_repeat || !$seen{$_}++ } map { $_->{data}{event_id} } @payloads;
}

# All events came once, those of each order by their ids.
sub are_complete
{
	my ($name, $may_repeat, @payloads) = @_;
	my %order_of = map { @{ $_->{data} }{qw(event_id order_id)} } @payloads;
	my (%last, @late);

	foreach my $id (ids($may_repeat, @payloads))
	{
		push @late, $id if $id < ($last{ $order_of{$id} } // 0);
		$last{ $order_of{$id} } = $id;
	}
	is_deeply([ sort { $a <=> $b } ids($may_repeat, @payloads) ], [ all_events() ],
		"$name: every event came" . ($may_repeat ? '' : ' once'));
	is("@late", '', "$name: those of an order in their order");
	return;
}

# ---- a relay, a pipe, and a consumer ----

# Both are started; {relay} and the consumer's {pid} and {err}.
sub start_pipe
{
	my ($subscription, $folder, $command, %options) = @_;
	my $pipe = { fifo => new_file(), out => new_file(), err => new_file() };

	mkfifo($pipe->{fifo}, 0600) or die "could not make a pipe: $!";
	my $script = write_file("cd '$folder'\nexec <'$pipe->{fifo}'\n$command");
	$pipe->{pid} = start_program($pipe->{out}, $pipe->{err}, 'sh', $script);
	$pipe->{relay} = start_relay($node, undef, to => 'stdout', url => undef, 'secret-file' => undef,
		subscription => $subscription, stdout => $pipe->{fifo}, %options);
	return $pipe;
}

# Their exit codes, the relay's first.
sub end_pipe
{
	my ($pipe, $is_over) = @_;

	kill 'TERM', $pipe->{relay}{pid} unless $is_over;
	return wait_relay($pipe->{relay}) . ' ' . wait_exit($pipe->{pid});
}

sub is_running { return kill(0, $_[0]{pid}) && kill(0, $_[0]{relay}{pid}) }

sub delivered
{
	my ($subscription) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM commerce.deliveries
		WHERE subscription = '$subscription' AND status = 'delivered'");
}

sub wait_delivered
{
	my ($subscription) = @_;
	return wait_until(sub { delivered($subscription) == all_events() });
}

$node->safe_psql('postgres', q(SELECT commerce.create_subscription(name)
	FROM unnest('{redis, nats}'::text[]) name));

# What is hard to hand on: an order of many lines, and a text of all sorts.
my $odd = qq{ 100%s \\n "it's" \$HOME `id`\t\x{1F455}\r\n\x01 };
utf8::encode(my $odd_bytes = $odd);
$node->safe_psql('postgres', q(
	SELECT count(commerce.create_product_option(1, 'no. ' || n, n, 1000, n))
	FROM generate_series(2, 1000) n;
	SELECT total FROM commerce.place_order(2,
		(SELECT jsonb_agg(jsonb_build_object('option_id', n, 'quantity', 1)) FROM generate_series(1, 1000) n));
	SELECT order_id FROM commerce.place_order(3, '[{"option_id": 1, "quantity": 1}]') \gset)
	. "\nSELECT commerce.cancel_order(:order_id, \$odd\$$odd_bytes\$odd\$);");

sub are_intact
{
	my ($name, @payloads) = @_;
	my ($long) = grep { $_->{data}{order}{user_id} == 2 } @payloads;
	my ($cancelled) = grep { $_->{type} eq 'order.cancelled' } @payloads;

	is(@{ $long->{data}{order}{items} }, 1000, "$name: an order of 1000 lines came whole");
	is($cancelled->{data}{order}{cancel_reason}, $odd, "$name: text came as it was");
	return;
}

# ---- Redis ----

my $redis_folder = PostgreSQL::Test::Utils::tempdir();
my $redis_pid;
sub start_redis
{
	my $log = new_file();

	$redis_pid = start_program($log, $log, 'sh', '-c',
		"cd '$redis_folder' && exec redis-server --port 0 --unixsocket redis.sock --save '' "
		. '--appendonly yes --appendfsync always');
	wait_until(sub { redis('PING') =~ /PONG/ }) or die 'no Redis: ' . slurp_file($log);
	return;
}
sub redis { return scalar qx(cd '$redis_folder' && redis-cli -s redis.sock --json @_ 2>/dev/null) }

sub in_redis
{
	my $entries = redis(qw(XRANGE orders - +));
	return $entries =~ /^\[/ ? map { $json->decode($_->[1][1]) } @{ decode_json($entries) } : ();
}
sub wait_redis
{
	return wait_until(sub { ids(1, in_redis()) == all_events() });
}

start_redis();
fill(10);
my $pipe = start_pipe('redis', $redis_folder, $redis_loop);
ok(wait_redis(), 'Redis: the stream has all');
are_complete('Redis', 0, in_redis());
are_intact('Redis', in_redis());

kill 'KILL', $redis_pid;
wait_exit($redis_pid);
fill(10);
ok(wait_until(sub { -s $pipe->{err} }), 'Redis is away: the loop knows');
ok(is_running($pipe), 'and goes on, and the relay too');
start_redis();
ok(wait_redis(), 'Redis is back: the stream has all');

redis(qw(CONFIG SET maxmemory 1));
my $before = () = in_redis();
my $errors = -s $pipe->{err};
fill(10);
ok(wait_until(sub { -s $pipe->{err} > $errors }), 'Redis has no memory: the loop knows');
is(scalar(() = in_redis()), $before, 'nothing is written');
redis(qw(CONFIG SET maxmemory 0));
ok(wait_redis(), 'Redis has memory again: the stream has all');
are_complete('Redis, after all', 1, in_redis());
ok(wait_delivered('redis'), 'all are delivered');
is(end_pipe($pipe), '0 0', 'SIGTERM ends the relay, and the end of the pipe the loop');
kill 'TERM', $redis_pid;
is(wait_exit($redis_pid), 0, 'Redis ends');

# ---- NATS ----

my $node_folder = new_node_folder();
write_file($to_nats, 0600, "$node_folder/to_nats.mjs");
write_file(<<'JS', 0600, "$node_folder/read_nats.mjs");
import { connect } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";

const nats = await connect({ servers: process.argv[2] });
const { streams } = await jetstreamManager(nats);
const { last_seq } = (await streams.info("orders")).state;
const stream = await streams.get("orders");
for (let seq = 1; seq <= last_seq; seq++) {
  const message = await stream.getMessage({ seq });
  console.log(message.subject.slice("orders.".length) + "\t" + message.string());
}
await nats.close();
JS

my ($nats_pid, $nats_url, $nats_port);
sub start_nats
{
	my $log = new_file();

	$nats_pid = start_program($log, $log, 'nats-server', '-a', '127.0.0.1', '-p', $nats_port // -1,
		'--jetstream', '--store_dir', "$node_folder/nats", '--ports_file_dir', $node_folder);
	my $ports = "$node_folder/nats-server_$nats_pid.ports";
	wait_until(sub { -s $ports }) or die 'no NATS: ' . slurp_file($log);
	($nats_url, $nats_port) = slurp_file($ports) =~ m{"(nats://127\.0\.0\.1:(\d+))"};
	return;
}
sub in_nats
{
	my @payloads;

	foreach my $line (split /\n/, qx(cd '$node_folder' && node read_nats.mjs $nats_url 2>/dev/null))
	{
		my ($order_id, $payload) = split /\t/, $line, 2;
		push @payloads, decode_json($payload);
		die "order $order_id?" if $order_id != $payloads[-1]{data}{order_id};
	}
	return @payloads;
}

sub wait_nats
{
	return wait_until(sub { in_nats() == all_events() });
}

start_nats();
my $to_nats_command = "exec node to_nats.mjs $nats_url\n";
$pipe = start_pipe('nats', $node_folder, $to_nats_command);
ok(wait_delivered('nats'), 'all are delivered');
is(end_pipe($pipe), '0 0', 'NATS: both end well');
like(slurp_file($pipe->{out}), qr/^@{[ scalar all_events() ]} events are there$/, 'it tells how many are there');
are_complete('NATS', 0, in_nats());
are_intact('NATS', in_nats());

# It goes and comes back.
$pipe = start_pipe('nats', $node_folder, $to_nats_command);
fill(5);
ok(wait_nats(), 'the next relay goes on');
kill 'KILL', $nats_pid;
wait_exit($nats_pid);
fill(5);
ok(wait_until(sub { -s $pipe->{err} }), 'NATS is away: the program knows');
ok(is_running($pipe), 'and goes on, and the relay too') or diag(slurp_file($pipe->{err}));
start_nats();
ok(wait_nats(), 'NATS is back: the stream has all');
are_complete('NATS, after all', 0, in_nats());

# The program dies, with events in the pipe and one on its way.
ok(wait_delivered('nats'), 'all are delivered');
my $there = in_nats();
kill 'STOP', $nats_pid;
fill(100);
ok(wait_until(sub { delivered('nats') > $there + 50 }), 'NATS does not answer: events wait in the pipe');
kill 'KILL', $pipe->{pid};
fill(1);
is(end_pipe($pipe, 1), '5 signal 9', 'the program dies: at the next event the relay ends, with exit code 5');
kill 'CONT', $nats_pid;
my @there = in_nats();
cmp_ok(scalar @there, '<', delivered('nats'), 'what was in the pipe is not there');

my ($last) = $there[-1]{data}{event_id};
like($had_again, qr/event_id = 4\b/, 'the document says how to have it again');
$had_again =~ s/event_id = 4\b/event_id = $last/;
cmp_ok($node->safe_psql('postgres', $had_again), '>=', delivered('nats') - @there,
	'it is had again');
$pipe = start_pipe('nats', $node_folder, $to_nats_command);
ok(wait_delivered('nats'), 'all are delivered');
is(end_pipe($pipe), '0 0', 'both end well');
are_complete('NATS, with what was in the pipe', 0, in_nats());
kill 'TERM', $nats_pid;
wait_exit($nats_pid);

# ---- Kafka ----

my $kafka_log = new_file();
my $kafka_pid = start_program('/dev/null', $kafka_log, 'kcat', '-C', '-b', 'nowhere:1', '-t', 'nothing',
	'-d', 'mock', '-X', 'test.mock.num.brokers=1', '-X', 'allow.auto.create.topics=true');
my $broker;
wait_until(sub {
	my $log = -e $kafka_log ? slurp_file($kafka_log) : '';
	($broker) = $log =~ /bootstrap\.servers=(127\.0\.0\.1:\d+)/;
});
$to_kafka =~ s/broker:9092/$broker/;
my $conninfo = conninfo($node);
$to_kafka =~ s/"dbname=shop user=relay"/"$conninfo" --once/;
is(system('sh', write_file($to_kafka)), 0, 'Kafka: the command ends well');
my (@in_kafka, %partitions);
foreach (split /\n/, qx(kcat -C -b $broker -t orders -e -q -f '%p\t%k\t%s\n' 2>/dev/null))
{
	my ($partition, $key, $payload) = split /\t/, $_, 3;
	push @in_kafka, decode_json($payload);
	$partitions{$key}{$partition}++;
	die "key $key?" if $key != $in_kafka[-1]{data}{order_id};
}
are_complete('Kafka', 0, @in_kafka);
are_intact('Kafka', @in_kafka);
is(scalar(grep { keys %$_ > 1 } values %partitions), 0, 'all events of an order are in one partition');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
