# The background notifier tells of orders, and lives through all that a DBA does
# to its database meanwhile.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CommerceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('notifier', empty => 1, conf => [
	"shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres, shop'",
	'max_prepared_transactions = 5' ]);

# The notifier's pid, waiting for one that is not $old.
sub notifier
{
	my ($old, $dbname) = ($_[0] || 0, $_[1] || 'shop');
	my $find = "FROM pg_stat_activity WHERE backend_type = 'commerce notifier'"
		. " AND datname = '$dbname' AND pid <> $old";

	$node->poll_query_until('postgres', "SELECT count(*) = 1 $find") or return 0;
	# It is connected; it tells from its first round on.
	$node->poll_query_until('postgres', "SELECT count(*) = 1 $find AND state = 'idle'") or return 0;
	return $node->safe_psql('postgres', "SELECT pid $find");
}

sub is_gone
{
	my ($dbname) = @_;
	return $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity
		WHERE backend_type = 'commerce notifier' AND datname = '$dbname'");
}

sub is_gone_pid
{
	my ($pid) = @_;
	return $node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
}

# Who told a session that listens while it does $sql: a list of pids. $by: who is
# to be waited for.
sub told
{
	my ($sql, $by) = @_;
	my ($own, @pids) = told_by($node, 'shop', $sql, $by);
	return join ' ', @pids;
}

my $order = q(SELECT FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]'));
my $finish = q(SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
	FROM commerce.claim_events(1000));
my $shop = q(CREATE EXTENSION commerce;
	SELECT FROM commerce.create_user('kim', 1);
	SELECT FROM commerce.charge_balance(1, 1000000);
	SELECT FROM commerce.create_product('mug', 1);
	SELECT FROM commerce.create_product_option(1, 'red', 100, 1000, 1););

# A database of the list that does not exist yet.
ok(notifier(0, 'postgres'), 'a notifier without the extension');
$node->wait_for_log(qr/database "shop" of commerce.databases cannot be connected to/);
$node->safe_psql('postgres', 'CREATE DATABASE shop');
my $pid = notifier();
ok($pid, 'a database created later gets its notifier');
$node->safe_psql('shop', $shop);

