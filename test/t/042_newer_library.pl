# A newer library serves the schema of an older one, and says that the update is due
# only where a function needs what is new; an older library harms no newer schema.
#
# test/next makes up the newer one, 1.1. Its functions do not exist in 1.0, where
# nobody can call them; so these tests declare them by hand.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use NextVersion;

my $node = new_switchable('shop', 'this', 'track_functions = all');
my $one = items([ 1, 1 ]);

# All errors of sql, with their hints.
sub errors
{
	my ($dbname, $sql) = @_;
	my $stderr = '';

	$node->psql($dbname, $sql, stderr => \$stderr, on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return join "\n", map { s/^psql:<stdin>:\d+: //r } grep { /ERROR:|HINT:/ } split /\n/, $stderr;
}

# What errors() must give where this is asked for.
sub update_is_due
{
	my ($object, $version) = @_;
	return qq(ERROR:  55000: "commerce.$object" comes with version $version of the extension commerce, )
		. "this database has 1.0\nHINT:  Run ALTER EXTENSION commerce UPDATE.";
}

sub version
{
	my ($dbname) = @_;
	return $node->safe_psql($dbname, q(SELECT extversion FROM pg_extension WHERE extname = 'commerce'));
}

# ---- 1.0, made and used by its own library ----

$node->safe_psql('postgres', 'CREATE DATABASE made_before');
$node->safe_psql('made_before', 'CREATE EXTENSION commerce');
my $day = a_day($node, 'made_before');

# ---- the next library ----

switch_to($node, 'next');
is($node->safe_psql('made_before', "SELECT status, total FROM commerce.place_order(1, '$one')"), 'paid|900',
	'the schema that 1.0 made and used goes on selling');
is_sound($node, 'and is sound', 'made_before');

$node->safe_psql('postgres', 'CREATE DATABASE old');
$node->safe_psql('old', q(CREATE EXTENSION commerce VERSION '1.0'));
is(a_day($node, 'old'), $day, 'all calls of a day give what the library of 1.0 gives');
is($node->safe_psql('old', qq(
		SELECT order_id > 0 FROM commerce.place_orders('[{"user_id": 1, "items": $one}]');
		SELECT max(attempt) FROM commerce.claim_events(100), generate_series(1, 2);
		UPDATE commerce.stored_deliveries SET status = 'dead' WHERE event_id = (SELECT max(event_id) FROM commerce.stored_deliveries);
		SELECT status FROM commerce.retry_event((SELECT max(event_id) FROM commerce.deliveries));
		UPDATE commerce.stored_deliveries SET status = 'dead' WHERE event_id = (SELECT max(event_id) FROM commerce.stored_deliveries);
		SELECT status FROM commerce.discard_event((SELECT max(event_id) FROM commerce.deliveries));
		SELECT subscription FROM commerce.create_subscription('audit', '{order.paid}', '-infinity');
		SELECT count(*) > 0 FROM commerce.claim_events(subscription => 'audit');
		SELECT commerce.release_events('{1}', '{1}', NULL, 'audit') >= 0, commerce.retry_events('audit');
		SELECT pause_reason FROM commerce.pause_subscription('audit', NULL, 'lunch');
		SELECT pause_reason IS NULL FROM commerce.resume_subscription('audit');
		SELECT commerce.drop_subscription('audit') > 0, commerce.event_origin() <> 0;
		SELECT name FROM commerce.set_user_name(1, 'Kim Min-ji');
		SELECT name FROM commerce.erase_user(1);
		SELECT commerce.spread_stock(1, 2) > 0, commerce.spread_coupon_quota(policy_id, 2) > 0
		FROM commerce.coupon_policies ORDER BY policy_id LIMIT 1;
		SELECT quantity FROM commerce.create_coupon_policy('last', 'fixed', 1, 10, policy_id => 777);
		SELECT quantity FROM commerce.update_coupon_policy(777, quantity => 1000);
		SELECT sqlstate FROM commerce.issue_coupons(777, '{999999}');
		SELECT count(*) > 50 FROM commerce.member_columns();
		SELECT count(*) > 0 FROM commerce.metrics();)),
	"t\n1\navailable\ndiscarded\naudit\nt\nt|0\nlunch\nt\nt|t\nKim Min-ji\n(erased)\nt|t\n10\n1000\nSC001\nt\nt", 'so do those that a day has not');
is($node->safe_psql('old', q(
		SELECT commerce.bucket(1), node_no FROM commerce.join_cluster(1, '{[0,4095]}', force => true);
		SELECT commerce.membership_changed(), commerce.lock_bucket(1, true);
		SELECT commerce.transfer_in('stock', 1, 5, 2, 1), quantity > 0, commerce.transfer_settled(transfer_id),
			commerce.unsold('stock', 1) > 0, (commerce.add_coupon_quota(777, 1)).quantity
		FROM commerce.transfer_out('stock', 1, 1, 2);
		CREATE FUNCTION public.try_with_nulls(function oid) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			sqlstate text;
		BEGIN
			EXECUTE (SELECT format('SELECT sqlstate FROM commerce.%I(%s)', p.proname, string_agg(format('NULL::%s', t::regtype), ', '))
				FROM pg_proc p, unnest(p.proargtypes) t WHERE p.oid = function GROUP BY p.proname) INTO sqlstate;
			RETURN sqlstate;
		END $$;
		SELECT DISTINCT public.try_with_nulls(oid) FROM pg_proc WHERE pronamespace = 'commerce'::regnamespace AND proname ~ '^try_';)),
	"2860|1\n|\nt|t|t|t|1001\n22004", 'and those of a node');
my $uncalled = q(
	SELECT string_agg(p.proname, ' ') FROM pg_proc p LEFT JOIN pg_stat_user_functions s ON s.funcid = p.oid
	WHERE pronamespace = 'commerce'::regnamespace
	  AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') AND s.calls IS NULL);
ok($node->poll_query_until('old', "SELECT ($uncalled) IS NULL"), 'that was every function in C')
	or diag('but for ' . $node->safe_psql('old', $uncalled));

created_version('1.0');
passes_regression_tests($node, 'regression tests pass on 1.0', qw(order_place order_batch order_hold order_cancel
	order_refund order_get coupon_issue coupon_policy event_claim idempotency access life_column life_recreate));
created_version('fresh');

# ---- what is new ----

my $new = q(
	CREATE FUNCTION public.add_memo(bigint, text) RETURNS bigint
	AS '$libdir/commerce', 'commerce_add_memo' LANGUAGE C;
	CREATE FUNCTION public.mark_order(bigint, text) RETURNS commerce.orders
	AS '$libdir/commerce', 'commerce_mark_order' LANGUAGE C;
	CREATE FUNCTION public.place_order(bigint, jsonb, bigint, text, bigint, text) RETURNS commerce.orders
	AS '$libdir/commerce', 'commerce_place_order' LANGUAGE C;);
$node->safe_psql('old', $new);
my $paid = $node->safe_psql('old', "SELECT order_id FROM commerce.place_order(1, '$one')");
my $before = rows($node, 'old');
is(errors('old', "SELECT public.add_memo($paid, 'fragile')"), update_is_due('order_memos', '1.1'),
	'a new table: the update is due');
is(errors('old', "SELECT public.mark_order($paid, 'disputed')"), update_is_due('order_status.disputed', '1.1'),
	'a new label');
is(errors('old', "SELECT public.mark_order($paid, 'returned')"), update_is_due('order_status.returned', '1.3'),
	'a label that is newer still');
is(errors('old', "SELECT public.place_order(1, '$one', NULL, NULL, NULL, 'fragile')"), update_is_due('orders.memo', '1.1'),
	'a new column');
is_deeply(rows($node, 'old'), $before, 'none of them left anything');
is($node->safe_psql('old', qq(
		SELECT status FROM public.place_order(1, '$one', NULL, NULL, NULL, NULL);
		SELECT status FROM commerce.place_order(1, '$one');)), "paid\npaid",
	'with the new argument NULL, or without it, orders are placed');
is(errors('old', qq(
		SELECT public.add_memo($paid, 'fragile');
		SELECT status FROM commerce.place_order(1, '$one');)), update_is_due('order_memos', '1.1'),
	'and in a session that was told so');

# ---- names that a DBA gave before ----

$node->safe_psql('postgres', 'CREATE DATABASE named');
$node->safe_psql('named', q(
	CREATE EXTENSION commerce VERSION '1.0';
	ALTER TABLE commerce.orders ADD COLUMN memo integer DEFAULT 7;
	CREATE SEQUENCE commerce.memo_id_seq;
	CREATE TABLE commerce.order_memos (memo_id date);
	ALTER TYPE commerce.order_status ADD VALUE 'disputed';) . $new);
is(a_day($node, 'named') =~ s/"memo": 7, //gr, $day, 'a DBA\'s column of the name that ours will have is not ours');
is(errors('named', "SELECT public.add_memo(3, 'fragile')"), update_is_due('order_memos', '1.1'), 'nor a table');
$paid = $node->safe_psql('named', "SELECT order_id FROM commerce.place_order(1, '$one')");
is(errors('named', "SELECT public.mark_order($paid, 'disputed')"), update_is_due('order_status.disputed', '1.1'),
	'nor a label');

# It is in the way of the update, which leaves all as it was; renamed, it is not.
foreach my $rename (
	[ 42710, "ALTER TYPE commerce.order_status RENAME VALUE 'disputed' TO 'contested'" ],
	[ 42701, 'ALTER TABLE commerce.orders RENAME COLUMN memo TO own_memo' ],
	[ '42P07', 'ALTER SEQUENCE commerce.memo_id_seq RENAME TO own_memo_id_seq' ],
	[ '42P07', 'ALTER TABLE commerce.order_memos RENAME TO own_memos' ])
{
	my ($error, $sql) = @$rename;

	is(sqlstates($node, "ALTER EXTENSION commerce UPDATE; SELECT commerce.place_order(1, '$one');", dbname => 'named'),
		$error, "the update finds a namesake ($error), and the session goes on");
	is(version('named'), '1.0', 'with 1.0');
	$node->safe_psql('named', $sql);
}
is(sqlstates($node, 'ALTER EXTENSION commerce UPDATE', dbname => 'named'), '', 'without one it passes');
is(version('named'), '1.1', 'to 1.1');
is($node->safe_psql('named', qq(
		SELECT memo, own_memo FROM commerce.place_order(1, '$one', memo => 'fragile');
		SELECT DISTINCT memo, own_memo FROM commerce.orders WHERE memo <> 'fragile';
		SELECT commerce.add_memo($paid, 'fragile'), count(*) FROM commerce.own_memos;
		SELECT status FROM commerce.mark_order($paid, 'disputed');)),
	"fragile|7\nnone|7\n1|0\ndisputed", 'each of the two has its own');

# ---- the library put back after the update ----

$node->safe_psql('made_before', 'ALTER EXTENSION commerce UPDATE');
switch_to($node, 'this');
is(sqlstates($node, "SELECT commerce.place_order(1, '$one');
		SELECT commerce.add_memo(3, 'fragile');
		SELECT commerce.mark_order(3, 'disputed');", dbname => 'made_before'), '42P13 42883 42883',
	'an older library refuses what is declared for a newer one');
is($node->safe_psql('made_before', qq(
		SELECT status, memo FROM commerce.hold_order(1, '$one');
		SELECT status, memo FROM commerce.pay_order((SELECT max(order_id) FROM commerce.orders));
		SELECT order_id > 0 FROM commerce.place_orders('[{"user_id": 1, "items": $one}]');)),
	"pending|none\npaid|none\nt", 'and serves the rest');
switch_to($node, 'next');
is($node->safe_psql('made_before', "SELECT status, memo FROM commerce.place_order(1, '$one', memo => 'fragile')"),
	'paid|fragile', 'the newer one goes on from there');
is_sound($node, "$_ is sound", $_) foreach 'made_before', 'old';
log_is_clean($node, 'no crash, no internal error');

$node->stop;
done_testing();
