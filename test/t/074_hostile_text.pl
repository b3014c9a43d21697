# Text that drives terminals, breaks lines, turns them around or looks like a format or
# like HTML, wherever a user, an operator or a role's name can bring it: no message, log,
# line of the relay, metric or page shows it as anything else than the text that it is.
use strict;
use warnings;
use utf8;
use Cwd 'abs_path';
use Encode;
use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;
use RelayTest;

my $dbname = "<b>shop</b>\x1f\"&'%s";
my $node = new_shop('text', conf => [ "shared_preload_libraries = 'commerce'", 'commerce.log_refusals = on' ]);
my $rude = "\x1b[2J\x1b]0;title\x07\r\n2026-01-01 FATAL:  forged\x{9b}31m\x{85}\x{2028}\x{202e}txt.exe\x{2066}\x{200b}\x{feff}\x7f%s%n\$1</td>\"'\\";
my $sql = "U&'" . join('', map { sprintf '\\%04X', ord } split //, $rude) . "'";

# Anything but plain lines of ASCII.
my $hidden = qr/[^\x20-\x7e\n\t]/;

# What the log has got since the last call.
my $read = 0;
sub log_since
{
	my $log = slurp_file($node->logfile, $read);
	$read += length $log;
	return $log;
}
sub is_plain
{
	my ($text, $name) = @_;
	my @rude = grep { /$hidden/ || /^\S* ?FATAL: +forged/ } split /\n/, $text;
	return is(join("\n", map { s/$hidden/sprintf '<%02x>', ord $&/ger } @rude), '', $name);
}

# ---- messages ----

# Every function, with the text in place of each argument that may hold it.
my %value = (bigint => '1', integer => '1', boolean => 'true', interval => "'1 day'", 'timestamp with time zone' => 'now()',
	'bigint[]' => "'{1}'", 'integer[]' => "'{1}'", regrole => "'relay'", text => $sql, 'text[]' => "ARRAY[$sql]");
my @json = ("to_jsonb($sql)", "jsonb_build_object($sql, 1)", "jsonb_build_array(jsonb_build_object($sql, 1))",
	"jsonb_build_array(jsonb_build_object('option_id', $sql, 'quantity', 1))",
	qq(jsonb_build_array(jsonb_build_object('user_id', 1, 'items', '[{"option_id": 1, "quantity": 1}]'::jsonb, 'idempotency_key', $sql))),
	qq(jsonb_build_array(jsonb_build_object('user_id', $sql, 'items', $sql))), q('[{"option_id": 1, "quantity": 99}]'));
my @calls;
foreach (split /\n/, $node->safe_psql('postgres', q(SELECT proname, (SELECT string_agg(format_type(t, NULL), ';' ORDER BY n)
	FROM unnest(proargtypes) WITH ORDINALITY a (t, n)) FROM pg_proc WHERE pronamespace = 'commerce'::regnamespace)))
{
	my ($name, $types) = split /\|/;
	next unless $types =~ /text|json/;
	foreach my $json ($types =~ /json/ ? @json : '')
	{
		push @calls, "SELECT * FROM commerce.$name(" . join(', ', map { /^jsonb?$/ ? "($json)::$_" : $value{$_} // die $_ } split /;/, $types) . ')';
	}
}
# Twice, with other arguments, so that what is named by the text is there.
push @calls, map { s/\b1, U/2, U/r } grep { /charge_balance|use_balance|issue_coupon|adjust_stock/ } @calls;
cmp_ok(scalar @calls, '>', 40, 'many calls');
log_since();
my ($stdout, $stderr) = ('', '');
$node->psql('postgres', join(";\n", q(SET application_name = E'\x1b[31m'), "SET commerce.actor = 'x'", @calls), stdout => \$stdout, stderr => \$stderr,
	on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
cmp_ok(scalar(() = $stderr =~ /ERROR:  /g), '>', 30, 'many are refused');
like($stderr, qr/forged/, 'with the text in the message');
is_plain($stderr, 'no message is rude');
my $log = log_since();
like($log, qr/forged/, 'it is in the log');
is_plain($log =~ s/^.*(?:STATEMENT|CONTEXT): .*(?:\n\t.*)*\n//mgr, 'nor is the log');

# ---- the relay ----

# What whoever buys says, and who does it, is in the events of their order.
my $role = '"rude' . "\x1b[31m\x{9b}\x{2028}" . '"';
$node->safe_psql('postgres', encode('UTF-8', qq(CREATE ROLE $role; SELECT commerce.grant_access('$role', 'app');)));
$node->safe_psql('postgres', encode('UTF-8', qq(SET commerce.record_actor = on; SET SESSION AUTHORIZATION $role;
	SELECT FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
	RESET SESSION AUTHORIZATION; SET ROLE $role; SET commerce.actor = 'x';
	SELECT FROM (SELECT max(order_id) FROM commerce.orders) o (order_id), commerce.cancel_order(o.order_id, $sql))));
my @lines;
{
	my $relay = start_relay($node, undef, to => 'stdout', url => undef, 'secret-file' => undef, once => 1);
	is(wait_relay($relay), 0, 'the relay writes the events');
	my $out = slurp_file($relay->{out});
	is_plain($out, 'no line of it is rude');
	is_plain(log_of($relay), 'nor is its log');
	@lines = map { decode_json($_) } split /\n/, $out;
}
is($lines[-1]{data}{order}{cancel_reason}, $rude, 'whoever reads the JSON gets the text as it was');
is($lines[-1]{data}{order}{placed_by}, $role =~ s/"//gr, 'and the name');

# ---- figures ----

my $labels = $node->safe_psql('postgres', 'SELECT string_agg(DISTINCT l.value, $$ $$) FROM commerce.metrics() m, jsonb_each_text(m.labels) l');
unlike($labels, qr/[^a-zA-Z0-9_ -]/, 'a label needs no escape');

# ---- the page ----

$node->safe_psql('postgres', 'CREATE DATABASE ' . '"' . $dbname =~ s/"/""/gr . '"');
my $shop = $node->connstr($dbname);
my $page = PostgreSQL::Test::Utils::tempdir() . '/report.html';
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => $dbname);
	run_log([ 'psql', '-X', '-q', '-c', 'CREATE EXTENSION commerce' ]);
	run_log([ 'psql', '-X', '-q', '-c', "SELECT count(commerce.create_coupon_policy($sql || n, 'fixed', 1, 1)) FROM generate_series(1, 3) n" ]);
	command_ok([ abs_path("$FindBin::RealBin/../../report/report.sh"), $page ], 'a page of a shop of such a name');
}
my $html = slurp_file($page);
unlike($html, qr/<b>shop|<\/td>"'/, 'nothing becomes HTML');
like($html, qr{<title>&lt;b&gt;shop&lt;/b&gt; &quot;&amp;'%s: the shop</title>}, 'its name is shown');
like($html, qr{As of \d{4}-}, 'and takes nothing else\'s place');
is(() = $html =~ /forged.{1,60}txt\.exe/g, 3, 'and those of its coupons, each in one line');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
