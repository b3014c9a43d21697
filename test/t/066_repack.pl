# pg_repack, as doc/operation.md has it, under a load of orders: no call fails, none is
# lost, and tables are to the catalogue what they were. What it does to whoever holds a
# table, with and without --no-kill-backend; what it leaves when it is killed; what it
# cannot.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Catalogue;
use CommerceTest;
use Documents;
use Processes;

my $bindir = qx($ENV{PG_CONFIG} --bindir) =~ s/\n//r;
plan skip_all => 'pg_repack is not there' unless -x "$bindir/pg_repack";

my ($section) = document('doc/operation.md') =~ /^## Bloat\n(.*?)^## /ms;
my ($repack, $begin_again) = map { $_->[1] } blocks($section);

my $node = new_server('repack', empty => 1, conf => [ "shared_preload_libraries = 'commerce'", "commerce.databases = 'shop'" ]);
$node->safe_psql('postgres', 'CREATE ROLE shop_app LOGIN; CREATE DATABASE shop');

# ---- a shop with additions ----

$node->safe_psql('shop', q(
	CREATE EXTENSION commerce;
	SELECT commerce.grant_access('shop_app', 'app'), commerce.grant_access('shop_app', 'relay');
	SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 1000000000))
	FROM generate_series(1, 5) id;
	SELECT FROM commerce.create_product('shirt', 1);
	SELECT count(commerce.create_product_option(1, 'red', 10, 1000000, id)) FROM generate_series(1, 2) id;
	SELECT FROM commerce.create_coupon_policy('all', 'fixed', 1, 1000000, per_user_limit => 1000000, policy_id => 1);

	ALTER TABLE commerce.orders ADD COLUMN channel text NOT NULL DEFAULT 'web', ADD COLUMN gone text;
	ALTER TABLE commerce.orders DROP COLUMN gone;
	ALTER TABLE commerce.orders ADD CONSTRAINT channel_known CHECK (channel IN ('web', 'shop'));
	ALTER TABLE commerce.orders SET (autovacuum_vacuum_scale_factor = 0.01);
	ALTER TABLE commerce.balances REPLICA IDENTITY FULL;
	CREATE INDEX orders_total_idx ON commerce.orders ((total - refunded)) WHERE total > 0;
	GRANT SELECT (order_id) ON commerce.orders TO PUBLIC;
	CREATE TABLE notes (note_id bigserial PRIMARY KEY, order_id bigint);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
		'BEGIN INSERT INTO public.notes (order_id) VALUES (NEW.order_id); RETURN NEW; END';
	CREATE TRIGGER z_note AFTER INSERT ON commerce.orders FOR EACH ROW EXECUTE FUNCTION note();
	CREATE FUNCTION not_negative() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN ASSERT NEW.balance >= 0; RETURN NEW; END';
	CREATE CONSTRAINT TRIGGER not_negative AFTER UPDATE ON commerce.balances
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION not_negative();));

my $relations = q(SELECT c.oid, c.oid::regclass, pg_relation_filenode(c.oid) FROM pg_class c
	WHERE relnamespace = 'commerce'::regnamespace AND relkind IN ('r', 'i') ORDER BY 1);

# Name => [OID, file].
sub relations
{
	return map { my ($oid, $name, $file) = split /\|/; ($name => [ $oid, $file ]) }
		split /\n/, $node->safe_psql('shop', $relations);
}

# Runs commands of the document there. They succeed; what they print.
sub run_commands
{
	my ($commands, $name) = @_;
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGUSER => 'postgres');
	my $out = '';

	ok(IPC::Run::run([ 'timeout', '300', 'bash', '-e', '-c', $commands ], '>', \$out, '2>&1'), $name) or diag($out);
	return $out;
}

# ---- the load ----

my $items = items([ 1, 1 ], [ 2, 1 ]);
my (%out, %err, %pid);

sub start_session
{
	my ($name, $sql) = @_;

	($out{$name}, $err{$name}) = (new_file(), new_file());
	$pid{$name} = start_program(">$out{$name}", ">$err{$name}", 'psql', '-XAtq', '-h', $node->host, '-p', $node->port,
		'-U', 'shop_app', '-d', 'shop', '-f', write_file($sql, 0644));
	return;
}

