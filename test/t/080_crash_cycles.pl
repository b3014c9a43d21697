# While sessions call, and call again where no answer came, a backend, the notifier or the
# server is killed, CRASH_CYCLES times: test/model/crashes.py says what must be true of it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use Time::HiRes qw(sleep);
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;

my $cycles = $ENV{CRASH_CYCLES} // 20;
my $seed = $ENV{CRASH_SEED} // time;
srand($seed);
note("seed $seed");

# What is written outlives a process that is killed, so fsync may be off.
my $node = new_server('crash_cycles', conf => [
	'fsync = off', 'restart_after_crash = on', 'max_connections = 40',
	"shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres'" ]);

sub pid_of
{
	my ($type) = @_;
	my ($result, $pid) = $node->psql('postgres', "SELECT pid FROM pg_stat_activity
		WHERE backend_type = '$type' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1");
	return $pid;
}

# The postmaster goes alone; its children notice, and a new one must wait for them.
sub kill_server
{
	my ($pid) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
	my @children = split ' ', `pgrep -P $pid`;
	kill 'KILL', $pid;
	for (1 .. 18_000)
	{
		last unless grep { kill 0, $_ } @children;
		sleep 0.01;
	}
	return start_again();
}

sub start_again
{
	$node->{_pid} = undef;
	for (1 .. 100)
	{
		return if $node->start(fail_ok => 1);
		sleep 0.1;
	}
	die 'the server does not start again';
}

my %ways = (
	'a session' => sub { my $pid = pid_of('client backend'); kill 'KILL', $pid if $pid; },
	'the notifier' => sub { my $pid = pid_of('commerce notifier'); kill 'KILL', $pid if $pid; },
	'the checkpointer' => sub { my $pid = pid_of('checkpointer'); kill 'KILL', $pid if $pid; },
	'the server' => \&kill_server,
	'all at once' => sub { $node->stop('immediate'); start_again(); });

# The server that is started again inherits what is open here: no pipes.
my ($out, $err) = (new_file(), new_file());
my $sessions = start_program($out, $err, '/usr/bin/python3', "$FindBin::RealBin/../model/crashes.py",
	$node->connstr('postgres'), $seed);
wait_until(sub { -e $out && slurp_file($out) =~ /at work/ }) or die 'the sessions do not begin';
my %killed;
foreach my $cycle (1 .. $cycles)
{
	sleep 0.2 + rand 0.5;
	$node->poll_query_until('postgres', 'SELECT true');
	my @names = sort keys %ways;
	my $way = $names[ rand @names ];
	$ways{$way}->();
	$killed{$way}++;
}
note(join ', ', map { "$_ $killed{$_} times" } sort keys %killed);
$node->poll_query_until('postgres', 'SELECT true');
kill 'TERM', $sessions;
is(wait_exit($sessions), 0, "after $cycles crashes what was acknowledged is there, and every event has arrived")
	or diag(slurp_file($out), slurp_file($err));
note(slurp_file($out));
my ($lost) = slurp_file($out) =~ /(\d+) answers lost/;
cmp_ok($lost // 0, '>', $cycles / 2, 'and answers were lost');
unlike(slurp_file($node->logfile), qr/PANIC:|TRAP:|signal (?!9:|3:)|XX\d\d\d/, 'no crash but ours, no internal error');
$node->stop;
done_testing();
