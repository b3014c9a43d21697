# Eight relays claim and acknowledge from one backlog as fast as they can. Each ack
# makes a new version of a delivery that the others look at: none may take it for one
# that no claim has come to. Nobody meets an error, and each event is claimed once.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;

my $node = new_server('claim_race');
my $clients = 8;
my $claims_each = 60 * ($ENV{STRESS_SECONDS} // 3);
my $batch = 25;
my $events = $clients * $claims_each * $batch;
my $script = PostgreSQL::Test::Utils::tempdir() . '/claim.sql';

$node->safe_psql('postgres', qq(
	INSERT INTO commerce.events (event_id, event_type, order_id)
	SELECT n, 'order.paid', n FROM generate_series(1, $events) n));
append_to_file($script, qq(
	SELECT array_agg(event_id) AS event_ids, array_agg(attempt) AS attempts
	FROM commerce.claim_events($batch) \\gset
	SELECT 1 / (commerce.ack_events(:event_ids, :attempts) / $batch);
));
$node->command_ok([ 'pgbench', '-n', '-M', 'prepared', '-c', $clients, '-t', $claims_each, '-f', $script,
		$node->connstr('postgres') ], 'everybody gets as many as asked for');
is($node->safe_psql('postgres', q(
	SELECT status, attempt, count(*) FROM commerce.stored_deliveries GROUP BY 1, 2)),
	"delivered|1|$events", 'each event was claimed once, and acknowledged');
$node->stop;
done_testing();
