# In a READ ONLY transaction and on a standby every writer is refused with 25006
# and changes nothing, while the readers answer as on the primary.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Cluster;
use CommerceTest;

my $node = new_server('primary', init => { allows_streaming => 1 });
my $one = items([ 1, 1 ]);

# Event 1 is claimed, event 2 is dead, event 3 waits; order 4 is held; coupon 1 is unused.
$node->safe_psql('postgres', qq(
	CREATE ROLE clerk;
	SELECT commerce.create_user('buyer', 1), commerce.charge_balance(1, 1000);
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'red', 100, 10, 1);
	SELECT commerce.create_coupon_policy('ten off', 'fixed', 10, 5, policy_id => 1,
		per_user_limit => 5);
	SELECT commerce.issue_coupon(1, 1, 'key');
	SELECT commerce.place_order(1, '$one');
	SELECT count(*) FROM commerce.claim_events();
	SELECT commerce.place_order(1, '$one');
	SELECT count(*) FROM commerce.claim_events();
	UPDATE commerce.stored_deliveries SET failures = 9 WHERE event_id = 2;
	SELECT status FROM commerce.fail_event(2, 1, 'no answer');
	SELECT commerce.place_order(1, '$one');
	SELECT commerce.hold_order(1, '$one', ttl => '1 day');));

my %writer = (
	create_user => "'new'",
	set_user_name => "1, 'new'",
	erase_user => '1',
	spread_stock => '1, 2',
	spread_coupon_quota => '1, 2',
	update_coupon_policy => "1, 'new'",
	issue_coupons => "1, '{1}'",
	advance_sequences => '',
	create_product => "'new'",
	create_product_option => "1, 'new', 10, 1",
	set_price => '1, 90',
	adjust_stock => '1, 1',
	create_coupon_policy => "'new', 'fixed', 1, 1",
	close_coupon_policy => '1',
	revoke_coupon => '1',
	charge_balance => '1, 1',
	use_balance => '1, 1',
	issue_coupon => '1, 1',
	use_coupon => '1, 1, 500',
	place_order => "1, '$one'",
	place_orders => qq('[{"user_id": 1, "items": $one}]'),
	hold_order => "1, '$one'",
	pay_order => '4',
	cancel_order => '4',
	refund_order => "1, '$one'",
	expire_orders => '',
	purge_idempotency_keys => "'0'",
	claim_events => '',
	ack_events => 'ARRAY[1], ARRAY[1]',
	fail_event => "1, 1, 'no answer'",
	release_events => 'ARRAY[1], ARRAY[1]',
	create_subscription => "'audit'",
	drop_subscription => "'default'",
	pause_subscription => "'default'",
	resume_subscription => "'default'",
	retry_events => '',
	retry_event => '2',
	discard_event => '2',
	purge_events => "'0'",
	grant_access => "'clerk', 'app'",
	revoke_access => "'clerk'");
my %reader = (
	get_balance => 'SELECT commerce.get_balance(1)',
	quote_order => "SELECT * FROM commerce.quote_order(1, '$one', 1)",
	get_order => 'SELECT commerce.get_order(2)',
	popular_products => 'SELECT * FROM commerce.popular_products()',
	metrics => 'SELECT count(*) FROM commerce.metrics()',
	verify => 'SELECT count(*) FROM commerce.verify()',
	views => 'SELECT * FROM commerce.stock, commerce.coupon_quota, commerce.coupon_wallet');

my $before = contents($node, 'postgres');
foreach my $name (sort keys %writer)
{
	my $call = "SELECT commerce.$name($writer{$name});";
	is(sqlstates($node, "BEGIN READ ONLY; $call COMMIT;"), '25006',
		"$name is refused in a read-only transaction");
	is(sqlstates($node, "SET default_transaction_read_only = on; $call"), '25006',
		"$name is refused where read-only is the default");
}
is_deeply(contents($node, 'postgres'), $before, 'nothing has changed');

# So it was not for its arguments that a call was refused.
foreach my $name (sort keys %writer)
{
	is(sqlstates($node, "BEGIN; SELECT commerce.$name($writer{$name}); ROLLBACK;"), '',
		"$name works otherwise");
}

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "log_statement = none\n");
$standby->start;

# Something that only came by streaming.
$node->safe_psql('postgres', "SELECT commerce.place_order(1, '$one')");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));

foreach my $name (sort keys %reader)
{
	my $answer = $node->safe_psql('postgres', $reader{$name});
	isnt($answer, '', "$name has an answer");
	is($node->safe_psql('postgres', "BEGIN READ ONLY; $reader{$name};"), $answer,
		"$name answers in a read-only transaction");
	is($standby->safe_psql('postgres', $reader{$name}), $answer,
		"$name answers on the standby");
}
foreach my $name (sort keys %writer)
{
	is(sqlstates($standby, "SELECT commerce.$name($writer{$name})"), '25006',
		"$name is refused on the standby");
}
is(sqlstates($standby, "SELECT commerce.get_balance(9); SELECT commerce.get_order(9);
		SELECT * FROM commerce.quote_order(1, '[]');"), 'SC102 SC004 SC302',
	'readers refuse on the standby as anywhere');
is_deeply(rows($standby, 'postgres'), rows($node, 'postgres'),
	'the standby holds what the primary holds');
log_is_clean($_, $_->name . ': no crash, no internal error') for $node, $standby;

# Promoted, it is a shop of its own.
$node->stop;
$standby->promote;
is(sqlstates($standby, "SELECT commerce.place_order(1, '$one')"), '',
	'the promoted standby sells');
is_sound($standby, 'no invariant is violated there');

$standby->stop;
done_testing();
