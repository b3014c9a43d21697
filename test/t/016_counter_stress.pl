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
use IPC::Run;
use PostgreSQL::Test::Utils;

my $node = new_server('counter_stress',
	conf => [ 'max_connections = 100', 'fsync = off' ]);

# Options 1 to 4 are for everybody; each of 101 to 120 has one unit.
$node->safe_psql('postgres', q(
	SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 1000000000))
	FROM generate_series(1, 64) AS id;
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'size ' || id, 1, stock, id)
	FROM unnest(ARRAY[1, 2, 3, 4], ARRAY[1, 7, 100, 100000]) AS o (id, stock);
	SELECT count(commerce.create_product_option(1, 'rare ' || id, 1, 1, id))
	FROM generate_series(101, 120) AS id;
	SELECT count(commerce.create_coupon_policy('a round''s', 'fixed', 1, 500,
		per_user_limit => 500, policy_id => id))
	FROM generate_series(1, 4) AS id;

	-- What the calls said they did, in their own transactions.
	CREATE TABLE public.told (op text, id bigint, quantity bigint);

	CREATE FUNCTION public.upto(n bigint) RETURNS bigint LANGUAGE sql
	RETURN 1 + floor(random() * n)::bigint;

	-- Usually few; of option 4 now and then more than any slot has.
	CREATE FUNCTION public.how_many(option bigint) RETURNS bigint LANGUAGE sql
	RETURN CASE option WHEN 1 THEN 1 WHEN 2 THEN public.upto(3) WHEN 3 THEN public.upto(8)
					   ELSE ceil(power(random(), 12) * 5000)::bigint + 1 END;

	CREATE FUNCTION public.act(who bigint, op text, subject bigint) RETURNS void
	LANGUAGE plpgsql AS $$
	DECLARE
		option	bigint := public.upto(4);
		lines	jsonb;
	BEGIN
		CASE op
		WHEN 'order' THEN
			SELECT jsonb_agg(jsonb_build_object('option_id', id, 'quantity', public.how_many(id)))
			INTO lines FROM (SELECT id FROM generate_series(1, 4) AS id
							 ORDER BY random() LIMIT (SELECT public.upto(3))) AS chosen;
			PERFORM commerce.place_order(who, lines);
			INSERT INTO told SELECT 'stock', (line ->> 'option_id')::bigint, -(line ->> 'quantity')::bigint
			FROM jsonb_array_elements(lines) AS line;
		WHEN 'batch' THEN
			SELECT jsonb_agg(jsonb_build_object('user_id', who, 'items', jsonb_build_array(
				jsonb_build_object('option_id', id, 'quantity', public.how_many(id)))))
			INTO lines FROM (SELECT public.upto(4) AS id FROM generate_series(1, 6)) AS chosen;
			INSERT INTO told SELECT 'stock', (line -> 'option_id')::bigint, -(line -> 'quantity')::bigint
			FROM commerce.place_orders(lines), jsonb_extract_path(lines, (request_no - 1)::text, 'items', '0') AS line
			WHERE order_id IS NOT NULL;
		WHEN 'rare' THEN
			PERFORM commerce.place_order(who, jsonb_build_array(
				jsonb_build_object('option_id', subject, 'quantity', 1)));
			INSERT INTO told VALUES ('ok', subject);
		WHEN 'issue' THEN
			PERFORM commerce.issue_coupon(who, subject);
			INSERT INTO told VALUES ('coupon', subject, 1);
		WHEN 'undo' THEN
			SELECT order_id INTO subject FROM commerce.orders
			WHERE user_id = who AND status = 'paid' ORDER BY order_id DESC LIMIT 1;
			IF FOUND THEN
				PERFORM commerce.cancel_order(subject);
				INSERT INTO told SELECT 'stock', option_id, quantity
				FROM commerce.order_items WHERE order_id = subject;
			END IF;
		WHEN 'up', 'down' THEN
			INSERT INTO told VALUES ('stock', option, public.how_many(option) * CASE op WHEN 'up' THEN 3 ELSE -1 END)
			RETURNING quantity INTO subject;
			PERFORM commerce.adjust_stock(option, subject, 'stress');
		END CASE;
	EXCEPTION WHEN SQLSTATE 'SC301' OR SQLSTATE 'SC203' THEN
		IF op = 'rare' THEN
			INSERT INTO told VALUES (SQLSTATE, subject);
		END IF;
	END $$;
));

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

# One round of all against all: 64 clients, fewer and fewer of them.
sub fight
{
	my ($round, $max_slots, $level) = @_;
	my $options = "-c commerce.max_slots=$max_slots -c default_transaction_isolation=$level";
	my $killing = IPC::Run::start(
		[ 'pgbench', '--no-vacuum', '--time=600', '--rate=12', '--file', $killer,
			$node->connstr('postgres') ], '>', \my $output, '2>', \my $errors);

	local $ENV{PGAPPNAME} = 'buyers';
	local $ENV{PGOPTIONS} = $options;
	$node->pgbench(
		"--no-vacuum --client=64 --jobs=2 --time=5 --max-tries=100000 -D round=$round",
		2, [ qr/^number of transactions actually processed: [1-9]/m ],
		[ qr/terminating connection due to administrator command/ ],
		"round $round, $options",
		{ map { ("016_${round}_$_\@$weight{$_}" => qq(
			BEGIN;
			SELECT public.act(:client_id + 1, '$_', :round);
			\\set mind random(1, 8)
			\\if :mind = 1
				ROLLBACK;
			\\else
				COMMIT;
			\\endif
		)) } keys %weight });
	$killing->pump_nb;
	ok($killing->pumpable, "round $round: there was killing to the end") or diag($errors);
	$killing->signal('TERM');
	$killing->finish;

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
is($node->safe_psql('postgres', q(
	SELECT count(*) FROM told WHERE op = 'stock' AND quantity < 0)) > 100 ? 'many' : 'few',
	'many', 'it was no walk in the park');

# What is left can be had to the last unit, and not one more.
is($node->safe_psql('postgres', q(
	SELECT (commerce.adjust_stock(option_id, -available, 'all')).available
	FROM commerce.stock WHERE option_id <= 4 AND available > 0 GROUP BY option_id, available)) =~ /[1-9]/ ? 1 : 0,
	0, 'all that is left can be had');
is(sqlstates($node, join ' ', map { "SELECT commerce.adjust_stock($_, -1, 'more');" } 1 .. 4),
	'SC301 SC301 SC301 SC301', 'and not one more');

log_is_clean($node, 'no crash, no deadlock, no internal error');
is(join('', sort grep { !/canceling statement due to user request|terminating connection due to administrator command|could not serialize access|insufficient stock/ }
		slurp_file($node->logfile) =~ /(?:ERROR|FATAL): .*\n/g),
	'', 'nobody failed otherwise than by being killed');

$node->stop;
done_testing();
