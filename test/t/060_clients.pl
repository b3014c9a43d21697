# Each program of doc/clients buys, tells a refusal by SQLSTATE and DETAIL, tries again
# when somebody else was there first, and takes the events. And what doc/clients.md says
# of each driver is so: what fails there fails, and what is to be done helps.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use Clients;
use CommerceTest;
use Documents;
use Processes;

my $node = new_clients_server('clients', "log_line_prefix = '%u %e '");
my ($folder, $no_npm) = clients_folder();
my ($trixie, $no_trixie) = unpack_trixie('python3-psycopg');
my @at = ($node->host, $node->port);

# ---- the programs ----

my $short = 'SC301: 48 are left, not 99';
my %short = ('Jdbc.java' =>
	'SC301: {"shortages": [{"available": 48, "option_id": 1, "requested": 99}]}');

# Before its first attempt ends, somebody else charges the same balance.
sub buys
{
	my ($name, $program, %env) = @_;

	new_shop_of_clients($node);
	my $log = -s $node->logfile;
	my $other = $node->background_psql('shop');
	$other->query_safe('BEGIN; SELECT commerce.charge_balance(1, 5000)');
	my $client = start_client($folder, @at, $program, %env);
	ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity
			WHERE usename = 'clerk' AND wait_event_type = 'Lock')), "$name: it waits for somebody else");
	$other->query_safe('COMMIT');
	$other->quit;

	is(wait_exit($client->{pid}), 0, "$name: it ends well");
	is(slurp_file($client->{err}), '', "$name: without a warning");
	is(slurp_file($client->{out}), join("\n", 'order 1 is paid: 24000', $short{$program} // $short,
			'order.paid 24000', '1 acknowledged', ''), "$name: it says what has happened");
	is($node->safe_psql('shop', q(
			SELECT user_id, status, total, (SELECT sum(quantity) FROM commerce.order_items),
				(SELECT available FROM commerce.stock), commerce.get_balance(1),
				(SELECT string_agg(status::text, ' ') FROM commerce.deliveries)
			FROM commerce.orders)), '1|paid|24000|2|48|91000|delivered', "$name: and that has happened");
	my @failed = slurp_file($node->logfile, $log) =~ /^clerk (\w+) ERROR:/mg;
	is("@failed", '40001', "$name: it has tried again, and met no other error");
	is_sound($node, "$name: the books are right", 'shop');
	return;
}

my @programs = sort map { s{.*/}{}r } glob(root() . '/doc/clients/*');
is(@programs, 10, 'there are the programs');
foreach my $program (@programs)
{
	like(document('doc/clients.md'), qr{\(clients/\Q$program\E\)}, "$program: the document points to it");
	SKIP:
	{
		skip $no_npm, 1 if $no_npm && $program =~ /mjs$/;
		buys($program, $program);
	}
}
SKIP:
{
	skip $no_trixie, 1 if $no_trixie;
	my $path = "$trixie/usr/lib/python3/dist-packages";
	my ($version) = qx(PYTHONPATH='$path' /usr/bin/python3 -c 'import psycopg; print(psycopg.__version__)') =~ /^(3\.\d+)/;
	cmp_ok($version, '>=', 3.2, 'psycopg 3.2 or newer');
	buys("psycopg3.py, $version", 'psycopg3.py', PYTHONPATH => $path);
}

# ---- what the document says of the drivers ----

my %is = map { chomp; split /: (?!.*: )/ } grep { /: / } split /^/, <<'TRAPS';
psycopg: a bigint: int 12000
psycopg: items as a list: ProgrammingError
psycopg: items as Jsonb: int 12000
psycopg: an array: int 0
psycopg: an empty array: int 0
psycopg: an enum: int 0
pg: a bigint: string 12000
pg: its option_id passed back: string 12000
pg: its quantity passed back: SC302
pg: items as an array: 22P02
pg: items as text: string 12000
pg: a BigInt in items: TypeError
pg: a BigInt as a parameter: string 100000
pg: an array for ack_events: string 0
postgres: a bigint: string 12000
postgres: items as an array: string 12000
postgres: items as text: SC302
postgres: items as text that is cast: string 12000
postgres: an array for ack_events: string 0
knex: items as an array: 22P02
knex: items as text: string 12000
knex: an option_id: string 1
drizzle: items as an array: cause SC302
drizzle: items as text: string 12000
drizzle: a refusal: cause SC302
drizzle: an array for ack_events: cause 42883
drizzle: a param of an array for ack_events: string 0
jdbc: a string for items: 42883
jdbc: a string that is cast: 12000
jdbc: Types.OTHER: 12000
jdbc: stringtype=unspecified: 12000
jdbc: a string for an enum: 42883
jdbc: a string that is cast to an enum: 0
jdbc: a string for an interval: 42883
jdbc: a string that is cast to an interval: pending
jdbc: a string for an array: 42883
jdbc: an array: 0
pdo: a bigint: integer 12000
pdo: false: 22P02
pdo: true: string "cancelled"
pdo: false as PARAM_BOOL: string "cancelled"
pdo: false as text: string "cancelled"
pdo: a boolean: boolean true
pdo: items as JSON: integer 12000
pdo: items with a gap: SC302
pdo: an array: integer 0
pdo: DETAIL: string "in the message alone"
pq: items as []byte: 12000
pq: items as string: 12000
pq: a slice: not sent
pq: pq.Array: 0
pq: without sslmode: not sent
pq: with sslmode=disable: 1
pg.rb: a bigint: String 12000
pg.rb: a quantity passed back: SC302 as PG::ServerError
pg.rb: an array: 22P02 as PG::InvalidTextRepresentation
pg.rb: an array that is encoded: String 0
pg.rb: a bigint with a type map: Integer 12000
dbi: a quantity that was read: 600000
dbi: a quantity that is text: SC302
dbi: a quantity as a number: 24000
dbi: an option_id that is text: 12000
dbi: an array: 0
dbi: a boolean: 1
TRAPS

foreach my $program (qw(traps.py traps.mjs Traps.java traps.php traps.go traps.rb traps.pl))
{
	SKIP:
	{
		skip $no_npm, 1 if $no_npm && $program =~ /mjs$/;
		new_shop_of_clients($node);
		my @lines = split /\n/, run_client($folder, @at, $program);

		cmp_ok(scalar @lines, '>', 4, "$program: it shows something");
		foreach my $line (@lines)
		{
			my ($name, $result) = split /: (?!.*: )/, $line;
			is($result, delete $is{$name}, $name);
		}
	}
}
delete @is{ grep { /^(pg|postgres|knex|drizzle):/ } keys %is } if $no_npm;
is(join(', ', sort keys %is), '', 'nothing is left to be shown');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
