# Sessions that call at once, in transactions of every kind, cancelled and terminated:
# test/model/sessions.py says what, and looks for an order of the calls that explains all
# that they were answered and what is in the tables then. SESSION_ROUNDS: so many shops.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;

# A transaction that has notified cannot be prepared.
my $node = new_server('sessions',
	conf => [ 'fsync = off', 'max_prepared_transactions = 50', 'commerce.notify = off' ]);

my ($out, $err);
IPC::Run::run([ '/usr/bin/python3', "$FindBin::RealBin/../model/sessions.py", $node->connstr('postgres'),
	$ENV{SESSION_ROUNDS} // 3 ], '>', \$out, '2>', \$err);
is($?, 0, 'some order explains what the calls were answered') or diag($out, $err);
note($out);
my ($calls) = $out =~ /^(\d+) calls, .*: some order explains them all$/m;
cmp_ok($calls // 0, '>', 2000, 'and they are many');
is($err, '', 'nothing is said');

# Calls of one transaction may be in each other's way.
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC:|TRAP:|XX\d\d\d/, 'no crash, no internal error');
$node->stop;
done_testing();
