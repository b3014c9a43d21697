# A dump restored has the same catalogue as a fresh database, and the comparison that
# says so sees any change of it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use Catalogue;
use CommerceTest;

my $node = new_server('shop');
$node->safe_psql('postgres', q(
	CREATE ROLE clerk; CREATE ROLE chief;
	SELECT commerce.grant_access('clerk', 'app'), commerce.grant_access('chief', 'admin');
	CREATE DATABASE fresh;));
$node->safe_psql('fresh', q(
	CREATE EXTENSION commerce;
	SELECT commerce.grant_access('clerk', 'app'), commerce.grant_access('chief', 'admin')));

my $fresh = catalogue($node, 'fresh');
cmp_ok(scalar @$fresh, '>', 1000, 'the catalogue tells much');
is_deeply([ grep { /^other / } @$fresh ], [], 'and all kinds of members');
is_deeply([ grep { /\bpg_toast_\d/ } @$fresh ], [], 'but no name that holds an OID');
same_catalogue(catalogue($node, 'postgres'), $fresh, 'another fresh database has the same');

# ---- dumped and restored ----

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->safe_psql('postgres', "SELECT commerce.create_user('Kim')");
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'a dump is made');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ],
	'and restored');
same_catalogue(catalogue($node, 'restored'), $fresh, 'the restored database has the same');

# ---- what it sees: each change shows, in a line of this kind ----

my @changes = (
	extension => "UPDATE pg_extension SET extversion = '1.1' WHERE extname = 'commerce'",
	dumped => q(UPDATE pg_extension SET extcondition[1] = 'WHERE false' WHERE extname = 'commerce'),
	dumped => q(UPDATE pg_extension SET extconfig = extconfig[2:], extcondition = extcondition[2:] WHERE extname = 'commerce'),
	member => 'ALTER EXTENSION commerce DROP FUNCTION commerce.verify()',
	other => "CREATE COLLATION commerce.c (locale = 'C'); ALTER EXTENSION commerce ADD COLLATION commerce.c",
	relation => 'ALTER TABLE commerce.orders SET (fillfactor = 91)',
	relation => 'ALTER TABLE commerce.orders SET (toast.autovacuum_enabled = off)',
	relation => 'ALTER TABLE commerce.orders REPLICA IDENTITY FULL',
	relation => 'ALTER TABLE commerce.orders ENABLE ROW LEVEL SECURITY',
	relation => 'ALTER TABLE commerce.orders SET UNLOGGED',
	relation => 'ALTER VIEW commerce.stock SET (security_barrier)',
	column => 'ALTER TABLE commerce.orders ADD COLUMN note text',
	column => 'ALTER TABLE commerce.orders RENAME COLUMN cancel_reason TO reason',
	column => 'ALTER TABLE commerce.orders DROP COLUMN cancel_reason',
	column => 'ALTER TABLE commerce.orders ALTER COLUMN placed_at DROP DEFAULT',
	column => 'ALTER TABLE commerce.orders ALTER COLUMN placed_at DROP NOT NULL',
	column => 'ALTER TABLE commerce.orders ALTER COLUMN order_id SET STATISTICS 10',
	column => 'ALTER TABLE commerce.orders ALTER COLUMN order_id SET (n_distinct = -1)',
	column => 'ALTER TABLE commerce.orders ALTER COLUMN cancel_reason SET STORAGE EXTERNAL',
	column => 'ALTER TABLE commerce.orders ALTER COLUMN cancel_reason TYPE text COLLATE "C"',
	index => 'CREATE INDEX own ON commerce.orders (total)',
	index => 'ALTER TABLE commerce.orders CLUSTER ON orders_pkey',
	constraint => 'ALTER TABLE commerce.orders ADD CONSTRAINT own CHECK (total >= 0) NOT VALID',
	constraint => 'ALTER TABLE commerce.balances DROP CONSTRAINT balances_balance_check',
	trigger => 'CREATE TRIGGER own BEFORE UPDATE ON commerce.orders
		FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
	rule => 'CREATE RULE own AS ON DELETE TO commerce.orders DO INSTEAD NOTHING',
	policy => 'CREATE POLICY own ON commerce.orders TO clerk USING (total > 0)',
	statistics => 'CREATE STATISTICS public.own ON total, subtotal FROM commerce.orders',
	label => q(ALTER TYPE commerce.order_status ADD VALUE 'lost' BEFORE 'paid'),
	label => q(ALTER TYPE commerce.order_status RENAME VALUE 'paid' TO 'settled'),
	type => 'ALTER TYPE commerce.order_status RENAME TO state',
	sequence => 'ALTER SEQUENCE commerce.order_id_seq CACHE 20',
	sequence => 'ALTER SEQUENCE commerce.order_id_seq START 20',
	function => 'ALTER FUNCTION commerce.verify() COST 5',
	function => 'ALTER FUNCTION commerce.verify() VOLATILE',
	function => 'ALTER FUNCTION commerce.verify() RESET search_path',
	comment => q(COMMENT ON FUNCTION commerce.verify() IS 'other'),
	comment => q(COMMENT ON COLUMN commerce.orders.total IS 'other'),
	comment => q(COMMENT ON INDEX commerce.orders_pkey IS 'other'),
	owner => 'ALTER TABLE commerce.orders OWNER TO clerk',
	owner => 'ALTER FUNCTION commerce.verify() OWNER TO clerk',
	right => 'GRANT SELECT ON commerce.stock_slots TO clerk',
	right => 'GRANT SELECT (total) ON commerce.orders TO PUBLIC',
	right => 'GRANT EXECUTE ON FUNCTION commerce.verify() TO clerk WITH GRANT OPTION',
	right => 'REVOKE EXECUTE ON FUNCTION commerce.pay_order(bigint) FROM clerk',
	right => 'GRANT USAGE ON TYPE commerce.order_status TO PUBLIC',
	right => q(DELETE FROM pg_init_privs WHERE objoid = 'commerce.verify'::regproc),
	dependency => 'ALTER FUNCTION commerce.verify() DEPENDS ON EXTENSION plpgsql',
	dependency => 'ALTER SEQUENCE commerce.order_id_seq OWNED BY commerce.orders.order_id');

my %fresh = map { ($_ => 1) } @$fresh;
for (my $i = 0; $i < @changes; $i += 2)
{
	my ($kind, $change) = @changes[ $i, $i + 1 ];
	my $changed = catalogue($node, 'fresh', before => $change);
	my %changed = map { ($_ => 1) } @$changed;
	my @differing = ((grep { !$fresh{$_} } @$changed), (grep { !$changed{$_} } @$fresh));

	ok(scalar(grep { /^$kind / } @differing), "it sees: $change");
}
same_catalogue(catalogue($node, 'fresh'), $fresh, 'all of that was undone');

$node->stop;
done_testing();
