# While sessions call, and call again where no answer came, a backend, the notifier, a relay
# or the server is killed, a disk is full, or a synchronous standby takes over, CRASH_CYCLES
# times: test/model/crashes.py says what must be true of it, and the receiver what came.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Disks;
my $has_disks;
BEGIN { $has_disks = have_disks(data => '300m', wal => '160m'); }
use Test::More;
use Time::HiRes qw(sleep);
use PostgreSQL::Test::Utils;
use CommerceTest;
use CrashShop;
use Processes;
use RelayTest;

my $cycles = $ENV{CRASH_CYCLES} // 20;
my $seed = $ENV{CRASH_SEED} // time;
srand($seed);
note("seed $seed", $has_disks ? '' : ', without disks to fill: there are no namespaces for users');

my %ways = open_crash_shop($has_disks);
# The server that is started again inherits what is open here: no pipes.
my ($out, $err) = (new_file(), new_file());
my $sessions = start_program($out, $err, '/usr/bin/python3', "$FindBin::RealBin/../model/crashes.py", address(), $seed);
wait_until(sub { -e $out && slurp_file($out) =~ /at work/ }) or die 'the sessions do not begin';
my %done;
foreach my $cycle (1 .. $cycles)
{
	sleep 0.2 + rand 0.5;
	# Each once, and then any.
	my @left = grep { !$done{$_} } sort keys %ways;
	my @names = @left ? @left : sort keys %ways;
	my $way = $names[ rand @names ];
	$ways{$way}->();
	comes_back();
	$done{$way}++;
}
# A soak says how many it did.
my $say = $ENV{CRASH_CYCLES} ? \&diag : \&note;
$say->("$cycles crashes: " . join ', ', map { "$_ $done{$_}" } sort keys %done);
kill 'TERM', $sessions;
is(wait_exit($sessions), 0, "after $cycles crashes what was acknowledged is there, and every event has arrived")
	or diag(slurp_file($out), slurp_file($err));
$say->(slurp_file($out));
my ($lost) = slurp_file($out) =~ /(\d+) answers lost/;
cmp_ok($lost // 0, '>', $cycles / 2, 'and answers were lost');

my ($came, $written) = what_came();
is_deeply($came, $written, 'and every event of a subscription with two relays, those of an order in their order');
cmp_ok(scalar keys %$came, '>', 50, 'which are of many orders');
close_crash_shop();
my @kinds = $has_disks ? ('PANIC:  could not write to file "pg_wal/xlogtemp\.\d+": No space left on device',
	'No space left on device') : ();
my $log = join '', map { slurp_file($_) } logs();
like($log, qr/$_/, "the log has: $_") foreach @kinds;
unlike($log, qr/PANIC:(?!.*No space left)|TRAP:|signal (?!9:|3:|6:)|XX\d\d\d/, 'no crash but ours, no internal error');
done_testing();
