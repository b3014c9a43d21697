# A call that waits for a lock can be given up in every way PostgreSQL knows. It
# reports that, not a refusal, leaves nothing, and its session goes on.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;

my $node = new_server('cancel');
my $one = items([ 1, 1 ]);

$node->safe_psql('postgres', qq(
	SELECT commerce.create_user('buyer', 1), commerce.create_user('holder', 2),
		commerce.create_user('new', 3);
	SELECT commerce.charge_balance(1, 1000), commerce.charge_balance(2, 1000);
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'red', 100, 2, 1);
	SELECT commerce.create_coupon_policy('two each', 'fixed', 10, 10,
		per_user_limit => 2, policy_id => 1);
	SELECT commerce.issue_coupon(1, 1);));

# Who holds what, and whom that stops.
my %race = (
	'a key' => [ "SELECT commerce.adjust_stock(1, 1, 'found', 'k')",
		"SELECT commerce.adjust_stock(1, 1, 'found', 'k')" ],
	'a balance' => [ 'SELECT commerce.charge_balance(1, 1)', "SELECT commerce.place_order(1, '$one')" ],
	'a new account' => [ 'SELECT commerce.charge_balance(3, 1)', 'SELECT commerce.charge_balance(3, 1)' ],
	'a coupon' => [ 'SELECT commerce.use_coupon(1, 1, 500)', "SELECT commerce.place_order(1, '$one', 1)" ],
	'the last units' => [ "SELECT commerce.place_order(2, '" . items([ 1, 2 ]) . "')",
		"SELECT commerce.place_order(1, '$one', 1, 'k')" ],
	'a batch\'s second user' => [ 'SELECT commerce.charge_balance(2, 1)',
		qq(SELECT commerce.place_orders('[{"user_id": 1, "items": $one, "coupon_id": 1, "idempotency_key": "k"},
			{"user_id": 2, "items": $one}]')) ],
	'the quota' => [ 'SELECT commerce.issue_coupon(2, 1)', 'SELECT commerce.issue_coupon(1, 1)' ]);

my $holder = $node->background_psql('postgres');
foreach my $what (sort keys %race)
{
	my ($hold, $wait) = @{ $race{$what} };
	my $before = rows($node, 'postgres');

	$holder->query_safe("BEGIN; $hold");
	is(sqlstates($node, "SET lock_timeout = '50ms'; $wait"), '55P03',
		"waiting for $what: lock_timeout");
	is(sqlstates($node, "SET statement_timeout = '50ms'; $wait"), '57014',
		"waiting for $what: statement_timeout");
	$holder->query_safe('ROLLBACK');

	is_deeply(rows($node, 'postgres'), $before, "waiting for $what in vain changed nothing");
	is(sqlstates($node, "BEGIN; $wait; ROLLBACK;"), '', "$what free again, the call succeeds");
}

# One session, given up and going on.
$holder->query_safe('BEGIN; SELECT commerce.charge_balance(1, 1)');
is(sqlstates($node, "
		SET lock_timeout = '50ms';
		BEGIN;
		SELECT commerce.charge_balance(2, 5);
		SAVEPOINT s;
		SELECT commerce.charge_balance(1, 5);
		ROLLBACK TO s;
		SELECT commerce.charge_balance(2, 5);
		COMMIT;"), '55P03', 'a savepoint takes the failure');
$holder->query_safe('ROLLBACK');
is($node->safe_psql('postgres', 'SELECT commerce.get_balance(1), commerce.get_balance(2)'),
	'1000|1010', 'and keeps what was done around it');

$holder->quit;
is_sound($node, 'no invariant is violated');
log_is_clean($node, 'no crash, no internal error');

$node->stop;
done_testing();
