# What doc/operation.md says of a transaction that stays open, of an old snapshot and of
# vacuum, with the statements that it shows.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Documents;

my @shown = map { $_->[1] } grep { $_->[0] eq 'sql' } blocks(document('doc/operation.md'));
sub shown
{
	my ($pattern) = @_;
	my @found = grep { /$pattern/ } @shown;

	die "$pattern is in no statement, or in several" if @found != 1;
	return $found[0] =~ s/;\s*\z//r;
}
my ($who_blocks, $who_remembers, $in_place) = map { shown($_) } qw(pg_blocking_pids backend_xmin n_tup_hot_upd);

my $node = new_server('waits', init => { allows_streaming => 1 },
	conf => [ 'max_prepared_transactions = 2', 'autovacuum = off', 'commerce.notify = off' ]);
$node->safe_psql('postgres', q(
	CREATE ROLE clerk LOGIN;
	SELECT commerce.grant_access('clerk', 'app');
	SELECT commerce.create_user('buyer ' || n) FROM generate_series(1, 3) n;
	SELECT commerce.charge_balance(n, 1000000) FROM generate_series(1, 3) n;
	SELECT FROM commerce.create_product('mug');
	SELECT commerce.create_product_option(1, 'colour ' || n, 10, 100) FROM generate_series(1, 4) n));

sub order
{
	my ($user, $option, $quantity) = @_;
	return "SELECT status FROM commerce.place_order($user, '" . items([ $option, $quantity || 1 ]) . "')";
}

# Buys, if that takes no waiting.
sub buys
{
	my ($user, $option, $quantity) = @_;
	return sqlstates($node, q(SET lock_timeout = '300 ms'; ) . order($user, $option, $quantity));
}

# ---- a transaction that stays open ----

my $sold = sub { $node->safe_psql('postgres', "SELECT sum(quantity) FROM commerce.order_items WHERE option_id = $_[0]") };
my $idle = $node->background_psql('postgres', extra_params => [ '-U', 'clerk' ]);
$idle->query_safe('BEGIN; ' . order(1, 1));
my $pid = $idle->query_safe('SELECT pg_backend_pid()');
is(buys(2, 1), '55P03', 'who wants the same option waits');
is($sold->(1), '', 'and has changed nothing');
is(buys(1, 2), '55P03', 'so does who wants the same balance');
is(buys(2, 2), '', 'nobody else does');

my $waiting = $node->background_psql('postgres');
$waiting->query_until(qr/asked/, "\\echo asked\n" . order(2, 1) . ";\n");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($who_blocks) b WHERE b.pid = $pid AND waiting = 1
	AND usename = 'clerk' AND state = 'idle in transaction' AND open_for > '0'"), 'the document\'s statement finds it');
is($node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)"), 't', 'once it is ended');
like($waiting->query_safe('SELECT 1'), qr/paid/, 'the other one buys');
$waiting->quit;
$idle->{run}->finish;

$node->safe_psql('postgres', q(ALTER ROLE clerk SET idle_in_transaction_session_timeout = '100 ms'));
$idle = $node->background_psql('postgres', extra_params => [ '-U', 'clerk' ]);
$idle->query_safe('BEGIN; ' . order(1, 1));
is(sqlstates($node, order(2, 1)), '', 'the time-out ends it likewise');
$idle->{run}->finish;
is($sold->(1), 2, 'only what was committed is sold');

# ---- spread before ----

is($node->safe_psql('postgres', 'SELECT commerce.spread_stock(3, 16)'), 16, 'stock is spread');
$idle = $node->background_psql('postgres');
$idle->query_safe('BEGIN; ' . order(1, 3));
is(join('', map { buys(2, 3) } 1 .. 30), '', 'then nobody waits for the one that stays open');
is(buys(2, 3, 69), '55P03', 'but for the last units');
is(buys(2, 3, 71), 'SC301', 'and not to hear that there are not enough');
$idle->query_safe('ROLLBACK');
is(buys(2, 3, 70), '', 'which are there as that one gave up');
$idle->quit;

# ---- a prepared one ----

$node->safe_psql('postgres', 'BEGIN; ' . order(1, 4) . "; PREPARE TRANSACTION 'forgotten'");
is(buys(2, 4), '55P03', 'a prepared transaction holds what it took');
$node->restart;
is(buys(2, 4), '55P03', 'also after a restart');
$waiting = $node->background_psql('postgres');
$waiting->query_until(qr/asked/, "\\echo asked\n" . order(2, 4) . ";\n");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($who_blocks) b WHERE b.pid = 0 AND waiting = 1"),
	'it is found as pid 0');
is($node->safe_psql('postgres', "SELECT holder, transactions_since > 0 FROM ($who_remembers) r WHERE holder LIKE 'prepared%'"), 'prepared forgotten|t',
	'and as what keeps old rows');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'forgotten'");
like($waiting->query_safe('SELECT 1'), qr/paid/, 'until it is ended');
$waiting->quit;

# ---- an old snapshot ----

# Row versions that nobody has cleared away of what is updated.
sub dead
{
	$node->safe_psql('postgres', 'VACUUM commerce.stock_slots');
	return $node->safe_psql('postgres', q(CREATE EXTENSION IF NOT EXISTS pgstattuple;
		SELECT dead_tuple_count FROM pgstattuple('commerce.stock_slots')));
}
my $old = $node->background_psql('postgres');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
$pid = $old->query_safe('SELECT pg_backend_pid()');
is(join('', map { buys(2, 2) } 1 .. 20), '', 'beside an old snapshot the shop goes on');
is($node->safe_psql('postgres', "SELECT holder, transactions_since >= 20 FROM ($who_remembers) r"), "session $pid|t",
	'the document\'s statement finds it');
cmp_ok(dead(), '>=', 20, 'what it may look at stays');
$old->query_safe('COMMIT');
is($node->safe_psql('postgres', "SELECT count(*) FROM ($who_remembers) r"), 0, 'when it has ended nobody is found');
is(dead(), 0, 'and nothing old is left');
$old->quit;
$node->safe_psql('postgres', q(SELECT pg_create_physical_replication_slot('b', true)));
is($node->safe_psql('postgres', "SELECT count(*) FROM ($who_remembers) r"), 0, 'a slot alone keeps no rows');

# ---- vacuum ----

is(sqlstates($node, shown('ALTER TABLE commerce.stored_deliveries')), '', 'the document\'s parameters are PostgreSQL\'s');
is($node->safe_psql('postgres', 'SELECT count(*) FROM commerce.additions()'), 8, 'and go with a dump');
is(sqlstates($node, order(2, 2)), '', 'the shop goes on with them');
my $updates = $node->safe_psql('postgres', "SELECT pg_stat_force_next_flush(); $in_place");
like($updates, qr/^balances\|(\d+)\|\1\|/m, 'all updates of balances are in place');
like($updates, qr/^stock_slots\|(\d+)\|/m, 'and of stock');
my ($updated, $were_in_place) = $updates =~ /^stock_slots\|(\d+)\|(\d+)\|/m;
cmp_ok($were_in_place, '>', 0.5 * $updated, 'most');

is_sound($node, 'no invariant is violated');
log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
