# 64 clients take from the same few counters, give to them, collect from all
# their slots, change their minds, and are killed at it, with few slots and many,
# at READ COMMITTED and REPEATABLE READ. What is left is what was there, less
# what was sold, to the unit; nothing is refused that is there.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use CounterShop;
use IPC::Run;
use PostgreSQL::Test::Utils;

my $node = new_server('counter_stress',
	conf => [ 'max_connections = 100', 'fsync = off' ]);

$node->safe_psql('postgres', $counter_shop);

# Everybody wants the same single unit, twenty times over.
$node->pgbench('--no-vacuum --client=64 --jobs=2 --transactions=20 -D n=100',
	0, [ qr{processed: 1280/1280}, qr/^number of failed transactions: 0 /m ], [ qr/^$/ ],
	'single units: everybody gets an answer',
	{ '016_rare' => q(
		\set n :n + 1
		SELECT public.act(:client_id + 1, 'rare', :n);
	) });
is($node->safe_psql('postgres', q(
	SELECT op, count(*), count(DISTINCT id) FROM told GROUP BY op ORDER BY op)),
	"SC301|1260|20\nok|20|20", 'each was sold to one, and 63 were refused');

# Ends some buyer's call or connection, time and again.
my $killer = $node->basedir . '/kill.pgbench';
append_to_file($killer, q(
	SELECT CASE WHEN random() < 0.5 THEN pg_cancel_backend(pid) ELSE pg_terminate_backend(pid) END
	FROM (SELECT pid FROM pg_stat_activity WHERE application_name = 'buyers'
		  AND state <> 'idle' ORDER BY random() LIMIT 1) AS victim;
));

my %weight = (order => 12, batch => 3, undo => 3, issue => 4, up => 3, down => 2);

my @scripts;
foreach my $op (sort keys %weight)
{
	my $script = $node->basedir . "/$op.pgbench";
	append_to_file($script, qq(
		BEGIN;
		SELECT public.act(:client_id + 1, '$op', :round);
		\\set mind random(1, 8)
		\\if :mind = 1
			ROLLBACK;
		\\else
			COMMIT;
		\\endif
	));
	push @scripts, '--file', "$script\@$weight{$op}";
}

# How many connections were ended so far.
sub victims
{
	my $log = slurp_file($node->logfile);
	return scalar(() = $log =~ /FATAL: +terminating connection due to administrator command/g);
}

sub sales
{
	return $node->safe_psql('postgres', q(
		SELECT count(*) FROM told WHERE op = 'stock' AND quantity < 0));
}

# One round of all against all: 64 clients, fewer and fewer of them, five seconds at
# a time, until some were ended, much was sold, and counters were striped where they
# could: on a slow machine that takes more than once.
sub fight
{
	my ($round, $max_slots, $level) = @_;
	my $options = "-c commerce.max_slots=$max_slots -c default_transaction_isolation=$level";
	my ($victims, $sales) = (victims(), sales());
	my $is_fought;

	foreach my $attempt (1 .. 20)
	{
		my ($output, $errors) = ('', '');
		my $killing = IPC::Run::start(
			[ 'pgbench', '--no-vacuum', '--time=600', '--rate=12', '--file', $killer,
				$node->connstr('postgres') ], '>', \my $killed, '2>', \my $complaints);
		{
			local $ENV{PGAPPNAME} = 'buyers';
			local $ENV{PGOPTIONS} = $options;
			IPC::Run::run([ 'pgbench', '--no-vacuum', '--client=64', '--jobs=2', '--time=5',
					'--max-tries=100000', '-D', "round=$round", @scripts, $node->connstr('postgres') ],
				'>', \$output, '2>', \$errors);
		}
		my $status = $? >> 8;
		$killing->signal('TERM');
		$killing->finish;

		# 2: some clients were ended.
		if ($status != 0 && $status != 2)
		{
			diag($errors);
			last;
		}
		$is_fought = victims() > $victims && sales() > $sales + 250
			&& $node->safe_psql('postgres', qq(
				SELECT EXISTS (SELECT FROM told WHERE op = 'coupon' AND id = $round)
				   AND ($max_slots = 1 OR EXISTS (SELECT FROM commerce.coupon_quota_slots
											  WHERE policy_id = $round AND slot = 0 AND level > 0)))) eq 't';
		last if $is_fought;
	}
	ok($is_fought, "round $round, $options: some were ended, much was sold");

	is($node->safe_psql('postgres', qq(
		SELECT slot, level FROM commerce.stock_slots WHERE slot >= $max_slots
		UNION ALL
		SELECT slot, level FROM commerce.coupon_quota_slots
		WHERE policy_id = $round AND (slot >= $max_slots OR slot = 0 AND 1 << level > $max_slots))),
		'', "no counter has more than $max_slots slots");
	return;
}

fight(1, 1, 'read\ committed');
fight(2, 4, 'read\ committed');
fight(3, 64, 'read\ committed');
fight(4, 64, 'repeatable\ read');

# A slot that is used up is gone, but slot 0 tells how often it was split.
is($node->safe_psql('postgres', q(
	SELECT policy_id FROM commerce.coupon_quota_slots WHERE slot = 0 AND level > 0 ORDER BY 1)),
	"2\n3\n4", 'counters were striped where they could');
is($node->safe_psql('postgres', q(
	SELECT count(*) FROM commerce.stock_slots WHERE quantity = 0 AND slot > 0)),
	0, 'no slot stays that is used up');

# The books.
is($node->safe_psql('postgres', q(
	SELECT s.option_id, available, quantity FROM commerce.stock s
	JOIN (SELECT id AS option_id, sum(quantity) AS quantity FROM told WHERE op = 'stock' GROUP BY 1) t
	USING (option_id)
	JOIN unnest(ARRAY[1, 2, 3, 4], ARRAY[1, 7, 100, 100000]) AS o (option_id, stock) USING (option_id)
	WHERE available <> stock + t.quantity)),
	'', "each option's stock is what was brought in, less sold");
is($node->safe_psql('postgres', q(
	SELECT q.*, t.count FROM commerce.coupon_quota q
	LEFT JOIN (SELECT id AS policy_id, count(*) FROM told WHERE op = 'coupon' GROUP BY 1) t
	USING (policy_id)
	WHERE issued IS DISTINCT FROM t.count OR issued + remaining <> 500)),
	'', 'each policy issued what it says, of 500');
is_sound($node, 'no invariant is violated');

# What is left can be had to the last unit, and not one more.
is($node->safe_psql('postgres', q(
	SELECT (commerce.adjust_stock(option_id, -available, 'all')).available
	FROM commerce.stock WHERE option_id <= 4 AND available > 0 GROUP BY option_id, available)) =~ /[1-9]/ ? 1 : 0,
	0, 'all that is left can be had');
is(sqlstates($node, join ' ', map { "SELECT commerce.adjust_stock($_, -1, 'more');" } 1 .. 4),
	'SC301 SC301 SC301 SC301', 'and not one more');

log_is_clean($node, 'no crash, no deadlock, no internal error');
is(join('', sort grep { !/canceling statement due to user request|terminating connection due to administrator command|connection to client lost|could not serialize access|insufficient stock/ }
		slurp_file($node->logfile) =~ /(?:ERROR|FATAL): .*\n/g),
	'', 'nobody failed otherwise than by being killed');

$node->stop;
done_testing();
