# A logical subscriber becomes the shop while events are on their way: claimed, in a
# claim that is open, failed, given back, delivered, untouched. What the publisher committed
# goes on here as it stood there; what it had not is as if it had never been. Every
# subscription gets each event that it has not had, once, in its order's order.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;

my $old = new_server('publisher', init => { allows_streaming => 'logical' },
	conf => [ 'max_prepared_transactions = 5' ]);
my $new = new_server('subscriber');

# What a claim gets: type and order of each.
sub claim
{
	my ($node, $limit, $subscription) = @_;
	return $node->safe_psql('postgres', "SELECT string_agg(event_type || ' ' || order_id || ' ' || attempt, ', '
			ORDER BY event_id)
		FROM commerce.claim_events($limit, '1 hour', '$subscription')");
}

sub statuses
{
	my ($node, $subscription) = @_;
	return $node->safe_psql('postgres', "SELECT string_agg(order_id || ' ' || event_type || ' ' || status || ' ' || failures,
			', ' ORDER BY event_id)
		FROM commerce.deliveries JOIN commerce.events USING (event_id, event_type, order_id)
		WHERE subscription = '$subscription' AND order_id > 200");
}

my $place = 'SELECT FROM commerce.place_order(1, $$' . items([ 1, 1 ]) . '$$)';

# 200 orders' events are delivered, so that there are cursors.
$old->safe_psql('postgres', q(
	SELECT FROM commerce.create_user('buyer', 1);
	SELECT FROM commerce.charge_balance(1, 1000000);
	SELECT FROM commerce.create_product('shirt', 1);
	SELECT FROM commerce.create_product_option(1, 'red', 10, 10000, 1);
	SELECT FROM commerce.create_user('another', 2);
	SELECT FROM commerce.charge_balance(2, 1000000);
	SELECT FROM commerce.create_product_option(1, 'blue', 10, 10000, 2);
	SELECT FROM commerce.create_subscription('other');
) . "$place;" x 200);
foreach my $subscription ('default', 'other')
{
	$old->safe_psql('postgres', "SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt), '$subscription')
		FROM commerce.claim_events(1000, '1 hour', '$subscription')");
}

$old->safe_psql('postgres', 'CREATE PUBLICATION shop FOR ALL TABLES');
$new->safe_psql('postgres', q(CREATE SUBSCRIPTION shop CONNECTION ')
	. $old->connstr . q( dbname=postgres' PUBLICATION shop));
$new->poll_query_until('postgres', q(SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate <> 'r'))
	or die 'the tables were not copied';

# Orders 201 to 208, one more in a transaction that is not committed when others
# that began later are claimed.
my $late = $old->background_psql('postgres');
$late->query_safe('BEGIN; SELECT FROM commerce.place_order(2, $$' . items([ 2, 1 ]) . '$$)');
$old->safe_psql('postgres', "$place;" x 8);
is(claim($old, 2, 'default'), 'order.paid 202 1, order.paid 203 1', 'two are claimed');
my $failed = $old->safe_psql('postgres', q(SELECT event_id FROM commerce.claim_events(1, '1 hour')));
$old->safe_psql('postgres', "SELECT FROM commerce.fail_event($failed, 1, 'broken', '1 hour')");
my $released = $old->safe_psql('postgres', q(SELECT event_id FROM commerce.claim_events(1, '1 hour')));
$old->safe_psql('postgres', "SELECT commerce.release_events(ARRAY[$released], ARRAY[1], '1 hour')");
my $delivered = $old->safe_psql('postgres', q(SELECT event_id FROM commerce.claim_events(1, '1 hour')));
$old->safe_psql('postgres', "SELECT commerce.ack_events(ARRAY[$delivered], ARRAY[1])");
# Two are in claims that never end.
my $open = $old->background_psql('postgres');
is($open->query_safe(q(BEGIN; SELECT order_id FROM commerce.claim_events(1, '1 hour'))), '207', 'one in an open claim');
$old->safe_psql('postgres', q(BEGIN; SELECT FROM commerce.claim_events(1, '1 hour'); PREPARE TRANSACTION 'claim'));
# Events of an order that is claimed and of one that is not.
$old->safe_psql('postgres', "SELECT commerce.cancel_order($_)") for 202, 209;
$late->query_safe('COMMIT');
is(claim($old, 1, 'other'), 'order.paid 201 1', 'the other subscription has claimed one');

$old->wait_for_catchup('shop');
$open->quit;
$late->quit;
$old->safe_psql('postgres', q(ROLLBACK PREPARED 'claim'));
is(statuses($new, $_), statuses($old, $_), "$_: the subscriber has what the publisher committed") for 'default', 'other';
$old->stop;
$new->safe_psql('postgres', 'ALTER SUBSCRIPTION shop DISABLE;
	ALTER SUBSCRIPTION shop SET (slot_name = NONE); DROP SUBSCRIPTION shop;
	SELECT commerce.advance_sequences()');

# It sells and cancels.
$new->safe_psql('postgres', "SELECT FROM commerce.cancel_order(203); $place");
my $first = $new->safe_psql('postgres', 'SELECT max(order_id) FROM commerce.orders');
cmp_ok($first, '>', 209, 'it makes ids of its own');

is(claim($new, 100, 'default'), "order.paid 201 1, order.paid 207 1, order.paid 208 1, order.paid 209 1, order.paid $first 1",
	'what was not claimed there, or in a claim that was not committed, is claimed here');
is(claim($new, 100, 'default'), '', 'once');
is($new->safe_psql('postgres', q(SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
	FROM commerce.deliveries WHERE status = 'running' AND subscription = 'default')), 7,
	'whoever claimed there acknowledges here');
is(claim($new, 100, 'default'), 'order.cancelled 202 1, order.cancelled 209 1, order.cancelled 203 1',
	'what waited for an earlier event of its order comes after it');
is($new->safe_psql('postgres', "SELECT status FROM commerce.retry_event($failed)"), 'available', 'a failed one can be tried again');
is(claim($new, 100, 'default'), 'order.paid 204 2', 'and is');
is(claim($new, 100, 'other'), join(', ', map { "order.paid $_ 1" } 202 .. 209, $first),
	'the other subscription gets what it has not claimed');
is($new->safe_psql('postgres', q(SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt), 'other')
	FROM commerce.deliveries WHERE status = 'running' AND subscription = 'other')), 10, 'acknowledges all');
is(claim($new, 100, 'other'), 'order.cancelled 202 1, order.cancelled 209 1, order.cancelled 203 1', 'and gets the rest');

is_sound($new, 'the new shop is sound');
log_is_clean($_, 'no process crashed') for $old, $new;
done_testing();
