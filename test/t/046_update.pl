# An update keeps what a DBA added, and gives the same schema as a fresh install and as
# a dump restored: test/next makes up the next version, 1.1.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use Catalogue;
use CommerceTest;
use NextVersion;

my $node = new_switchable('shop', 'next');
my $one = items([ 1, 1 ]);
my $folder = PostgreSQL::Test::Utils::tempdir();

# Roles keep what they had, but for functions that were dropped and made anew. Who
# updates gives the levels again in the same transaction, so that nobody misses them.
my $levels = q(SELECT commerce.grant_access('clerk', 'app'), commerce.grant_access('chief', 'admin'););
my $update = "BEGIN; ALTER EXTENSION commerce UPDATE TO '1.1'; $levels COMMIT;";

sub create_database
{
	my ($name, $sql, $template) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE " . ($template // 'template0'));
	$node->safe_psql($name, $sql);
	return;
}

sub dump_of
{
	my ($dbname) = @_;
	$node->command_ok([ 'pg_dump', '-f', "$folder/$dbname.sql", $node->connstr($dbname) ], "$dbname is dumped");
	return "$folder/$dbname.sql";
}

# Returns the errors.
sub restore
{
	my ($file, $dbname) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql($dbname, undef, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
		extra_params => [ '-q', '-f', $file ]);
	return join "\n", grep { /ERROR/ } split /\n/, $stderr;
}

$node->safe_psql('postgres', 'CREATE ROLE clerk; CREATE ROLE chief');

# ---- three ways to 1.1 ----

create_database('fresh', "CREATE EXTENSION commerce; $levels");
create_database('updated', "CREATE EXTENSION commerce VERSION '1.0'; $levels");
$node->safe_psql('updated', $update);
create_database('restored', '');
is(restore(dump_of('updated'), 'restored'), '', 'and restored without an error');

my $catalogue = catalogue($node, 'fresh');
is_deeply([ grep { /^extension / } @$catalogue ], [ 'extension version 1.1, schema pg_catalog' ], 'fresh is 1.1');
same_catalogue(catalogue($node, 'updated'), $catalogue, 'updated has the catalogue of fresh');
same_catalogue(catalogue($node, 'restored'), $catalogue, 'so has restored');

my $day = a_day($node, 'fresh');
like($day, qr/"memo": "none"/, 'a day in fresh');
is(a_day($node, 'updated'), $day, 'the same day in updated');
is(a_day($node, 'restored'), $day, 'the same day in restored');
is_sound($node, "$_ is sound", $_) foreach qw(fresh updated restored);

my @tests = qw(order_place order_batch order_hold order_cancel order_refund coupon_issue event_claim
	idempotency life_column life_recreate);
foreach my $way (qw(fresh updated))
{
	created_version($way);
	passes_regression_tests($node, "regression tests pass on 1.1 $way", @tests);
}
created_version('fresh');

# ---- what a DBA added ----

create_database('lived', q(
	CREATE EXTENSION commerce VERSION '1.0';
	ALTER TABLE commerce.orders ADD COLUMN gone bigint DEFAULT 5;
	ALTER TABLE commerce.orders DROP COLUMN gone,
		ADD COLUMN channel text NOT NULL DEFAULT 'web' CHECK (channel <> ''),
		ADD COLUMN is_large boolean GENERATED ALWAYS AS (total > 1000) STORED;
	CREATE INDEX ON commerce.orders (channel, total);
	ALTER TABLE commerce.order_items ADD COLUMN dba_cost bigint DEFAULT 3;) . $levels);
