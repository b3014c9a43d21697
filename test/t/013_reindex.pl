# REINDEX CONCURRENTLY, over and over, under a load that contends for a unique
# key: nobody notices. The window is narrow: broken code fails most runs, not all.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;

my $node = new_server('reindex', conf => ['synchronous_commit = off']);
$node->safe_psql('postgres', q(
	SELECT commerce.create_user('buyer', id) FROM generate_series(1, 2) AS id;
	SELECT commerce.create_coupon_policy('all', 'fixed', 1, 1000000, per_user_limit => 1000000, policy_id => 1);));

# Every call wants the number or the key that others want too.
my $script = PostgreSQL::Test::Utils::tempdir() . '/contend.pgbench';
append_to_file($script, q(\set user_id random(1, 2)
SELECT commerce.issue_coupon(:user_id, 1);
));
my ($stdout, $stderr) = ('', '');
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', '16', '-j', '2', '-T', '600', '-f', $script,
		'-d', $node->connstr('postgres') ], '>', \$stdout, '2>', \$stderr);
my $rounds = 0;
my $until = time + 7;
while (time < $until || $rounds < 3)
{
	$node->safe_psql('postgres', 'REINDEX TABLE CONCURRENTLY commerce.coupons');
	$rounds++;
}
$load->pump_nb;
ok($load->pumpable, 'the load went on while the indexes were rebuilt');
$load->signal('TERM');
$load->finish;

is($stderr =~ /(.*(?:ERROR:|aborted).*)/ ? $1 : '', '', 'no client failed');
is_sound($node, 'no invariant is violated');
log_is_clean($node, 'no internal error');
$node->stop;
done_testing();
