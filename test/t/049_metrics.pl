# metrics(): every call counts once, under its function and SQLSTATE, in its database,
# whatever becomes of its transaction, however many call at once; what the tables hold
# is counted by index, within bounds. Without preload there are no counters.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;

my $node = new_server('metrics', conf => [
	"shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres'" ]);

# The value of a metric with labels like these: 'key=value key=value', or ''; what is
# not there is ''.
sub metric
{
	my ($name, $labels, $dbname) = @_;
	my $wanted = join ', ', map { '"' . join('": "', split /=/) . '"' } split / /, $labels // '';

	return $node->safe_psql($dbname // 'postgres',
		"SELECT value FROM commerce.metrics() WHERE name = 'commerce_$name' AND labels = '{$wanted}'");
}
sub calls
{
	my ($function, $sqlstate, $dbname) = @_;
	return metric('calls_total', "function=$function sqlstate=$sqlstate", $dbname) || 0;
}

sub order
{
	my ($option, $quantity) = @_;
	return 'commerce.place_order(1, $$' . items([ $option, $quantity ]) . '$$)';
}

$node->safe_psql('postgres', q(
	SELECT FROM commerce.create_user('buyer', 1);
	SELECT FROM commerce.charge_balance(1, 1000000);
	SELECT FROM commerce.create_product('shirt', 1);
	SELECT FROM commerce.create_product_option(1, 'red', 10, 100000, 1);
));

# ---- calls ----

sub run { my ($sql) = @_; return sqlstates($node, $sql); }

