# One order stops no other from expiring: one whose stock is full, one whose stock,
# coupon or row somebody holds, one whose trigger raises. By sweeps and by hand.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CommerceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('hostile', init => { allows_streaming => 'logical' }, conf => [ 'max_prepared_transactions = 5' ]);
$node->safe_psql('postgres', q(
	SELECT FROM commerce.create_user('kim', 1);
	SELECT FROM commerce.charge_balance(1, 1000000);
	SELECT FROM commerce.create_product('mug', 1);
	SELECT count(commerce.create_product_option(1, 'option ' || n, 1, 1000, n)) FROM generate_series(1, 5) n;
	SELECT FROM commerce.create_coupon_policy('spring', 'fixed', 1, 100, per_user_limit => 100, policy_id => 1);
	SELECT count(commerce.issue_coupon(1, 1)) FROM generate_series(1, 3);));

# Holds one unit of the option, due at once.
sub hold
{
	my ($option, $coupon) = (@_, 'NULL');
	return $node->safe_psql('postgres', qq(SELECT order_id FROM commerce.hold_order(1,
		'[{"option_id": $option, "quantity": 1}]', $coupon, '1 microsecond')));
}

# What expire_orders() returns, and whom it warns of.
sub expire
{
	my ($batch_size) = (@_, 1000);
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', "SELECT commerce.expire_orders($batch_size)",
		stdout => \$stdout, stderr => \$stderr);
	return "$stdout|" . join ' ', $stderr =~ /WARNING: +could not expire order (\d+)/g;
}

sub pending
{
	return $node->safe_psql('postgres', "SELECT coalesce(string_agg(order_id::text, ' '
		ORDER BY order_id), '') FROM commerce.orders WHERE status = 'pending'");
}

# The stock of option 1 cannot take its unit back.
my $full = hold(1);
my @others = map { hold(2) } 1 .. 5;
$node->safe_psql('postgres', 'SELECT FROM commerce.adjust_stock(1, 9223372036854775807 - 999)');
is(expire(), "5|$full", 'an order whose stock is full is warned of, and the others expire');
is(expire(), "0|$full", 'it is tried again');
$node->safe_psql('postgres', 'SELECT FROM commerce.adjust_stock(1, -10)');
is(expire(), '1|', 'and expires when it can');
is_sound($node, 'nothing is lost');

# Somebody holds the only slot of option 2, a coupon, a row.
my $stock = hold(2);
my $coupon = hold(3, 1);
my $row = hold(4);
my $free = hold(3, 2);
$node->safe_psql('postgres', qq(BEGIN;
	SET LOCAL commerce.notify = off;
	SELECT FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]');
	SELECT FROM commerce.coupons WHERE coupon_id = 1 FOR UPDATE;
	SELECT FROM commerce.orders WHERE order_id = $row FOR UPDATE;
	PREPARE TRANSACTION 'idle'));
is(expire(), '1|', 'what nobody holds expires');
is(pending(), "$stock $coupon $row", 'the rest is left');
is($node->safe_psql('postgres', 'SELECT status FROM commerce.coupons WHERE coupon_id = 2'), 'issued',
	'its coupon is back');
$node->safe_psql('postgres', 'SET deadlock_timeout = 1; SELECT commerce.expire_orders(2)');
is(pending(), "$stock $coupon $row", 'also of a smaller batch');
@others = map { hold(5) } 1 .. 3;
is(expire(2) . ' ' . expire(2), '2| 1|', 'nor do they fill a batch');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'idle'");
is(expire(), '3|', 'and expires when it is free');
is_sound($node, 'nothing is lost');

# A trigger that raises, among many orders; and one that is deferred.
$node->safe_psql('postgres', q(
	CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN RAISE EXCEPTION E'not\nthis \u202Eone'; END $$;
	CREATE TRIGGER fail BEFORE UPDATE ON commerce.stock_slots
		FOR EACH ROW WHEN (NEW.option_id = 4 AND NEW.quantity > OLD.quantity) EXECUTE FUNCTION fail();));
my @bad;
foreach my $n (1 .. 40)
{
	my $order = hold($n % 10 == 0 ? 4 : 5);
	push @bad, $order if $n % 10 == 0;
}
my ($stdout, $stderr);
$node->psql('postgres', 'SELECT commerce.expire_orders()', stdout => \$stdout, stderr => \$stderr);
is($stdout, '36', 'one at fault among ten takes no other with it');
is(join(' ', $stderr =~ /could not expire order (\d+): /g), "@bad", 'each is named');
like($stderr, qr/: not\\u000athis \\u202eone$/m, 'in one line, whatever the error says');
is(expire(10), "0|@bad", 'nor do they fill a batch');
$node->safe_psql('postgres', 'DROP TRIGGER fail ON commerce.stock_slots');
is(expire(), '4|', 'and expire when they can');

# In REPEATABLE READ, and cancelled.
hold(5);
is(sqlstates($node, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SELECT commerce.expire_orders(); COMMIT"),
	'', 'in REPEATABLE READ');
is(pending(), '', 'it expires');

# A subscriber leaves it to its publisher.
my $subscriber = new_server('subscriber');
$node->safe_psql('postgres', 'CREATE PUBLICATION shop FOR ALL TABLES');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION shop CONNECTION '"
	. $node->connstr . " dbname=postgres' PUBLICATION shop");
$node->wait_for_catchup('shop');
hold(1);
$node->wait_for_catchup('shop');
($stdout, $stderr) = ('', '');
$subscriber->poll_query_until('postgres', "SELECT count(*) = 1 FROM commerce.orders WHERE status = 'pending'");
$subscriber->psql('postgres', 'SELECT commerce.expire_orders()', stdout => \$stdout, stderr => \$stderr);
is($stdout, '0', 'a subscriber expires nothing');
like($stderr, qr/WARNING:  no order is expired: commerce.orders belongs to a subscription/, 'and says so');
$subscriber->append_conf('postgresql.conf', "shared_preload_libraries = 'commerce'\ncommerce.databases = 'postgres'");
$subscriber->restart;
$subscriber->wait_for_log(qr/orders of database "postgres" are not expired: commerce.orders belongs to a subscription/);
sleep 3;
is($subscriber->safe_psql('postgres', "SELECT count(*) FROM commerce.orders WHERE status = 'pending'"), '1',
	'nor does its notifier sweep');
my $said = () = slurp_file($subscriber->logfile) =~ /belongs to a subscription/g;
is($said, 2, 'which it says once');

# It becomes the shop.
$node->safe_psql('postgres', 'SELECT FROM commerce.create_user($$lee$$)');
$node->wait_for_catchup('shop');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION shop DISABLE;
	ALTER SUBSCRIPTION shop SET (slot_name = NONE); DROP SUBSCRIPTION shop;
	SELECT commerce.advance_sequences()');
ok($subscriber->poll_query_until('postgres', "SELECT count(*) = 0 FROM commerce.orders WHERE status = 'pending'"),
	'once it is the shop, it sweeps');
is($subscriber->safe_psql('postgres', 'SELECT user_id > 1000 FROM commerce.create_user($$park$$)'), 't',
	'and makes ids of its own');
is_sound($subscriber, 'the new shop is sound');

log_is_clean($_, 'no process crashed') for $node, $subscriber;
done_testing();
