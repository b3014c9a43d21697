# What the server's log says: no refusal unless it is asked to, nothing of a normal
# stop, and every entry in one line that shows what it holds.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CommerceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('log', empty => 1, conf => [ "shared_preload_libraries = 'commerce'",
	"commerce.databases = 'postgres'" ]);
$node->safe_psql('postgres', q(CREATE EXTENSION commerce;
	SELECT FROM commerce.create_user('kim', 1);
	SELECT FROM commerce.charge_balance(1, 100, E'k\x1b[31m\n\u2028');));
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'commerce notifier'");

# What the log has got since the last call.
my $read = 0;
sub log_since
{
	my $log = slurp_file($node->logfile, $read);
	$read += length($log);
	return $log;
}
log_since();

# A refusal goes to the client.
my $refused = q(SELECT FROM commerce.use_balance(1, 1000));
is(sqlstates($node, $refused), 'SC103', 'a refusal is raised');
unlike(log_since(), qr/insufficient|SC103|use_balance/, 'and not logged');
is(sqlstates($node, "SET commerce.log_refusals = on; $refused"), 'SC103', 'where it is asked to');
like(log_since(), qr/ERROR:  insufficient balance of user 1.*\n.*DETAIL:  \{.*\n.*STATEMENT:/, 'the log has it');

# What others raise is logged, whatever its class; so are other errors of ours.
is(sqlstates($node, q(DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'SC103'; END $$;
	SELECT commerce.create_user('');)), 'SC103 22023', 'errors that are no refusals');
like(log_since(), qr/ERROR:  mine\n(?s:.*)ERROR:  name must have/, 'are logged');
is(sqlstates($node, q(DO $$ BEGIN PERFORM commerce.use_balance(1, 1000);
	EXCEPTION WHEN SQLSTATE 'SC103' THEN RAISE; END $$)), 'SC103', 'a refusal raised again');
unlike(log_since(), qr/insufficient/, 'is one still');
is(sqlstates($node, 'SET ROLE pg_monitor; SET commerce.log_refusals = on'), '42501', 'not everybody may set that');
log_since();

# A key that would drive a terminal, or break or turn the line.
my ($stdout, $stderr);
$node->psql('postgres', q(SET commerce.log_refusals = on;
	SELECT FROM commerce.charge_balance(1, 200, E'k\x1b[31m\n\u2028')), stdout => \$stdout, stderr => \$stderr);
like($stderr, qr/idempotency key "k\\u001b\[31m\\u000a\\u2028" was used/, 'it is escaped in the message');
like(log_since(), qr/idempotency key "k\\u001b\[31m\\u000a\\u2028" was used.*\n.*DETAIL:  \{"idempotency_key": "k\\u001b\[31m\\n\\u2028"\}/,
	'and in both lines of the log');
is($node->safe_psql('postgres', q(SELECT (detail ->> 'idempotency_key') = E'k\x1b[31m\n\u2028' FROM (
	SELECT '{"idempotency_key": "k\u001b[31m\n\u2028"}'::jsonb AS detail) d)), 't', 'the DETAIL still says what it was');

# A normal stop, and one process told to end.
my $launcher = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'commerce launcher'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'commerce %'");
ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity
	WHERE backend_type LIKE 'commerce %' AND pid <> $launcher"), 'they are started again');
$node->restart;
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'commerce notifier'");
$node->stop;
unlike(log_since(), qr/FATAL/, 'no stop is fatal');

done_testing();