run('SELECT ' . order(1, 3));
run('BEGIN; SELECT ' . order(1, 2) . '; ROLLBACK');
is(calls('place_order', '00000'), 2, 'what succeeded counts, also if it is rolled back');
is(metric('units_sold_total'), 5, 'with its units');
is(metric('money_sold_total'), 50, 'and its money');
run('SELECT ' . order(1, 200000));
run('SELECT ' . order(7, 1));
run('SELECT ' . order(7, 1));
is(calls('place_order', 'SC301') . calls('place_order', 'SC003'), '12', 'refusals count under their codes');
run('SELECT commerce.place_order(NULL, $$[]$$)');
run('SELECT commerce.charge_balance(1, 1, $$$$)');
is(calls('place_order', '22004') . calls('charge_balance', '22023'), '11', 'so do errors');
run('DO $$ BEGIN PERFORM ' . (order(7, 1) =~ s/\$\$/'/gr) . '; EXCEPTION WHEN OTHERS THEN NULL; END $$');
is(calls('place_order', 'SC003'), 3, 'also those that somebody catches');
run("BEGIN; SELECT commerce.charge_balance(1, 1); SAVEPOINT here; SELECT commerce.use_balance(1, 1); ROLLBACK TO here; COMMIT");
is(calls('use_balance', '00000'), 1, 'and what was done in a savepoint');

my $other = $node->background_psql('postgres', on_error_stop => 0);
$other->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
run('SELECT commerce.charge_balance(1, 5)');
$other->query('SELECT commerce.charge_balance(1, 5)');
$other->query('ROLLBACK');
$other->quit;
is(calls('charge_balance', '40001'), 1, 'a serialization failure is one');
# Its error stays with that session.
$other = $node->background_psql('postgres');
$other->query_safe('BEGIN; SELECT FROM commerce.charge_balance(1, 5)');
run('SET statement_timeout = 100; SELECT commerce.charge_balance(1, 5)');
$other->query_safe('COMMIT');
$other->quit;
is(calls('charge_balance', '57014'), 1, 'and a call that was cancelled');

# ---- batches ----

run(q(SELECT count(*) FROM commerce.place_orders('[{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}]},
	{"user_id": 1, "items": [{"option_id": 1, "quantity": 2}]},
	{"user_id": 9, "items": [{"option_id": 1, "quantity": 1}]}, {"user_id": 1, "items": []}]')));
is(join(' ', map { calls('place_orders', $_) } qw(00000 SC001 SC302)), '2 1 1', 'each request of a batch counts');
is(metric('units_sold_total'), 8, 'with its units');
run(q(SELECT commerce.place_orders('{}')));
is(calls('place_orders', '22023'), 1, 'a batch that is none counts once');
run(q(SELECT FROM commerce.create_coupon_policy('gift', 'fixed', 1, 1, policy_id => 1);
	SELECT count(*) FROM commerce.issue_coupons(1, '{1, 1, 8}')));
is(join(' ', map { calls('issue_coupons', $_) } qw(00000 SC204 SC001)), '1 1 1', 'so does each user of issue_coupons');

# ---- many at once ----

my $script = PostgreSQL::Test::Utils::tempdir() . '/order.sql';
append_to_file($script, 'SELECT FROM ' . order(1, 1) . ";\n");
my ($calls, $units) = (calls('place_order', '00000'), metric('units_sold_total'));
$node->command_ok([ 'pgbench', '-n', '-c', 8, '-t', 100, '-f', $script, $node->connstr('postgres') ], '8 clients order');
is(calls('place_order', '00000') - $calls, 800, 'none of their calls is lost');
is(metric('units_sold_total') - $units, 800, 'nor a unit');
cmp_ok(metric('notifications_total'), '>', 0, 'listeners were notified');
is(metric('notifier_running'), 1, 'by the notifier');

# ---- money back, orders held ----

my $order_id = $node->safe_psql('postgres', 'SELECT order_id FROM ' . order(1, 5));
run(qq(SELECT commerce.refund_order($order_id, '[{"option_id": 1, "quantity": 2}]')));
run("SELECT commerce.cancel_order($order_id - 1)");
is(metric('money_refunded_total'), 30, 'what was given back counts');
run(q(SELECT commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]', NULL, '1 ms')));
ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM commerce.orders WHERE status = 'expired')), 'an order expires');
ok($node->poll_query_until('postgres', q(SELECT value = 1 FROM commerce.metrics() WHERE name = 'commerce_orders_expired_total')),
	'and counts as such');
cmp_ok(metric('sweeps_total'), '>', 0, 'in a sweep');

# ---- events ----

run('SELECT commerce.create_subscription($$other$$)');
run('SELECT ' . order(1, 1)) foreach 1 .. 4;
my @ids = split /\n/, $node->safe_psql('postgres', q(SELECT event_id FROM commerce.claim_events(3, '1 hour', 'other')));
run("SELECT commerce.ack_events('{$ids[0]}', '{1}', 'other'), commerce.release_events('{$ids[1]}', '{1}', NULL, 'other');
	SELECT commerce.fail_event($ids[2], 1, 'broken', '1 hour', 'other'); SELECT commerce.discard_event($ids[2], 'other')");
is(join(' ', map { metric('deliveries_total', "outcome=$_ subscription=other") }
		qw(claimed delivered released failed discarded)), '3 1 1 1 1', 'deliveries count by subscription and outcome');
is(metric('undelivered_events', 'status=available subscription=other'), 2, 'what is left is counted in the tables');
is(metric('undelivered_events', 'status=running subscription=default'), 0, 'for each subscription');
$node->safe_psql('postgres', q(UPDATE commerce.stored_deliveries SET status = 'dead', due_at = NULL WHERE event_id = ) . $ids[1]);
is(join(' ', map { metric('undelivered_events', "status=$_ subscription=other") } qw(available dead)), '1 1', 'by status');
cmp_ok(metric('oldest_undelivered_seconds', 'subscription=other'), '>', 0, 'with the age of the oldest');
cmp_ok(metric('oldest_undelivered_seconds', 'subscription=default'), '>', metric('oldest_undelivered_seconds', 'subscription=other'),
	'which is that of an event');
is(metric('subscription_paused', 'subscription=other'), 0, 'a subscription');
run('SELECT commerce.pause_subscription($$other$$)');
is(metric('subscription_paused', 'subscription=other'), 1, 'is paused');
run(q(SELECT commerce.drop_subscription('other')));
is($node->safe_psql('postgres', q(SELECT count(*) FROM commerce.metrics() WHERE labels->>'subscription' = 'other')), 0,
	'or is there no more');
is(metric('overdue_orders'), 0, 'no order is overdue');
$node->safe_psql('postgres', q(INSERT INTO commerce.orders (order_id, user_id, status, subtotal, discount, total, placed_at, expires_at)
	SELECT 1000000 + n, 1, 'pending', 0, 0, 0, now() - interval '1 hour', now() - interval '1 hour' FROM generate_series(1, 10001) n;
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
	CREATE TRIGGER refuse BEFORE UPDATE ON commerce.orders FOR EACH ROW EXECUTE FUNCTION refuse()));
is(metric('overdue_orders'), 10000, 'of many that are, some are counted');

# ---- whose figures they are ----

$node->safe_psql('postgres', 'CREATE DATABASE another');
$node->safe_psql('another', 'CREATE EXTENSION commerce; SELECT FROM commerce.create_user($$buyer$$)');
is(calls('create_user', '00000', 'another'), 1, 'another database has its own figures');
is(metric('notifier_running', '', 'another'), 0, 'and here no notifier');
$node->safe_psql('postgres', q(CREATE ROLE prometheus; SELECT commerce.grant_access('prometheus', 'reader')));
cmp_ok($node->safe_psql('postgres', 'SET ROLE prometheus; SELECT count(*) FROM commerce.metrics()'), '>', 20, 'level reader suffices');
is(run('SET ROLE prometheus; SELECT commerce.counters()'), '42501', 'for metrics() alone');

$node->safe_psql('postgres', 'DROP TRIGGER refuse ON commerce.orders');
$node->restart;
is(calls('place_order', '00000'), 0, 'a restart begins anew');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
run('SELECT ' . order(1, 1));
is($node->safe_psql('postgres', q(SELECT count(*) FROM commerce.metrics() WHERE name LIKE '%\_total')), 0,
	'without preload there are no counters');
is(metric('notifier_running') . metric('undelivered_events', 'status=running subscription=default'), '00', 'but the rest is there');

log_is_clean($node, 'no crash, no internal error');
done_testing();