sub start_load
{
	foreach my $buyer (1 .. 4)
	{
		start_session($buyer, "SET statement_timeout = '60s';\n" . join '', map { <<"SQL" } 1 .. 8000);
SELECT FROM commerce.charge_balance($buyer, 5, 'charge-$_');
SELECT order_id AS placed FROM commerce.place_order($buyer, '$items', NULL, 'order-$_') \\gset
\\echo order :placed
SELECT coupon_id AS coupon FROM commerce.issue_coupon($buyer, 1) \\gset
SELECT order_id AS held FROM commerce.hold_order($buyer, '$items', :coupon, '1 hour') \\gset
SELECT FROM commerce.pay_order(:held);
\\echo order :held
SELECT @{[ $_ % 2 ? 'FROM commerce.cancel_order(:placed)' : qq(FROM commerce.refund_order(:held, '$items')) ]};
SELECT FROM commerce.hold_order($buyer, '$items', NULL, '1 second');
SELECT pg_sleep(0.01);
SQL
	}
	start_session('relay', join '', ("SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
		FROM commerce.claim_events(50);\nSELECT pg_sleep(0.01);\n") x 20000);
	return;
}

# Ends the sessions: nothing else ended them before, and no call had failed.
sub end_load
{
	$node->safe_psql('shop', q(SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'shop_app'));
	is(join(' ', map { wait_exit($_) } delete @pid{ keys %pid }), '2 2 2 2 2', 'the load went on all along');
	my @errors = map { grep { /ERROR/ } split /\n/, slurp_file($_) } values %err;
	is("@errors", '', 'no call failed');
	my @told = map { map { (split)[1] } grep { /^order / } split /\n/, slurp_file($out{$_}) } 1 .. 4;
	cmp_ok(scalar @told, '>', 100, scalar(@told) . ' orders were made meanwhile');
	is($node->safe_psql('shop', "SELECT count(*) FROM unnest('{" . join(',', @told) . "}'::bigint[]) id
		WHERE NOT EXISTS (SELECT FROM commerce.orders WHERE order_id = id)"), 0, 'none is lost');
	is($node->safe_psql('shop', q(SELECT (SELECT count(*) FROM commerce.orders) = count(*) AND count(*) = count(DISTINCT order_id)
		FROM notes)), 't', 'triggers fired once for each');
	is_sound($node, 'the shop is sound', 'shop');
	return;
}

# ---- under load ----

my ($create, @repacks) = split /^(?=pg_repack)/m, $repack;
run_commands($create, 'pg_repack is there');
my %before = relations();
my $catalogue = catalogue($node, 'shop');
my $additions = $node->safe_psql('shop', 'SELECT commerce.additions()');
my $session = $node->background_psql('shop');
$session->query_safe("SELECT FROM commerce.place_order(5, '$items')");

start_load();
ok($node->poll_query_until('shop', 'SELECT count(*) > 100 FROM commerce.orders'), 'orders come in');
my @skipped = run_commands($repacks[0], 'tables are repacked') =~ /Skipping/g;
is(scalar @skipped, 0, 'each of them');
my %between = relations();
my @tables = $repacks[0] =~ /-t (commerce\.\w+)/g;
cmp_ok(scalar @tables, '>', 10, 'they are the hot ones');
is(join(' ', grep { $between{$_}[1] == $before{$_}[1] } @tables), '', 'each has a new file');
$session->query_safe("SELECT FROM commerce.cancel_order((SELECT max(order_id) FROM commerce.orders WHERE user_id = 5))");
run_commands($repacks[1], 'indexes are repacked');
my %after = relations();
my @indexes = grep { /orders_(pkey|total_idx|pending_idx)/ } sort keys %after;
is(join(' ', map { (s{.*\.}{}r) } grep { $between{$_}[1] != $after{$_}[1] } @indexes),
	'orders_pending_idx orders_pkey orders_total_idx', 'the indexes of one table');
$session->query_safe("SELECT FROM commerce.place_order(5, '$items')");
is(join(' ', grep { $after{$_}[0] != $before{$_}[0] } sort keys %before), '', 'tables and indexes keep their OIDs');
same_catalogue(catalogue($node, 'shop'), $catalogue, 'the catalogue is as it was');
is($node->safe_psql('shop', 'SELECT commerce.additions()'), $additions, 'so are additions');

# ---- for comparison ----

$node->safe_psql('shop', $_) foreach 'VACUUM FULL commerce.balances', 'CLUSTER commerce.orders USING orders_pkey',
	'REINDEX TABLE CONCURRENTLY commerce.stock_slots';
$session->query_safe("SELECT FROM commerce.place_order(5, '$items')");

# ---- a publication ----

$node->safe_psql('shop', 'CREATE PUBLICATION everything FOR ALL TABLES');
my $balances = (grep { /-t commerce\.balances/ } $repacks[0]) && 'pg_repack -d shop --no-kill-backend -t commerce.balances';
my ($stdout, $stderr) = ('', '');
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGUSER => 'postgres');
	ok(!IPC::Run::run([ 'bash', '-c', $balances ], '>', \$stdout, '2>', \$stderr), 'with a publication of all tables it fails');
}
like($stderr, qr/does not have a replica identity/, 'as its own table has no key');
$node->safe_psql('shop', 'DROP PUBLICATION everything; CREATE PUBLICATION ours FOR TABLES IN SCHEMA commerce');
unlike(run_commands($balances, 'with one of our schema it does not'), qr/Skipping/, 'and repacks');
end_load();
$session->quit;
$node->safe_psql('shop', 'DROP PUBLICATION ours');
is($node->safe_psql('shop', q(SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%repack%')), 0, 'nothing is left of it');

# ---- somebody holds the table ----

my %kept = relations();
my $holder = $node->background_psql('shop');
$holder->query_safe('BEGIN; SELECT FROM commerce.charge_balance(1, 1)');
my $printed = new_file();
my @repack_balances = ('pg_repack', '-h', $node->host, '-p', $node->port, '-U', 'postgres', '-d', 'shop', '-t', 'commerce.balances');
my $pid = start_program(">$printed", '&STDOUT', @repack_balances, '--no-kill-backend', '--wait-timeout=3');
my $hasty = "SET lock_timeout = '50ms'; SELECT FROM commerce.charge_balance(2, 1)";
ok(wait_until(sub { sqlstates($node, $hasty, dbname => 'shop') eq '55P03' }), 'an order with a short lock_timeout fails');
is(sqlstates($node, 'SELECT FROM commerce.charge_balance(3, 1)', dbname => 'shop'), '', 'one without waits');
is(wait_exit($pid), 0, 'it gives up with 0');
like(slurp_file($printed), qr/Skipping repack commerce\.balances due to timeout/, 'and says so');
my %still = relations();
is($still{'commerce.balances'}[1], $kept{'commerce.balances'}[1], 'the table is as it was');

# Without --no-kill-backend: an order that waits for the holder's row, and the holder.
my $waiting = $node->background_psql('shop', on_error_stop => 0);
$waiting->query_until(qr/begun/, "\\echo begun\n\\set VERBOSITY sqlstate\nSELECT FROM commerce.charge_balance(1, 1);\n\\echo ended\n");
ok($node->poll_query_until('shop', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'
	AND query LIKE '%charge_balance(1%'}), 'an order waits for the row');
$pid = start_program(">$printed", '&STDOUT', @repack_balances, '--wait-timeout=1');
is(wait_exit($pid), 0, 'it repacks the table');
like($waiting->query_until(qr/ended/, ''), qr/ended/, 'the order is over');
like($waiting->{stderr}, qr/57014|57P01/, 'cancelled');
ok(!eval { $holder->query_safe('SELECT 1'); 1 }, 'whoever sat in a transaction is cut off');
eval { $_->quit } foreach $holder, $waiting;
my %killed = relations();
isnt($killed{'commerce.balances'}[1], $kept{'commerce.balances'}[1], 'the table is repacked');
is_sound($node, 'nothing is lost by that', 'shop');

# ---- killed while it waits for an older transaction ----

my $old = $node->background_psql('shop');
$old->query_safe('BEGIN; INSERT INTO notes (order_id) VALUES (0)');
$pid = start_program(">$printed", '&STDOUT', @repack_balances, '--no-kill-backend');
ok($node->poll_query_until('shop', q(SELECT count(*) > 0 FROM commerce.additions() a WHERE a LIKE '%repack_trigger%')),
	'its trigger is an addition');
ok(wait_until(sub { slurp_file($printed) =~ /Waiting for 1 transactions to finish/ }), 'it waits for a transaction that has nothing to do with the table');
kill 'KILL', $pid;
wait_exit($pid);
$old->query_safe('ROLLBACK');
$old->quit;
is(sqlstates($node, "SELECT FROM commerce.place_order(1, '$items')", dbname => 'shop'), '', 'orders go on');
like($node->safe_psql('shop', 'SELECT commerce.additions()'), qr/repack_trigger/, 'the trigger stays');
run_commands($begin_again, 'and goes with the extension');
is($node->safe_psql('shop', 'SELECT commerce.additions()'), $additions, 'additions are as before');
unlike(run_commands($balances, 'it can repack again'), qr/Skipping/, 'and does');
is_sound($node, 'the shop is sound to the end', 'shop');
log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
