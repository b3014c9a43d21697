# Eight clients do everything at once to a few users, options and policies, at
# READ COMMITTED. Nothing but refusals may come back, above all no deadlock,
# and the books agree with what the clients were told.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use StressBooks;
use StressShop;

my $node = new_server('stress', conf => [ 'max_connections = 40' ]);
open_shop($node);

# A slow machine needs longer to meet everything.
foreach my $round (1 .. 10)
{
	$node->pgbench('--no-vacuum --client=8 --jobs=2 --time=20 --failures-detailed',
		0, [ qr/^number of failed transactions: 0 /m ], [ qr/^$/ ],
		'refusals and successes, nothing else', scripts("002_$round"));
	last if what_was_missed($node) eq '';
}
close_shop($node);

$node->stop;
done_testing();
