# Others who may create things in the database, lock its tables or take rights
# away: the relay calls nothing of theirs, writes nothing as they wish, and goes on.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('hostile');
my $receiver = start_receiver([ secret_file('a') ]);

# A trigger on deliveries, which does so when that of an order's event gets the status.
sub set_trap
{
	my ($order_id, $status, $statement) = @_;

	$node->safe_psql('postgres', qq(
		CREATE OR REPLACE FUNCTION public.trap() RETURNS trigger LANGUAGE plpgsql AS
		\$\$BEGIN
			IF new.order_id = $order_id AND new.status = '$status' AND old.status = 'running' THEN
				$statement;
			END IF;
			RETURN new;
		END\$\$;
		CREATE OR REPLACE TRIGGER trap BEFORE UPDATE ON commerce.stored_deliveries
		FOR EACH ROW EXECUTE FUNCTION public.trap()));
	return;
}

# Places so many orders that are delivered together; the first one's id.
sub place_together
{
	my ($count) = @_;

	forget_events($node);
	place($node, $count);
	return $node->safe_psql('postgres', 'SELECT min(order_id) FROM commerce.events');
}

sub statuses
{
	return $node->safe_psql('postgres',
		"SELECT string_agg(status::text, ' ' ORDER BY event_id) FROM commerce.deliveries");
}

# ---- other people's operators ----

$node->safe_psql('postgres', q(
	CREATE SCHEMA trap;
	GRANT USAGE ON SCHEMA trap TO PUBLIC;
	CREATE TABLE trap.caught (what text);
	GRANT INSERT ON trap.caught TO PUBLIC;
	CREATE FUNCTION trap.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
		$$INSERT INTO trap.caught VALUES ('clock_timestamp'); SELECT pg_catalog.clock_timestamp()$$;
	CREATE FUNCTION trap.field(jsonb, text) RETURNS text LANGUAGE sql AS
		$$INSERT INTO trap.caught VALUES ('->>'); SELECT pg_catalog.jsonb_object_field_text($1, $2)$$;
	CREATE FUNCTION trap.minus(timestamptz, timestamptz) RETURNS interval LANGUAGE sql AS
		$$INSERT INTO trap.caught VALUES ('-'); SELECT pg_catalog.timestamptz_mi($1, $2)$$;
	CREATE FUNCTION trap.times(numeric, integer) RETURNS numeric LANGUAGE sql AS
		$$INSERT INTO trap.caught VALUES ('*'); SELECT pg_catalog.numeric_mul($1, $2)$$;
	CREATE OPERATOR trap.->> (FUNCTION = trap.field, LEFTARG = jsonb, RIGHTARG = text);
	CREATE OPERATOR trap.- (FUNCTION = trap.minus, LEFTARG = timestamptz, RIGHTARG = timestamptz);
	CREATE OPERATOR trap.* (FUNCTION = trap.times, LEFTARG = numeric, RIGHTARG = integer);
	CREATE DOMAIN trap.timestamptz AS pg_catalog.timestamptz CHECK (trap.clock_timestamp() IS NOT NULL);
	CREATE FUNCTION trap.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS
		$$INSERT INTO trap.caught VALUES ('set_config'); SELECT $2$$;
	ALTER ROLE relay SET search_path = trap, pg_catalog;));
place($node, 2);
answer($receiver, '* 200', '2 500');
my ($code) = run_relay($node, $receiver, once => 1);
is("$code " . statuses(), '4 delivered available', 'with a trap in its search_path, the relay works');
is($node->safe_psql('postgres', 'SELECT * FROM trap.caught'), '', 'and calls nothing of it');
$node->safe_psql('postgres', 'ALTER ROLE relay RESET search_path');

# ---- notices ----

answer($receiver, '* 200');
my $order = place_together(1);
set_trap($order, 'delivered', q(RAISE WARNING E'so\ntime=0 level=error event=forged'));
($code, my $log) = run_relay($node, $receiver, once => 1);
is("$code " . statuses(), '0 delivered', 'a warning does not matter');
like($log, qr/level=warning event=notice .*so time=0/, 'it is in the log');
is(scalar(grep { !/^time=2\S+ level=/ } split /\n/, $log), 0, 'and makes no line of its own');

# ---- outcomes that cannot be recorded ----