is(told($order, $pid), $pid, 'the notifier tells of an order');
is($node->safe_psql('postgres', "SELECT state, backend_xmin, xact_start, backend_xid
		FROM pg_stat_activity WHERE pid = $pid"),
	'idle|||', 'idle, it holds no snapshot and no transaction');

# What no callback announces, and what there is nothing to say about.
is(told("BEGIN; $order; PREPARE TRANSACTION 'order'; COMMIT PREPARED 'order'", $pid), $pid, 'it finds the order of a prepared transaction');
$node->safe_psql('shop', $finish);
is(told("BEGIN; $order; ROLLBACK"), '', 'nobody hears of an order rolled back');

# The extension goes and comes back.
$node->safe_psql('shop', 'DROP EXTENSION commerce CASCADE');
is(told('SELECT 1'), '', 'without the extension there is nothing to tell');
$node->safe_psql('shop', $shop);
is(told($order, $pid), $pid, 'it serves the extension when created again');

# An error inside, and its own end.
$node->safe_psql('shop', 'ALTER TABLE commerce.events RENAME TO events_away');
ok(is_gone_pid($pid), 'an error inside ends it');
$node->safe_psql('shop', 'ALTER TABLE commerce.events_away RENAME TO events');
my $next = notifier($pid);
is(told($order, $next), $next, 'there is a new one once the cause is gone');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($next)");
$pid = notifier($next);
is(told($order, $pid), $pid, 'a terminated one is replaced');

# An order prepared while there is none for a moment.
$node->safe_psql('shop', $finish);
my $launcher = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type = 'commerce launcher'");
kill 'STOP', $launcher;
$node->safe_psql('shop', "SELECT pg_terminate_backend($pid, 60000)");
$node->safe_psql('shop', "BEGIN; $order; PREPARE TRANSACTION 'order'");
kill 'CONT', $launcher;
$pid = notifier($pid);
is(told("COMMIT PREPARED 'order'", $pid), $pid, 'an order prepared meanwhile is told of');

# Somebody alters the outbox. A prepared transaction keeps the lock.
$node->safe_psql('shop', "BEGIN; LOCK TABLE commerce.events; PREPARE TRANSACTION 'altering'");
sleep 2;
ok($node->poll_query_until('shop', "SELECT count(*), (SELECT count(backend_xmin) FROM pg_stat_activity
		WHERE pid = $pid) FROM pg_locks WHERE pid = $pid AND NOT granted", '0|0'),
	'it does not wait for who alters the outbox');
$node->safe_psql('shop', "ROLLBACK PREPARED 'altering'");

# What is set for sessions is not for it.
$node->append_conf('postgresql.conf', "default_transaction_isolation = serializable");
$node->reload;
$node->safe_psql('shop', "BEGIN; SELECT FROM commerce.create_user('lee'); PREPARE TRANSACTION 'open'");
sleep 2;
is($node->safe_psql('shop', "SELECT count(*) FROM pg_locks WHERE pid = $pid AND mode = 'SIReadLock'"),
	'0', 'it takes no part in SSI');
$node->safe_psql('shop', "ROLLBACK PREPARED 'open'");
$node->append_conf('postgresql.conf', "default_transaction_isolation = 'read committed'");
$node->reload;

# The interval: of many orders one notification, and no second one before its end.
$node->safe_psql('shop', $finish);
$node->append_conf('postgresql.conf', "commerce.notify_interval = '1min'");
$node->reload;
# A new session has it only once the server has told its processes.
ok($node->poll_query_until('shop', 'SHOW commerce.notify_interval', '1min'), 'a long interval');
my $listener = $node->background_psql('shop');
my $began = time;
my $output = $listener->query_safe('LISTEN commerce_outbox; ' . "$order; " x 20);
foreach (1 .. 600)
{
	last if $output =~ /Asynchronous/;
	$output .= $listener->query_safe('SELECT pg_sleep(0.1)');
}
$output .= $listener->query_safe('SELECT pg_sleep(2.5)') . $listener->query_safe('SELECT 1');
my $told = () = $output =~ /Asynchronous/g;
ok($told >= 1 && $told <= 1 + (time - $began) / 60, 'twenty orders, one notification')
	or diag($output);
$listener->quit;
$node->append_conf('postgresql.conf', "commerce.notify_interval = '1ms'");

# The list changes.
$node->append_conf('postgresql.conf', "commerce.databases = 'postgres'");
$node->reload;
ok(is_gone('shop'), 'it leaves a database that is no longer listed');
isnt(told($order, '\d+'), '', 'whose orders then notify by themselves');
$node->append_conf('postgresql.conf', "commerce.databases = 'postgres, shop'");
$node->reload;
ok(notifier(), 'and comes when listed again');

# Databases go, by force or not, and come back.
$node->safe_psql('postgres', 'DROP DATABASE shop');
ok(is_gone('shop'), 'it does not keep a database from being dropped');
$node->safe_psql('postgres', 'CREATE DATABASE shop');
ok(notifier(), 'and is there for the next one of that name');
$node->safe_psql('postgres', 'DROP DATABASE shop WITH (FORCE)');
ok(is_gone('shop'), 'dropped by force');
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', $shop);
ok(notifier(), 'and there again');

# The server stops and crashes.
$node->stop('fast');
$node->start;
isnt(notifier(), 0, 'it is there after a fast shutdown');
$node->safe_psql('shop', $order);
$node->stop('immediate');
$node->start;
$pid = notifier();
is($node->safe_psql('shop', 'SELECT count(*) > 0 FROM commerce.claim_events()'), 't',
	'and whoever looks finds what a crash left untold');

log_is_clean($node, 'no process crashed');
done_testing();
