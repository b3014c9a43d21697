# What doc/monitoring has for Prometheus, with the real programs: orders are placed, and
# found by PromQL; the alert rules are sound, and one of them fires; rules and dashboard
# speak only of metrics that there are.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;
use Processes;
use RelayTest;

my $doc = "$FindBin::RealBin/../../doc/monitoring";
my $folder = PostgreSQL::Test::Utils::tempdir();
my $client = HTTP::Tiny->new(timeout => 60);
my %port = map { ($_ => PostgreSQL::Test::Cluster::get_free_port()) } qw(exporter prometheus relay);

my $node = new_shop('shop', conf => [ "shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres'" ]);
$node->safe_psql('postgres', q(
	CREATE ROLE prometheus LOGIN;
	SELECT commerce.grant_access('prometheus', 'reader');
	GRANT pg_read_all_stats TO prometheus;
));

# ---- the programs ----

my $receiver = start_receiver([ secret_file('a') ]);
my $relay = start_relay($node, $receiver, 'metrics-listen' => "127.0.0.1:$port{relay}");

local $ENV{DATA_SOURCE_NAME} = 'host=' . $node->host . ' port=' . $node->port . ' dbname=postgres user=prometheus sslmode=disable';
start_program("$folder/exporter.log", "$folder/exporter.log", 'prometheus-postgres-exporter',
	"--web.listen-address=127.0.0.1:$port{exporter}", "--extend.query-path=$doc/queries.yaml",
	'--disable-default-metrics', '--disable-settings-metrics');

append_to_file("$folder/prometheus.yaml", <<"YAML");
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [ "$doc/alerts.yaml" ]
scrape_configs:
  - job_name: commerce
    static_configs: [ { targets: [ "127.0.0.1:$port{exporter}" ] } ]
  - job_name: commerce_relay
    static_configs: [ { targets: [ "127.0.0.1:$port{relay}" ] } ]
YAML
command_ok([ 'promtool', 'check', 'config', "$folder/prometheus.yaml" ], 'promtool finds nothing wrong with the rules');
start_program("$folder/prometheus.log", "$folder/prometheus.log", 'prometheus', "--config.file=$folder/prometheus.yaml",
	"--storage.tsdb.path=$folder/data", "--web.listen-address=127.0.0.1:$port{prometheus}");

# ---- what it knows ----

sub ask
{
	my ($path, %parameters) = @_;
	my $response = $client->get("http://127.0.0.1:$port{prometheus}/api/v1/$path?" . $client->www_form_urlencode(\%parameters));

	return $response->{success} ? decode_json($response->{content})->{data} : undef;
}

# The value of an expression, once it is what is wanted.
sub comes_to
{
	my ($expression, $wanted, $name) = @_;
	my $value = '';

	wait_until(sub {
		my $data = ask('query', query => $expression);
		$value = $data && @{ $data->{result} } ? $data->{result}[0]{value}[1] : '';
		return $value eq $wanted;
	});
	return is($value, $wanted, $name);
}

comes_to('up{job="commerce"}', 1, 'the exporter is scraped');
comes_to('commerce_notifier_running', 1, 'a notifier runs');
place($node, 20);
is(sqlstates($node, 'SELECT commerce.place_order(1, $$' . items([ 999999, 1 ]) . '$$)'), 'SC003', 'one is refused');
my $placed = $node->safe_psql('postgres', q(SELECT value FROM commerce.metrics()
	WHERE name = 'commerce_calls_total' AND labels = '{"function": "place_order", "sqlstate": "00000"}'));
cmp_ok($placed, '>=', 20, 'orders are counted');
comes_to('commerce_calls_total{function="place_order",sqlstate="00000"}', $placed, 'and found by PromQL');
comes_to('sum(commerce_calls_total{sqlstate=~"SC..."})', 1, 'and so is the refusal');
comes_to('commerce_money_sold_total', $node->safe_psql('postgres', 'SELECT sum(total) FROM commerce.orders'), 'and the money');
comes_to('commerce_deliveries_total{subscription="default",outcome="delivered"}',
	$node->safe_psql('postgres', 'SELECT count(*) FROM commerce.events'), 'and the deliveries, all of them');
comes_to('sum(commerce_undelivered_events)', 0, 'so that none is left');

# ---- alerts ----

comes_to('count(ALERTS) or vector(0)', 0, 'nobody is alarmed');
stop_relay($relay);
place($node, 1);
$node->safe_psql('postgres', q(SELECT FROM commerce.claim_events(1);
	UPDATE commerce.stored_deliveries SET status = 'dead', due_at = NULL WHERE finished_at IS NULL));
comes_to('ALERTS{alertname="CommerceEventsDead",alertstate="firing"}', 1, 'but by a dead event');

# ---- what stands beside the shop ----

comes_to('commerce_surroundings_snapshot_transactions', 0, 'nobody holds a snapshot');
my $idle = $node->background_psql('postgres');
$idle->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; ' . q(SELECT FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]')));
my $waiting = $node->background_psql('postgres');
$waiting->query_until(qr/asked/, q(\echo asked
	SELECT FROM commerce.place_order(2, '[{"option_id": 1, "quantity": 1}]');
));
comes_to('commerce_surroundings_waiting', 1, 'somebody waits');
comes_to('commerce_surroundings_idle_seconds > bool 0', 1, 'for an idle one');
comes_to('commerce_surroundings_snapshot_transactions > bool 0', 1, 'that holds a snapshot too');
$idle->query_safe('COMMIT');
comes_to('commerce_surroundings_waiting + commerce_surroundings_idle_seconds', 0, 'until that has ended');
$idle->quit;
$waiting->quit;

# ---- what rules and dashboard speak of ----

my %known = map { $_ => 1 } @{ ask('label/__name__/values') };
my @asked = map { /\bcommerce_\w+/g } map { /^\s+expr: (>-\n(?:\s{10,}.*\n)+|.*)/mg } slurp_file("$doc/alerts.yaml");
my $dashboard = decode_json(slurp_file("$doc/dashboard.json"));
push @asked, map { $_->{expr} =~ /\bcommerce_\w+/g } map { @{ $_->{targets} } } @{ $dashboard->{panels} };
cmp_ok(scalar(@asked), '>', 25, 'rules and dashboard ask for metrics');
is_deeply([ grep { !$known{$_} } @asked ], [], 'that are all there');
foreach my $panel (@{ $dashboard->{panels} })
{
	my @wrong = grep { !ask('query', query => s/\$__rate_interval/5m/gr =~ s/\$instance/.*/gr) }
		map { $_->{expr} } @{ $panel->{targets} };
	is_deeply(\@wrong, [], "panel \"$panel->{title}\" is understood");
}

log_is_clean($node, 'no crash, no internal error');
done_testing();