(my $own_day = a_day($node, 'lived')) =~ s/"(channel|is_large|dba_cost)": [^,}]*, //g;
is($own_day, $day =~ s/"memo": "none", //gr, 'a day in 1.0 with a DBA\'s columns');
$node->safe_psql('lived', "SELECT commerce.place_order(1, '$one', NULL, 'before')");
my $old_dump = dump_of('lived');
create_database('unchanged', '', 'lived');

$node->safe_psql('lived', $update);
is($node->safe_psql('lived', q(
		SELECT attname, attnum FROM pg_attribute
		WHERE attrelid = 'commerce.orders'::regclass AND attnum > 15 ORDER BY attnum)),
	"........pg.dropped.16........|16\nchannel|17\nis_large|18\nmemo|19", 'what is new stands behind a DBA\'s columns');
is($node->safe_psql('lived', qq(
		SELECT total, memo, channel, is_large FROM commerce.place_order(1, '$one', memo => 'fragile');
		SELECT memo, channel FROM commerce.place_order(1, '$one');
		SELECT memo, channel FROM commerce.place_order(1, '$one', NULL, 'before');
		SELECT count(*) FROM commerce.orders;
		SELECT total, memo, channel, is_large FROM commerce.refund_order(1, '$one');
		SELECT o ->> 'memo', o ->> 'channel', o #>> '{items,0,dba_cost}'
		FROM commerce.get_order((SELECT order_id FROM commerce.orders WHERE memo = 'fragile')) o;
		SELECT memo, channel FROM commerce.mark_order((SELECT order_id FROM commerce.orders WHERE memo = 'fragile'), 'disputed');
		SET enable_seqscan = off; SET enable_bitmapscan = off;
		SELECT count(*) = (SELECT count(*) FROM commerce.orders) FROM commerce.orders WHERE channel = 'web';)),
	"900|fragile|web|f\nnone|web\nnone|web\n6\n1700|none|web|t\nfragile|web|3\nfragile|web\nt",
	'every value is in its own column, a key of before finds its order, and the index has every row');
is(sqlstates($node, "SELECT commerce.place_order(1, '$one', memo => '');
		ALTER TABLE commerce.orders ALTER COLUMN channel SET DEFAULT '';
		SELECT commerce.place_order(1, '$one');
		ALTER TABLE commerce.orders ALTER COLUMN channel SET DEFAULT 'app';
		SELECT commerce.place_order(1, '$one');", dbname => 'lived'), '23514 23514', 'both CHECKs hold');
my $added = qr/channel|is_large|dba_cost|orders.memo: number/;
same_catalogue([ grep { !/$added/ } @{ catalogue($node, 'lived') } ], [ grep { !/$added/ } @$catalogue ],
	'but for what the DBA added, and so the numbers of columns, it is 1.1 as well');

# ---- a dump of 1.0 where 1.1 is ----

my $columns = q(
	ALTER TABLE commerce.orders ADD COLUMN channel text, ADD COLUMN is_large boolean GENERATED ALWAYS AS (total > 1000) STORED;
	ALTER TABLE commerce.order_items ADD COLUMN dba_cost bigint;);
create_database('brought', "CREATE EXTENSION commerce VERSION '1.0'; $columns");
is(restore($old_dump, 'brought'), '', 'a dump of 1.0 comes into 1.0');
is_deeply(contents($node, 'brought'), contents($node, 'unchanged'), 'with all that it held');
$node->safe_psql($_, $update) foreach qw(brought unchanged);
is_deeply(contents($node, 'brought'), contents($node, 'unchanged'), 'and is updated like the original');

create_database('leaped', "CREATE EXTENSION commerce; $columns");
like(restore($old_dump, 'leaped'),
	qr/^(\S+ ERROR:  function commerce.(try_)?place_order\(bigint, jsonb, bigint, text, bigint\) does not exist\n?){3}$/,
	'it comes into 1.1 too, without the rights to what is not there any more');
$node->safe_psql('leaped', $levels);
is($node->safe_psql('leaped', "SELECT count(*), min(memo) FROM commerce.orders;
		SELECT total, memo FROM commerce.place_order(1, '$one', NULL, 'before')"), "4|none\n900|none", 'and sells on');
is_sound($node, "$_ is sound", $_) foreach qw(brought leaped);

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
