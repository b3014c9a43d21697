# The database answers random calls as the model of test/model does, which was written
# from the contract alone: each answer, and all tables. MODEL_ROUNDS: so many shops are
# opened, with 20,000 calls each.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;

my $node = new_server('model', empty => 1, conf => [ 'fsync = off', 'autovacuum = off', 'commerce.max_charge_amount = 4611686018427387904' ]);
my %outcomes;
foreach my $round (1 .. $ENV{MODEL_ROUNDS} // 1)
{
	my ($out, $err);
	$node->safe_psql('postgres', "CREATE DATABASE shop$round");
	$node->safe_psql("shop$round", 'CREATE EXTENSION commerce');
	IPC::Run::run([ '/usr/bin/python3', "$FindBin::RealBin/../model/compare.py", $node->connstr("shop$round"), 20000 ],
		'>', \$out, '2>', \$err);
	is($?, 0, 'it answers 20,000 calls as the model does') or diag($out, $err);
	note($out);
	%outcomes = map { /^ *(\d+) (\S+ \S+)$/ ? ($2 => $1) : () } split /\n/, $out;
	$node->safe_psql('postgres', "DROP DATABASE shop$round");
}

# What was called, and how it ended: it was worth it.
cmp_ok($outcomes{"$_ 00000"} // 0, '>', 10, "$_ succeeds many times") foreach qw(place_order hold_order pay_order cancel_order
	refund_order place_orders issue_coupon issue_coupons use_coupon charge_balance use_balance adjust_stock expire_orders
	create_subscription claim_events ack_events release_events fail_event retry_event discard_event);
cmp_ok(scalar(grep { !/00000/ } keys %outcomes), '>', 100, 'and calls are refused in many ways');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
