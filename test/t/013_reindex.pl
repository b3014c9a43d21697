# REINDEX CONCURRENTLY of every table, over and over, under a load that contends
# for unique keys: nobody notices.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;

my $node = new_server('reindex');
$node->safe_psql('postgres', q(
	SELECT commerce.create_user('buyer', id) FROM generate_series(1, 3) AS id;
	SELECT commerce.create_coupon_policy('all', 'fixed', 1, 1000000, per_user_limit => 1000000, policy_id => 1);));

my $script = PostgreSQL::Test::Utils::tempdir() . '/contend.pgbench';
append_to_file($script, q(\set user_id random(1, 3)
\set key random(1, 1000)
SELECT commerce.issue_coupon(:user_id, 1);
SELECT commerce.charge_balance(:user_id, 1, 'key ' || :key);
));
my ($stdout, $stderr) = ('', '');
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', '6', '-j', '2', '-T', '6', '-f', $script,
		'-d', $node->connstr('postgres') ], '>', \$stdout, '2>', \$stderr);
my $rounds = 0;
my $until = time + 5;
while (time < $until)
{
	$node->safe_psql('postgres', "REINDEX TABLE CONCURRENTLY commerce.$_")
	  for qw(coupons idempotency_keys balances);
	$rounds++;
}
my $succeeded = $load->finish;

cmp_ok($rounds, '>', 1, 'the indexes were rebuilt under load');
ok($succeeded, 'no client failed');
is($stderr =~ /(ERROR:.*)/ ? $1 : '', '', 'no error');
is_sound($node, 'no invariant is violated');
log_is_clean($node, 'no internal error');
$node->stop;
done_testing();
