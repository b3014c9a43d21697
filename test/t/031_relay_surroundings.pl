# What is around the relay fails it: a name that nobody looks up, OpenSSL, the
# connection right behind an ack.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('surroundings');
my $receiver = start_receiver([ secret_file('a') ]);

# ---- OpenSSL without HMAC ----

my $config = write_file("openssl_conf = init\n[init]\nproviders = list\n[list]\nnull = on\n"
	. "[on]\nactivate = 1\n");
place($node);
{
	local $ENV{OPENSSL_CONF} = $config;
	my ($code, $log) = run_relay($node, $receiver, once => 1);
	is("$code " . events($node, 'status, failures'), '4 available|0', 'what cannot be signed is kept');
	like($log, qr/error="could not be signed"/, 'and the log says so');
}
is(requests($receiver), 0, 'and is not sent');

# ---- a name server that does not answer ----

my $library = resolver('if (node != NULL && strcmp(node, "slow.invalid") == 0) sleep(600);');
forget_events($node);
place($node);
{
	local $ENV{LD_PRELOAD} = $library;
	my ($code, $log) = run_relay($node, $receiver, once => 1, timeout => '300ms',
		url => 'http://slow.invalid/');
	is("$code " . events($node, 'status'), '4 available',
		'a name server that does not answer holds nothing up');
}

# ---- the connection breaks behind an ack ----

# Between relay and server: passes all on, but hangs up once instead of passing on
# the answer to the statement.
sub start_breaker
{
	my ($statement) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir_short();
	my $listener = IO::Socket::UNIX->new(Local => "$folder/.s.PGSQL.5432", Listen => 5) or die $!;
	my $server = $node->host . '/.s.PGSQL.' . $node->port;
	my $pid = fork // die $!;

	return ($folder, $pid) if $pid;
	for (my $broken = 0; my $client = $listener->accept;)
	{
		my $backend = IO::Socket::UNIX->new(Peer => $server) or die $!;
		my $both = IO::Select->new($client, $backend);
		my $asked = 0;
		while (my ($from) = $both->can_read)
		{
			sysread $from, my $bytes, 65536 or last;
			$asked ||= $from == $client && $bytes =~ $statement;
			last if $from == $backend && $asked && !$broken++;
			syswrite $from == $client ? $backend : $client, $bytes;
		}
		close $_ foreach $client, $backend;
	}
	POSIX::_exit(0);
}

foreach my $case ([ qr/ack_events/, '* 200', 'delivered', 'delivered=1 failed=0 lease_lost=0' ],
	[ qr/fail_event/, '* 404', 'available', 'delivered=0 failed=1 lease_lost=0' ],
	[ qr/release_events/, '* 500:100', 'available', 'delivered=0 failed=0 lease_lost=0' ])
{
	my ($statement, $answer, $status, $counted) = @$case;
	my ($folder, $pid) = start_breaker($statement);

	forget_events($node);
	answer($receiver, $answer);
	my $relay = start_relay($node, $receiver,
		conninfo => "host=$folder port=5432 dbname=postgres user=relay sslmode=disable");
	place($node);
	ok(wait_logged($relay, qr/event=connection_lost.*event=connected/s),
		"the connection breaks behind $statement");
	is(stop_relay($relay), 0, 'SIGTERM ends the relay');
	is(events($node, 'status'), $status, 'the outcome is recorded');
	is(last_status($relay, qw(delivered failed lease_lost)), $counted, 'and counted once');
	unlike(log_of($relay), qr/event=lease_lost/, 'no lease was lost');
	kill 'KILL', $pid;
	waitpid $pid, 0;
}

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
