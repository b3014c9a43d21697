# Two-phase commit. An order that notifies by itself cannot be prepared: that is
# PostgreSQL's rule for NOTIFY. With commerce.notify off it can, and its prepared
# transaction survives a restart with all its locks.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;

my $node = new_server('prepared', conf => [ 'max_prepared_transactions = 5' ]);
my $one = items([ 1, 1 ]);

$node->safe_psql('postgres', q(
	SELECT commerce.create_user('buyer', 1), commerce.charge_balance(1, 150);
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'red', 100, 10, 1);));

is(sqlstates($node, "BEGIN; SELECT commerce.place_order(1, '$one', NULL, 'a');
		PREPARE TRANSACTION 'order';"), '0A000', 'an order that notified cannot be prepared');
is($node->safe_psql('postgres', 'SELECT count(*) FROM commerce.orders'), '0',
	'and is undone');

# What does not notify can be prepared anyway.
$node->safe_psql('postgres', q(
	BEGIN;
	SELECT commerce.charge_balance(1, 50);
	PREPARE TRANSACTION 'charge';
	COMMIT PREPARED 'charge';));
is($node->safe_psql('postgres', 'SELECT commerce.get_balance(1)'), '200',
	'a charge can be prepared and committed');

$node->safe_psql('postgres', "
	SET commerce.notify = off;
	BEGIN;
	SELECT commerce.place_order(1, '$one', NULL, 'a');
	PREPARE TRANSACTION 'order';");
$node->restart;
is($node->safe_psql('postgres', 'SELECT count(*) FROM commerce.orders'), '0',
	'a prepared order is not placed yet');
is($node->safe_psql('postgres', 'SELECT count(*) FROM commerce.claim_events()'), '0',
	'nor can its event be claimed');
is(sqlstates($node, "SET lock_timeout = '100ms';
		SELECT commerce.place_order(1, '$one', NULL, 'a');
		SELECT commerce.use_balance(1, 1);"),
	'55P03 55P03', 'its key and balance are locked; that is no refusal');

$node->safe_psql('postgres', "COMMIT PREPARED 'order'");
is($node->safe_psql('postgres', "
		SELECT order_id = (SELECT order_id FROM commerce.orders)
		FROM commerce.place_order(1, '$one', NULL, 'a');
		SELECT commerce.get_balance(1);
		SELECT event_type FROM commerce.claim_events();"),
	"t\n100\norder.paid", 'committed, it is the order of its key, and its event can be claimed');

$node->safe_psql('postgres', "
	SET commerce.notify = off;
	BEGIN;
	SELECT commerce.place_order(1, '$one', NULL, 'b');
	PREPARE TRANSACTION 'order';
	ROLLBACK PREPARED 'order';");
is($node->safe_psql('postgres', 'SELECT count(*), commerce.get_balance(1) FROM commerce.orders'),
	'1|100', 'rolled back, it never was');
is(sqlstates($node, "SELECT commerce.place_order(1, '$one', NULL, 'b');"), '',
	'and its key is free');

# A claim that is prepared holds up what it claimed, through a restart, and nothing
# else: no other claimer, no other subscription.
foreach my $end ('COMMIT', 'ROLLBACK')
{
	my $claim = 'SELECT order_id FROM commerce.claim_events()';

	$node->safe_psql('postgres', "SELECT commerce.charge_balance(1, 1000); $claim");
	my $held = $node->safe_psql('postgres', "SELECT order_id FROM commerce.place_order(1, '$one')");
	$node->safe_psql('postgres', "SELECT commerce.create_subscription('other')") if $end eq 'COMMIT';
	$node->safe_psql('postgres', "BEGIN; $claim; PREPARE TRANSACTION 'claim'");
	$node->restart;
	my $other = $node->safe_psql('postgres', "SELECT order_id FROM commerce.place_order(1, '$one')");
	is($node->safe_psql('postgres', $claim), $other, 'a prepared claim keeps nobody from claiming the rest');
	is($node->safe_psql('postgres', "SELECT order_id FROM commerce.claim_events(subscription => 'other')
			WHERE order_id = $other"), $other, 'nor another subscription');
	$node->safe_psql('postgres', "$end PREPARED 'claim'");
	is($node->safe_psql('postgres', $claim), $end eq 'COMMIT' ? '' : $held, "$end: it is as it says");
}
is_sound($node, 'no invariant is violated');
log_is_clean($node, 'no crash, no internal error');

$node->stop;
done_testing();
