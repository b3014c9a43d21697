# Directly connected, the relay listens; behind a pooler that deals out sessions
# by the transaction it cannot, and polls.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use PostgreSQL::Test::Cluster;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('connection');
my $receiver = start_receiver([ secret_file('a') ]);

sub arrives
{
	my ($name) = @_;
	my $before = requests($receiver);

	place($node);
	ok(wait_until(sub { requests($receiver) > $before }), $name);
	return;
}

# ---- direct ----

# It polls once an hour: what arrives in time was announced. Each order waits until
# the relay has nothing left to do: its last claim found nothing.
sub is_idle
{
	my ($name) = @_;
	ok($node->poll_query_until('postgres', q(
		SELECT count(*) = 1 FROM pg_stat_activity
		WHERE usename = 'relay' AND state = 'idle' AND query LIKE '%claim_events%'
			AND NOT EXISTS (SELECT FROM commerce.deliveries WHERE status <> 'delivered'))), $name);
	return;
}

my $relay = start_relay($node, $receiver, 'poll-interval' => '1h');
ok(wait_logged($relay, qr/event=connected\b.*\blistening\b/), 'direct: the log says that it listens');
foreach my $round (1 .. 3)
{
	is_idle("direct: the relay waits, round $round");
	arrives("direct: an order is announced, round $round");
}
$node->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE usename = 'relay'));
ok(wait_until(sub { 2 <= (() = log_of($relay) =~ /event=connected\b.*\blistening\b/g) }),
	'direct: after a lost connection, it listens again');
is_idle('direct: and waits');
arrives('direct: and hears');
is_delivered($node, 'direct: all are delivered');

# The server goes while requests are on their way, and is back after they ended:
# what became of them is recorded then.
answer($receiver, '* hold');
my $before = requests($receiver);
place($node, 4);
ok(wait_until(sub { requests($receiver) == $before + 4 }), 'four requests are on their way');
$node->stop('immediate');
answer($receiver, '* 200', map { "$_ 404:1000" } 5 .. 6);
ok(wait_until(sub { 2 == (() = log_of($relay) =~ /event=delivery_failed/g) }),
	'two fail, while the server is away');
$node->start;
ok($node->poll_query_until('postgres', q(SELECT count(*) = 0 FROM commerce.deliveries
	WHERE status = 'running')), 'the relay records them once the server is back');
is($node->safe_psql('postgres', q(SELECT status, attempt, count(*) FROM commerce.deliveries
		WHERE order_id > 4 GROUP BY 1, 2 ORDER BY 1)), "available|1|2\ndelivered|1|2",
	'what was delivered as delivered, what failed as failed');
is(stop_relay($relay), 0, 'direct: SIGTERM ends the relay');

# ---- through PgBouncer ----

forget_events($node);
answer($receiver, '* 200');
my $folder = PostgreSQL::Test::Utils::tempdir_short();
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $users = write_file(qq("relay" ""\n));
my $settings = write_file(<<"INI");
[databases]
postgres = host=@{[ $node->host ]} port=@{[ $node->port ]} dbname=postgres
[pgbouncer]
listen_port = $port
unix_socket_dir = $folder
auth_type = trust
auth_file = $users
pool_mode = transaction
default_pool_size = 2
logfile = $folder/log
pidfile = $folder/pid
INI
$ENV{PATH} .= ':/usr/sbin';
start_program("$folder/out", "$folder/err", 'pgbouncer', $settings);
ok(wait_until(sub { -S "$folder/.s.PGSQL.$port" }), 'PgBouncer runs');

my $through = "host=$folder port=$port dbname=postgres user=relay";
my @relays = map { start_relay($node, $receiver, conninfo => $through) } 1 .. 3;
ok(wait_logged($_, qr/event=polling\b/), 'PgBouncer: the log says that it polls') foreach @relays;
arrives('PgBouncer: an order arrives');
answer($receiver, '* 200', map { "$_ 500 200" } 20 .. 30);
place($node, 200);
is_delivered($node, 'PgBouncer: all are delivered');
unlike(log_of($_), qr/listening/, 'PgBouncer: nobody takes itself for listening') foreach @relays;
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity
		WHERE usename = 'relay' AND query ILIKE 'LISTEN%')), '0', 'nor listens');

# Whoever shares the pool is not held up, nor is a transaction left open.
place($node, 30);
my @counts = split /\|/, $node->safe_psql('postgres', q(SELECT count(*), count(*) FILTER
	(WHERE state LIKE 'idle in transaction%') FROM pg_stat_activity WHERE usename = 'relay'));
cmp_ok($counts[0], '<=', 2, 'PgBouncer: three relays share two sessions');
is($counts[1], 0, 'PgBouncer: without a transaction left open');
is_delivered($node, 'PgBouncer: all are delivered once more');

my %times;
$times{ $_->{event_id} }++ foreach grep { $_->{answer} eq '200' } requests($receiver);
is(scalar(grep { $_ != 1 } values %times), 0, 'each once');
foreach my $each (@relays)
{
	is(stop_relay($each), 0, 'PgBouncer: SIGTERM ends the relay');
}

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
