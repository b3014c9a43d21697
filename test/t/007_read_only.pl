# In a READ ONLY transaction and on a standby every writer is refused with 25006
# and changes nothing, while the readers answer as on the primary.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Cluster;
use CommerceTest;
use EveryCall;

my $node = new_server('primary', init => { allows_streaming => 1 });
my $one = items([ 1, 1 ]);

make_busy($node);

my $before = contents($node, 'postgres');
foreach my $name (sort keys %writer)
{
	my $call = "SELECT commerce.$name($writer{$name});";
	is(sqlstates($node, "BEGIN READ ONLY; $call COMMIT;"), '25006',
		"$name is refused in a read-only transaction");
	is(sqlstates($node, "SET default_transaction_read_only = on; $call"), '25006',
		"$name is refused where read-only is the default");
}
is_deeply(contents($node, 'postgres'), $before, 'nothing has changed');

# So it was not for its arguments that a call was refused.
foreach my $name (sort keys %writer)
{
	is(sqlstates($node, "BEGIN; SELECT commerce.$name($writer{$name}); ROLLBACK;"), '',
		"$name works otherwise");
}

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "log_statement = none\n");
$standby->start;

# Something that only came by streaming.
$node->safe_psql('postgres', "SELECT commerce.place_order(1, '$one')");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));

foreach my $name (sort keys %reader)
{
	my $call = "SELECT count(*), min(f::text) FROM commerce.$name($reader{$name}) f";
	my $answer = $node->safe_psql('postgres', $call);
	is($node->safe_psql('postgres', "BEGIN READ ONLY; $call;"), $answer,
		"$name answers in a read-only transaction");
	is($standby->safe_psql('postgres', $call), $answer, "$name answers on the standby");
}
my $views = 'SELECT * FROM commerce.stock, commerce.coupon_quota, commerce.coupon_wallet';
is($standby->safe_psql('postgres', $views), $node->safe_psql('postgres', $views), 'views answer on the standby');
foreach my $name (sort keys %writer)
{
	is(sqlstates($standby, "SELECT commerce.$name($writer{$name})"), '25006',
		"$name is refused on the standby");
}
is(sqlstates($standby, "SELECT commerce.get_balance(9); SELECT commerce.get_order(9);
		SELECT * FROM commerce.quote_order(1, '[]');"), 'SC102 SC004 SC302',
	'readers refuse on the standby as anywhere');
is_deeply(rows($standby, 'postgres'), rows($node, 'postgres'),
	'the standby holds what the primary holds');
log_is_clean($_, $_->name . ': no crash, no internal error') for $node, $standby;

# Promoted, it is a shop of its own.
$node->stop;
$standby->promote;
is(sqlstates($standby, "SELECT commerce.place_order(1, '$one')"), '',
	'the promoted standby sells');
is_sound($standby, 'no invariant is violated there');

$standby->stop;
done_testing();
