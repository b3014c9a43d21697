# Each writing call fails once at every place where it can: test/model/failures.py says
# where, and what is looked at then. FAILURE_SHARE of the allocations that fail and of the
# kills are tried. It takes a library with stop points: make test-stops.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;

my $model = "$FindBin::RealBin/../model";
my $node = new_server('failures',
	conf => [ 'fsync = off', 'autovacuum = off', 'commerce.notify = off', 'restart_after_crash = on' ]);
if ($node->safe_psql('postgres', q(LOAD 'commerce'; SELECT current_setting('commerce.stop_at', true) IS NULL)) eq 't')
{
	$node->stop;
	plan skip_all => 'the library has no stop points';
}
$node->safe_psql('postgres', slurp_file("$model/shared.sql"));

my ($out, $err);
IPC::Run::run([ '/usr/bin/python3', "$model/failures.py", $node->connstr('postgres'), $ENV{FAILURE_SHARE} // 0.03 ],
	'>', \$out, '2>', \$err);
is($?, 0, 'a call that fails changes nothing and leaves nothing behind') or diag(substr($out, 0, 20000), $err);
note($out);
like($out, qr/^\d{4,} calls, 0 of them wrong, 0 invariants violated$/m, 'and there are many');
unlike(slurp_file($node->logfile), qr/\bleak|PANIC:|TRAP:|signal (?!9:)|XX\d\d\d/, 'nothing leaks, no internal error');
$node->stop;
done_testing();
