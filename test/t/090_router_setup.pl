# What is no node, or not the one that it should be, is no part of a cluster, and an error names it;
# so does one of a node that is half set up, or away.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use Documents;
use Processes;
use RouterTest;

my ($router, @nodes) = new_cluster('node', 2);

sub told { return (answers_at($router, @_))[0] }

# add_node(), or another function, with a connection string; what it raises.
sub refusal_of_node
{
	my ($conninfo, $call) = @_;
	return told(sprintf "SELECT commerce_router.$call", $conninfo =~ s/'/''/gr);
}

sub is_no_node
{
	my ($conninfo, $why, $name) = @_;

	like(refusal_of_node($conninfo, "add_node('%s')"), qr/^ERROR:  55000: there is no node of a cluster at ".*\nDETAIL:  .*$why/m, $name);
	return;
}

# The conninfo of another database there, for a user.
sub database
{
	my ($node, $dbname, $user) = @_;
	return $node->connstr($dbname) . " user=$user";
}
my $first_id = $nodes[0]->safe_psql('postgres', 'SELECT first_id FROM commerce.cluster_membership');

# ---- what is no node, or not the one that it should be ----

is_no_node('host=/nowhere dbname=postgres', 'connection to server', 'nobody is there');
unlike(refusal_of_node($_, "add_node('%s')"), qr/hush/, 'no password is told') foreach 'host=/nowhere password=hush',
	"host=/nowhere password = 'it''s a hush'" =~ s/''/\\'/r, 'host=/nowhere sslpassword=hush password=a\ hush';
is(refusal_of_node($_, "set_node(2, '%s')"), qq(\nERROR:  22023: conninfo must be of keywords and values, as in "host=node1 dbname=shop user=router"), $_)
	foreach 'postgres://router:hush@/postgres', 'host=/nowhere password=a hush', 'host=/nowhere hush=1', "password='hush";
$nodes[0]->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(bare alone foreign_node twice);
$nodes[0]->safe_psql($_, "CREATE EXTENSION commerce; SELECT commerce.grant_access('router', 'router')") foreach qw(foreign_node twice);
$nodes[0]->safe_psql('alone', 'CREATE EXTENSION commerce');
$nodes[0]->safe_psql('foreign_node', "SELECT node_no FROM commerce.join_cluster(2, '{}', $first_id + 4096, true)");
$nodes[0]->safe_psql('twice', "SELECT node_no FROM commerce.join_cluster(3, '{[4000,4096)}', $first_id, true)");
is_no_node(database($nodes[0], 'bare', 'router'), 'does not exist\nHINT:  CREATE EXTENSION', 'a database without the extension');
is_no_node(database($nodes[0], 'alone', 'router'), 'permission denied.*\nHINT:  commerce.grant_access', 'no rights');
is_no_node(database($nodes[0], 'alone', 'postgres'), 'This shop has not joined one', 'a shop by itself');
my $foreign = 'node 2 has joined with first_id ' . ($first_id + 4096) . ", and node 1 with $first_id";
like(refusal_of_node(database($nodes[0], 'foreign_node', 'router'), "add_node('%s')"), qr/^ERROR:  55000: $foreign$/m, 'a node of another cluster');
like(refusal_of_node(database($nodes[0], 'twice', 'router'), "add_node('%s')"), qr/^ERROR:  55000: bucket 4000 is at node 2 and at node 3$/m, 'a bucket of two nodes');
like(refusal_of_node(database($nodes[1], 'postgres', 'postgres'), "add_node('%s')"), qr/^ERROR:  23505: node 2 is known by another connection string$/m, 'a node twice');
like(refusal_of_node(conninfo($nodes[1]), "add_node('%s', true)"), qr/^ERROR:  23505: node 1 is home to the catalogue already$/m, 'two homes');
like(refusal_of_node(conninfo($nodes[0]), "set_node(2, '%s')"), qr/^ERROR:  55000: what is there is node 1 of .*, not node 2 with $first_id$/m, 'another one');
like(refusal_of_node('host=/nowhere', "set_node(2, '%s')"), qr/^ERROR:  55000: there is no node of a cluster at/m, 'none that has moved');
foreach my $version ('0.9', '1.10')
{
	$nodes[1]->safe_psql('postgres', "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'commerce'");
	my $told = $version eq '1.10' ? qr/^\(2,/ : qr/^ERROR:  55000: node 2 has version 0.9 of the extension commerce, older than this router's 1.0$/m;
	like(refusal_of_node(conninfo($nodes[1]), $_), $told, "$version: $_") foreach "add_node('%s')", "set_node(2, '%s')";
}
$nodes[1]->safe_psql('postgres', "UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'commerce'");

# ---- calls to a cluster that is half built ----

my ($here) = users_of($router, 1, 1);
my ($there) = users_of($router, 2, 1);
$router->safe_psql('postgres', 'CREATE DATABASE half');
$router->safe_psql('half', sprintf q(CREATE EXTENSION commerce_router CASCADE; SELECT commerce_router.add_node('%s', true)), conninfo($nodes[0]) =~ s/'/''/gr);
my $bucket = $router->safe_psql('half', "SELECT commerce.bucket($there)");
is(sqlstates($router, "SELECT commerce.get_balance($there)", dbname => 'half'), '55000', 'a bucket at no node');
is($router->safe_psql('half', qq(SELECT sqlstate, message FROM commerce.place_orders('[{"user_id": $there, "items": [{"option_id": 11, "quantity": 1}]}, {"user_id": $here}]'))),
	"SC901|bucket $bucket is at no node that this router knows\n22004|items must not be null", 'the others are answered');
$nodes[1]->safe_psql('postgres', "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA commerce FROM router");
like(told("SELECT $_"), qr/^ERROR:  42501: node 2: permission denied for function \w+\nHINT:  A node has/m, "$_ names the node")
	foreach "commerce.get_balance($there)", 'commerce.popular_products()', 'commerce.verify()', "commerce_router.sweep('stock', 11)";
$nodes[1]->safe_psql('postgres', "SELECT commerce.grant_access('router', 'router')");

$router->safe_psql('postgres', $_) foreach "SELECT commerce.create_product('shirt', 1)", "SELECT commerce.create_product_option(1, 'red', 100, 10, 1)",
	"SELECT commerce.create_user('K', $here)", "SELECT commerce.charge_balance($here, 1000)",
	"CREATE ROLE clerk LOGIN; SELECT commerce.grant_access('clerk', 'reader')";
# A node may have columns that a router has not, whatever is in the others.
$_->safe_psql('postgres', join '', map { "ALTER TABLE commerce.$_ ADD COLUMN note text DEFAULT ',)\"';" } qw(orders users coupon_policies)) foreach @nodes;
my $name = q(Kim, "K" \ , );
is($router->safe_psql('postgres', "SELECT name FROM commerce.create_user('$name', 3)"), $name, 'a row of a node with more columns');
is($router->safe_psql('postgres', qq(SELECT status, total, closed_by FROM commerce.place_order($here, '[{"option_id": 1, "quantity": 1}]'))), 'paid|100|', 'a longer one');
is($router->safe_psql('postgres', "SELECT name FROM commerce.$_"), $name, "so does $_") foreach
	"create_coupon_policy('$name', 'fixed', 1, 1, policy_id => 1)", "update_coupon_policy(1, quantity => 2)", 'close_coupon_policy(1)';
is($router->safe_psql('postgres', 'SELECT * FROM commerce.stock', extra_params => [ '-U', 'clerk' ]), '1|1|9', 'a reader sees the stock');

# ---- rights ----

$router->safe_psql('postgres', "CREATE ROLE ops LOGIN; SELECT commerce.grant_access('ops', 'admin')");
is($router->safe_psql('postgres', 'SELECT count(*) FROM commerce_router.moves()', extra_params => [ '-U', 'ops' ]), '0', 'an admin sees moves');
is($router->safe_psql('postgres', "SELECT sum(available) FROM commerce_router.sweep('stock', 1)", extra_params => [ '-U', 'ops' ]), '9', 'and where units are');
is(sqlstates($router, 'SET ROLE ops; SELECT * FROM commerce_router.nodes'), '42501', 'but no connection string');
$router->safe_psql('postgres', $_) foreach 'CREATE DATABASE guarded', 'CREATE ROLE reporting';
$router->safe_psql('guarded', join '', (map { "ALTER DEFAULT PRIVILEGES GRANT ALL ON $_ TO reporting, PUBLIC;" } qw(TABLES FUNCTIONS TYPES)),
	'ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO reporting WITH GRANT OPTION; CREATE EXTENSION commerce_router CASCADE');
is($router->safe_psql('guarded', q(
	WITH of AS (SELECT oid FROM pg_namespace WHERE nspname LIKE 'commerce%')
	SELECT oid::regnamespace::text FROM of WHERE has_schema_privilege('reporting', oid, 'USAGE')
	UNION ALL SELECT oid::regclass::text FROM pg_class WHERE relnamespace IN (TABLE of) AND relkind IN ('r', 'v') AND has_table_privilege('reporting', oid, 'SELECT')
	UNION ALL SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace IN (TABLE of) AND has_function_privilege('reporting', oid, 'EXECUTE')
	UNION ALL SELECT t.oid::regtype::text FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid WHERE typnamespace IN (TABLE of)
		AND typcategory <> 'A' AND coalesce(relkind = 'c', true) AND has_type_privilege('reporting', t.oid, 'USAGE'))),
	'', 'default privileges leave nothing to anybody');

# ---- PgBouncer before a node ----

SKIP:
{
	local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";
	skip 'PgBouncer is not there', 4 if system('pgbouncer --version >/dev/null 2>&1') != 0;
	my ($section) = document('doc/scale.md') =~ /^## Operation\n(.*?)^## /ms;
	my ($setting) = $section =~ /^echo '(.*)' >>pgbouncer.ini$/m;
	my $host = PostgreSQL::Test::Utils::tempdir_short();
	my @place = ("host=$host port=6432 dbname=postgres user=router", $nodes[1]->host, $nodes[1]->port);
	my $ini = <<"INI";
[databases]
postgres = host=$place[1] port=$place[2]
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = $host
auth_type = trust
auth_file = @{[ write_file(qq("router" ""\n)) ]}
pool_mode = transaction
default_pool_size = 1
$setting
INI
	start_program("$host/out", "$host/err", 'pgbouncer', write_file($ini));
	wait_until(sub { -S "$host/.s.PGSQL.6432" });
	$nodes[1]->safe_psql('postgres', "ALTER DATABASE postgres SET datestyle = 'SQL, DMY'; ALTER DATABASE postgres SET intervalstyle = sql_standard");
	$nodes[1]->safe_psql('postgres', join '', $section =~ /^(ALTER ROLE .*)$/mg);
	like(refusal_of_node($place[0], "set_node(2, '%s')"), qr/^\(2,/, 'PgBouncer may stand before a node');
	$nodes[1]->safe_psql('postgres', "SELECT commerce.create_user('Lee', $there); UPDATE commerce.users SET created_at = '2020-02-01' WHERE user_id = $there");
	is($router->safe_psql('postgres', "SELECT created_at::date FROM commerce.set_user_name($there, 'Lee')"), '2020-02-01', 'and days are not taken for months');
	is(told('SELECT commerce.charge_balance(1, 0)'), told('SELECT commerce.charge_balance(1, 0)'), 'refusals come through');
	like(refusal_of_node(conninfo($nodes[1]), "set_node(2, '%s')"), qr/^\(2,/, 'or be left out');
}

$nodes[1]->stop;
is($router->safe_psql('postgres', qq(SELECT sqlstate, message, detail FROM commerce.place_orders('[{"user_id": $here, "items": [{"option_id": 1, "quantity": 99}]},
	{"user_id": $here, "items": [{"option_id": 1, "quantity": 1}]}, {"user_id": $there, "items": [{"option_id": 1, "quantity": 1}]}]'))),
	qq(SC901|node 2 is not available|{"node_no": 2}\n||\nSC901|node 2 is not available|{"node_no": 2}), 'who needs the node is told so');
like(told($_), qr/^ERROR:  SC901: node 2 is not available$/m, $_) foreach 'SELECT * FROM commerce.stock', 'SELECT * FROM commerce.coupon_quota',
	'SELECT * FROM commerce.verify()', "SELECT commerce.get_balance($there)", 'SELECT commerce.popular_products()';
$nodes[1]->start;
is($router->safe_psql('postgres', 'SELECT * FROM commerce.verify()'), '', 'the cluster is sound');

done_testing();
