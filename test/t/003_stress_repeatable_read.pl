# The same crowd at REPEATABLE READ, where calls fail with a serialization
# failure and are tried again. Nothing else fails, and the books agree.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use StressBooks;
use StressShop;

my $node = new_server('stress_rr', conf => [ 'max_connections = 40' ]);
open_shop($node);

# A slow machine needs longer to meet everything.
foreach my $round (1 .. 10)
{
	local $ENV{PGOPTIONS} = '-c default_transaction_isolation=repeatable\ read';
	$node->pgbench(
		'--no-vacuum --client=8 --jobs=2 --time=15 --max-tries=10000 --failures-detailed',
		0,
		[ qr/^number of failed transactions: 0 /m, qr/^number of transactions retried: [1-9]/m ],
		[ qr/^$/ ],
		'refusals, successes and serialization failures, nothing else', scripts("003_$round"));
	last if what_was_missed($node) eq '';
}
close_shop($node);

$node->stop;
done_testing();
