# What a relay was handed survives a crash, though the orders were committed with
# synchronous_commit = off, and the claim too. Everybody who might flush by
# chance is stopped, and one unclaimed order proves that the crash does lose
# what nobody flushed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;

my $node = new_server('claim', conf => [
	'synchronous_commit = off', 'autovacuum = off', 'bgwriter_lru_maxpages = 0',
	'checkpoint_timeout = 1h', 'wal_level = minimal', 'max_wal_senders = 0',
	'wal_writer_delay = 10s' ]);

$node->safe_psql('postgres', q(
	SELECT commerce.create_user('buyer', id), commerce.charge_balance(id, 1000)
	FROM generate_series(1, 3) AS id;
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'red', 100, 10, 1);));
my $one = items([ 1, 1 ]);

# Everything so far is safe. From here on only commits flush.
$node->safe_psql('postgres', 'CHECKPOINT');
my $walwriter = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
kill 'STOP', $walwriter or die "could not stop the WAL writer: $!";

my $session = $node->background_psql('postgres');
$session->query_safe("SELECT commerce.place_order(1, '$one')");
my $placed = $session->query_safe('SELECT pg_current_wal_insert_lsn()');
$session->query_safe("SELECT commerce.place_order(2, '$one')");
is($session->query_safe("SELECT pg_current_wal_flush_lsn() < '$placed'"), 't',
	'the orders are committed, and not yet on disk');

# Two claims: a plain one, and one whose transaction asks for less once more.
my $relay = $node->background_psql('postgres');
$relay->query_safe('BEGIN');
is($relay->query_safe('SELECT order_id, attempt FROM commerce.claim_events(1)'), '1|1',
	'the first order is handed out');
is($relay->query_safe("SELECT pg_current_wal_flush_lsn() >= '$placed'"), 't',
	'and is on disk before the claim commits');
$relay->query_safe('COMMIT');
$relay->query_safe('BEGIN');
is($relay->query_safe('SELECT order_id, attempt FROM commerce.claim_events(1)'), '2|1',
	'the second order is handed out');
$relay->query_safe('SET LOCAL synchronous_commit = off');
$relay->query_safe('COMMIT');

# Nobody claims this one.
is($session->query_safe("SELECT order_id FROM commerce.place_order(3, '$one')"), '3',
	'a third order is committed');

$node->stop('immediate');
eval { $_->quit } for $session, $relay;
$node->start;

is($node->safe_psql('postgres', 'SELECT order_id, user_id, status FROM commerce.orders ORDER BY 1'),
	"1|1|paid\n2|2|paid", 'the claimed orders survived, the unclaimed one did not');
is($node->safe_psql('postgres', 'SELECT order_id, status, attempt FROM commerce.deliveries ORDER BY 1'),
	"1|running|1\n2|running|1", 'and so did both claims');
is($node->safe_psql('postgres', 'SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
		FROM commerce.deliveries'), '2', 'they can be acknowledged');
is_sound($node, 'no invariant is violated');

$node->stop;
done_testing();