foreach my $state ('SC001', '40001')
{
	answer($receiver, '* slow:100');
	$order = place_together(4);
	set_trap($order + 2, 'delivered', "RAISE SQLSTATE '$state' USING MESSAGE = 'no'");
	my $relay = start_relay($node, $receiver);
	ok(wait_logged($relay, qr/event=lease_lost .*could not be recorded/),
		"$state at one ack: it is given up");
	place($node);
	ok(wait_until(sub { statuses() =~ /delivered$/ }), "$state at one ack: the relay goes on");
	is(statuses(), 'delivered delivered running delivered delivered',
		"$state at one ack: with the others");
	is(stop_relay($relay), 0, "$state at one ack: SIGTERM ends the relay");
	is(last_status($relay, qw(delivered lease_lost)), 'delivered=4 lease_lost=1',
		"$state at one ack: the status counts");
	cmp_ok(scalar(() = log_of($relay) =~ /\n/g), '<', 30, "$state at one ack: it does not log without end");
}
foreach my $case ([ 'P0001', 404 ], [ '22012', 404 ], [ 'P0001', 429 ])
{
	my ($state, $answer) = @$case;
	$order = place_together(3);
	answer($receiver, '* 200', $order + 1 . " $answer");
	set_trap($order + 1, 'available', "RAISE SQLSTATE '$state' USING MESSAGE = 'no'");
	my $relay = start_relay($node, $receiver);
	ok(wait_logged($relay, qr/event=lease_lost .*could not be (?:recorded|given back)/),
		"$state at one $answer: it is given up");
	place($node);
	ok(wait_until(sub { statuses() eq 'delivered running delivered delivered' }),
		"$state at one $answer: the relay goes on");
	is(stop_relay($relay), 0, "$state at one $answer: SIGTERM ends the relay");
}

# Nothing can be recorded: in time, the relay ends and says so.
$node->safe_psql('postgres', 'DROP TRIGGER trap ON commerce.stored_deliveries');
place_together(3);
answer($receiver, '* hold');
my $before = requests($receiver);
my @short = (lease => '8s', timeout => '6s');
my $relay = start_relay($node, $receiver, @short);
ok(wait_until(sub { requests($receiver) == $before + 3 }), 'three are on their way');
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION commerce.ack_events FROM relay');
answer($receiver, '* 200');
is(stop_relay($relay), 2, 'without the right to ack, SIGTERM: exit code 2');
is(last_status($relay, qw(delivered lease_lost)), 'delivered=0 lease_lost=3', 'the status counts them');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION commerce.ack_events TO relay');

# ---- a lock on the deliveries ----

# Somebody locks it, until unlock_deliveries().
sub lock_deliveries
{
	start_program('/dev/null', '/dev/null', 'psql', '-X', '-d', $node->connstr('postgres'),
		'-c', 'BEGIN; LOCK TABLE commerce.stored_deliveries; SELECT pg_sleep(600)');
	ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity
		WHERE wait_event = 'PgSleep')), 'somebody locks the deliveries');
	return;
}

sub unlock_deliveries
{
	$node->safe_psql('postgres', q(SELECT pg_terminate_backend(pid, 10000)
		FROM pg_stat_activity WHERE wait_event = 'PgSleep'));
	return;
}

forget_events($node);
$relay = start_relay($node, $receiver);
ok(wait_logged($relay, qr/event=connected/), 'the relay waits for something to do');
lock_deliveries();
my $waiting = q(SELECT count(*) = 1 FROM pg_stat_activity
	WHERE usename = 'relay' AND wait_event_type = 'Lock');
ok($node->poll_query_until('postgres', $waiting), 'a claim waits for a lock');
is(stop_relay($relay), 0, 'SIGTERM ends the relay all the same');
ok($node->poll_query_until('postgres', $waiting =~ s/= 1/= 0/r), 'and the claim');
unlock_deliveries();

# A server process that does not even hear of the cancellation.
$relay = start_relay($node, $receiver);
ok(wait_logged($relay, qr/event=connected/), 'a relay again');
lock_deliveries();
ok($node->poll_query_until('postgres', $waiting), 'its claim waits for a lock');
my $pid = $node->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE usename = 'relay'));
kill 'STOP', $pid;
is(stop_relay($relay), 0, 'SIGTERM ends the relay of a server that stands still');
kill 'CONT', $pid;
unlock_deliveries();

place($node);
$before = requests($receiver);
answer($receiver, '* hold');
$relay = start_relay($node, $receiver, @short);
ok(wait_until(sub { requests($receiver) > $before }), 'a request is on its way');
lock_deliveries();
answer($receiver, '* 200');
is(stop_relay($relay), 2, 'the ack waits for a lock until the lease ends: exit code 2');
unlock_deliveries();

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
