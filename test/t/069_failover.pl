# A failover as doc/operation.md describes it: with a synchronous standby, no order that
# was answered is lost when the primary dies under load, and relays find the new one by
# themselves and deliver every event.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Documents;
use Processes;
use RelayTest;

my $document = document('doc/operation.md');
my ($waits) = $document =~ /^(synchronous_standby_names = .*)$/m;
my ($reaches) = $document =~ /^host=shop-a,shop-b (.*)$/m;
$reaches =~ s/^port=5432 dbname=shop //;

my @conf = ("shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres'");
my $primary = new_shop('shop_a', init => { allows_streaming => 1 }, conf => \@conf);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('shop_b');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->append_conf('postgresql.conf', $waits);
$primary->reload;
ok($primary->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'quorum')),
	'answers wait for the standby');

my $receiver = start_receiver([ secret_file('a') ]);
my $relay = start_relay($primary, $receiver, conninfo => join(' ',
	map({ my $field = $_; "$field=" . join(',', map { $_->$field } $primary, $standby) } qw(host port)),
	'dbname=postgres user=relay', $reaches), timeout => '5s', lease => '8s');

# ---- a load ----

my @clients = map { { key => "client $_", answers => new_file() } } 1 .. 4;
foreach my $client (@clients)
{
	my $items = items([ 1, 1 ]);
	my $calls = write_file(join '', map {
		"SELECT order_id FROM commerce.place_order(1 + $_ % 9, '$items', NULL, '$client->{key}, call $_');\n" } 1 .. 50000);
	$client->{pid} = start_program($client->{answers}, new_file(), 'psql', '-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1',
		'-d', $primary->connstr('postgres'), '-f', $calls);
}
ok($primary->poll_query_until('postgres', 'SELECT count(*) > 500 FROM commerce.orders'), 'orders are placed');
ok(wait_until(sub { requests($receiver) > 100 }), 'and delivered');
$primary->stop('immediate');
wait_exit($_->{pid}) foreach @clients;

# ---- the failover ----

$standby->safe_psql('postgres', 'SELECT pg_promote()');
my @answered = map { split /\n/, slurp_file($_->{answers}) } @clients;
cmp_ok(scalar @answered, '>', 100, 'many had their answer');
is($standby->safe_psql('postgres', "SELECT id FROM unnest('{@{[ join ',', @answered ]}}'::bigint[]) id
	WHERE NOT EXISTS (SELECT FROM commerce.orders o WHERE o.order_id = id)"), '', 'each of their orders is there');

foreach my $client (@clients)
{
	my $calls = () = slurp_file($client->{answers}) =~ /\n/g;
	my $next = $calls + 1;
	my $call = "SELECT order_id FROM commerce.place_order(1 + $next % 9, '" . items([ 1, 1 ])
		. "', NULL, '$client->{key}, call $next')";
	my $order_id = $standby->safe_psql('postgres', $call);
	is($standby->safe_psql('postgres', $call), $order_id, "$client->{key} asks again for what it had no answer to");
}
is($standby->safe_psql('postgres', 'SELECT count(*) FROM commerce.orders'), @answered + @clients, 'no order is there twice');
is_sound($standby, 'no invariant is violated');
ok($standby->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'commerce notifier')),
	'a notifier runs there');

# ---- what the outside was told ----

is_delivered($standby, 'the relay finds the new primary and delivers the rest');
is(stop_relay($relay), 0, 'it has been at work all the time');
my %told = map { ($_->{event_id} => 1) } requests($receiver);
is_deeply([ sort { $a <=> $b } keys %told ], [ split /\n/, $standby->safe_psql('postgres',
	'SELECT event_id FROM commerce.events ORDER BY event_id') ], 'the outside knows of each event, and of no other');

log_is_clean($_, $_->name . ': no crash, no internal error') foreach $standby;
$standby->stop;
done_testing();
