# Every function with arguments that let it through, in a shop in which they do.
package EveryCall;

use strict;
use warnings;
use Exporter 'import';
use CommerceTest;

our @EXPORT = qw(make_busy %writer %reader);

my $one = items([ 1, 1 ]);
my $no_contents = '{"tables": [], "events": {"subscriptions": [], "sequences": {}, "unwanted": [], "deliveries": {}}}';

# Event 1 is claimed, event 2 is dead, event 3 waits; order 4 is held; coupon 1 is
# unused; role clerk is there to be given something.
sub make_busy
{
	my ($node) = @_;

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
		SELECT commerce.hold_order(1, '$one', ttl => '1 day');
		SELECT node_no FROM commerce.join_cluster(1, '{[0,4095]}', NULL, true);));
	return;
}

our %writer = (
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
	revoke_access => "'clerk'",
	join_cluster => "1, '{[0,4095]}', NULL, true",
	membership_changed => '',
	publish_catalogue => '',
	transfer_out => "'stock', 1, 1, 2",
	transfer_in => "'stock', 1, 1, 2, 1",
	transfer_settled => '1',
	lock_bucket => '1, false',
	pack_bucket => '1',
	unpack_bucket => "'$no_contents'",
	give_bucket => '1, 2',
	take_bucket => qq(2, 1, '{"bucket": 1, "sold": {}, "contents": $no_contents}'),
	bucket_given => '1',
	refuse_bucket => '1, 2, 1',
	keep_bucket => '1',
	add_coupon_quota => '1, 1');

our %reader = (
	get_balance => '1',
	quote_order => "1, '$one', 1",
	get_order => '2',
	additions => "'post-data'",
	bucket => '1',
	unsold => "'stock', 1",
	counter_state => "'stock', 1",
	packed_columns => "'users'",
	bucket_contents => '1',
	map { $_ => '' } qw(popular_products event_origin metrics counters undelivered access_rights
		foreign_rights member_objects member_columns added_columns added_objects verify
		node_transfers node_moves catalogue_is_followed),
	map { "verify_$_" } qw(node users balances stock coupons orders events quantities parents));

# What a router calls: the same, with a refusal as a value.
$writer{"try_$_"} = $writer{$_} foreach qw(create_user set_user_name erase_user create_product create_product_option
	set_price adjust_stock create_coupon_policy update_coupon_policy close_coupon_policy issue_coupons
	revoke_coupon spread_stock spread_coupon_quota charge_balance use_balance issue_coupon use_coupon
	place_order hold_order pay_order cancel_order refund_order expire_orders place_orders
	purge_idempotency_keys add_coupon_quota);
$reader{"try_$_"} = $reader{$_} foreach qw(get_balance quote_order get_order popular_products);

1;
