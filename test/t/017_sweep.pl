# The background notifier expires orders that were not paid in time, as the
# extension's owner, whatever goes wrong meanwhile, and goes on notifying.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CommerceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('sweep', empty => 1, conf => [
	"shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres'",
	'max_prepared_transactions = 5' ]);

# The extension belongs to somebody who is no superuser.
my $shop = q(SET ROLE shopkeeper;
	CREATE EXTENSION commerce;
	RESET ROLE;
	SELECT FROM commerce.create_user('kim', 1);
	SELECT FROM commerce.charge_balance(1, 1000000);
	SELECT FROM commerce.create_product('mug', 1);
	SELECT FROM commerce.create_product_option(1, 'red', 100, 10000, 1););
$node->safe_psql('postgres', "CREATE ROLE shopkeeper SUPERUSER; $shop
	ALTER ROLE shopkeeper NOSUPERUSER");
my $pid = notifier();

sub notifier
{
	my $find = "FROM pg_stat_activity WHERE backend_type = 'commerce notifier'";

	$node->poll_query_until('postgres', "SELECT count(*) = 1 $find");
	return $node->safe_psql('postgres', "SELECT pid $find");
}

# SQL that holds that many orders of 2 units each, due at once or later.
sub hold
{
	my ($orders, $ttl) = (@_, '1 microsecond');
	return qq(SELECT FROM (SELECT commerce.hold_order(1, '[{"option_id": 1, "quantity": 2}]',
		ttl => '$ttl') FROM generate_series(1, $orders) OFFSET 0) held;);
}

sub is_swept
{
	my ($name) = @_;
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM commerce.orders
		WHERE status = 'pending'"), $name);
	return;
}

sub pending
{
	return $node->safe_psql('postgres',
		"SELECT count(*) FROM commerce.orders WHERE status = 'pending'");
}

# Does the notifier, still the same, tell of an order?
sub is_told
{
	my ($name) = @_;
	my ($own, @pids) = told_by($node, 'postgres',
		q(SELECT FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]')), $pid);
	is("@pids", $pid, $name);
	return;
}

# Returns once sessions that begin, and the notifier's next sweep, have it.
sub set_read_only
{
	my ($value) = @_;

	$node->append_conf('postgresql.conf', "default_transaction_read_only = $value");
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW default_transaction_read_only', $value);
	$node->poll_query_until('postgres',
		"SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid");
	return;
}

# SQL that has time to be done before anything is swept.
sub before_sweep
{
	my ($sql) = @_;

	set_read_only('on');
	$node->safe_psql('postgres', "SET default_transaction_read_only = off; $sql");
	set_read_only('off');
	return;
}

sub warnings
{
	my $log = slurp_file($node->logfile);
	return scalar(() = $log =~ /WARNING: +could not expire order/g);
}

# Many more than a batch has, and one that has time left.
$node->safe_psql('postgres', hold(2500) . hold(1, '1 hour'));
ok($node->poll_query_until('postgres', "SELECT count(*) = 2500 FROM commerce.orders
	WHERE status = 'expired'"), 'orders that were not paid in time expire by themselves');
is(pending(), 1, 'one that has time left does not');
is($node->safe_psql('postgres', 'SELECT available FROM commerce.stock'), '9998',
	'their stock is back');
is($node->safe_psql('postgres', "SELECT count(DISTINCT xmin::text) >= 10 FROM commerce.orders
	WHERE status = 'expired'"), 't', 'batch by batch, each in a transaction of its own');
is_told('and orders are told of');
$node->safe_psql('postgres', 'SELECT FROM commerce.cancel_order(2501)');

# Whose rights it has, up to its commit.
$node->safe_psql('postgres', q(
	CREATE TABLE seen (role_name text, session_name text, moment text);
	ALTER TABLE seen OWNER TO shopkeeper;
	CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO public.seen VALUES (current_user, session_user, TG_ARGV[0]);
		RETURN NULL;
	END $$;
	CREATE TRIGGER look AFTER UPDATE ON commerce.orders
		FOR EACH ROW EXECUTE FUNCTION look('at once');
	CREATE CONSTRAINT TRIGGER look_later AFTER UPDATE ON commerce.orders
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look('at commit');));
$node->safe_psql('postgres', hold(1));
is_swept('swept where triggers look on');
is($node->safe_psql('postgres', "SELECT role_name, moment FROM seen ORDER BY moment COLLATE \"C\""),
	"shopkeeper|at commit\nshopkeeper|at once", 'triggers see the owner, at the commit too');
$node->safe_psql('postgres', q(DROP TRIGGER look ON commerce.orders;
	DROP TRIGGER look_later ON commerce.orders));

# A trigger that fails for two of three orders. Each is warned of when it is tried,
# and each wait is twice as long as the one before.
my $began = time;
$node->safe_psql('postgres', q(
	CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN RAISE EXCEPTION 'not today' USING DETAIL = 'Ask tomorrow.'; END $$;
	CREATE TRIGGER fail BEFORE UPDATE ON commerce.orders
		FOR EACH ROW WHEN (NEW.status = 'expired' AND NEW.order_id % 3 <> 0) EXECUTE FUNCTION fail();) . hold(3));
$node->wait_for_log(qr/WARNING:  could not expire order \d+: not today\n.*Ask tomorrow/);
is_told('a trigger that fails does not keep others from being told');
sleep 4;
cmp_ok(warnings(), '<=', 2 * (1 + log(time - $began + 2) / log(2)), 'nor does it flood the log');
is(pending(), 2, 'nor keep the others from expiring');
$node->safe_psql('postgres', 'DROP TRIGGER fail ON commerce.orders');
is_swept('once it is gone, the sweep is done');

# One that takes for ever.
$node->safe_psql('postgres', q(
	CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM pg_sleep(1000); RETURN NEW; END $$;
	CREATE TRIGGER dawdle BEFORE UPDATE ON commerce.orders
		FOR EACH ROW WHEN (NEW.status = 'expired') EXECUTE FUNCTION dawdle();) . hold(1));
$node->wait_for_log(qr/could not expire orders: canceling statement due to statement timeout/);
is_told('a trigger that takes for ever keeps others from being told for seconds only');
$node->safe_psql('postgres', 'DROP TRIGGER dawdle ON commerce.orders');
is_swept('once it is gone, the sweep is done as well');

# Somebody locks the table for long, then all the stock there is of the option.
my $warned = warnings();
before_sweep(hold(3) . q(BEGIN;
	LOCK TABLE commerce.orders IN SHARE MODE; PREPARE TRANSACTION 'altering'));
sleep 4;
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE pid = $pid AND NOT granted"),
	'0', 'it does not wait for who alters the table');
is(pending() . ' ' . warnings(), "3 $warned", 'nor complain');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'altering'");
is_swept('but sweeps when that is done');
before_sweep(hold(3) . q(BEGIN;
	UPDATE commerce.stock_slots SET quantity = quantity; PREPARE TRANSACTION 'stocktaking'));
sleep 3;
is(pending() . ' ' . warnings() . ' ' . notifier(), "3 $warned $pid",
	'nor does it wait for stock that somebody has locked, or complain');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'stocktaking'");
is_swept('but sweeps later');

# A server that is not to change anything for a while.
$warned = warnings();
set_read_only('on');
$node->safe_psql('postgres', 'SET default_transaction_read_only = off; ' . hold(1));
sleep 4;
is(pending() . ' ' . warnings(), "1 $warned", 'it respects a read-only server');
my $said = () = slurp_file($node->logfile) =~
	/LOG: +orders of database "postgres" are not expired: the database is read-only/g;
cmp_ok($said, '<=', 3, 'and says so once each time that it becomes one');
cmp_ok($said, '>=', 1, 'which it was');
set_read_only('off');
is_swept('and sweeps when that is over');
is_sound($node, 'after all that');

# Without the function, as an older version is, and without the extension.
before_sweep(hold(1) . q(
	ALTER EXTENSION commerce DROP FUNCTION commerce.expire_orders;
	ALTER FUNCTION commerce.expire_orders RENAME TO away;));
sleep 3;
is(pending() . ' ' . warnings(), "1 $warned", 'nothing to call, nothing to say');
$node->safe_psql('postgres', 'DROP EXTENSION commerce CASCADE');
sleep 2;
is(warnings(), $warned, 'nor without the extension');
$node->safe_psql('postgres', "ALTER ROLE shopkeeper SUPERUSER; $shop" . hold(10));
is_swept('the extension created again is swept as well');
is(notifier(), $pid, 'all that by the same process');
is_told('which tells of orders as before');

log_is_clean($node, 'no process crashed');
done_testing();
