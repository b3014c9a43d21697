# Subscriptions under random work: orders that commit late or not at all, claims that
# are undone, left to lapse, failed, given back, and claimers that are killed. In the
# end each subscription has had every event that it wants, once, in its order's order.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;
use IPC::Run;

my $node = new_server('events');
my $seconds_each = $ENV{STRESS_SECONDS} // 3;

$node->safe_psql('postgres', q(
	-- Sessions keep numbers in store.
	ALTER SEQUENCE commerce.event_id_seq CACHE 7;
	SELECT count(commerce.create_user('buyer', n)), count(commerce.charge_balance(n, 100000000))
	FROM generate_series(1, 20) n;
	SELECT commerce.create_product('shirt', 1), commerce.create_product_option(1, 'red', 10, 1000000, 1);
	SELECT commerce.create_subscription('paid', '{order.paid}');
	SELECT commerce.create_subscription('undone', '{order.cancelled,order.refunded}');
	CREATE SCHEMA stress;

	-- What somebody got, as it was acknowledged.
	CREATE TABLE stress.got (nth bigserial, subscription text, event_id bigint, order_id bigint);

	-- Some order is placed, cancelled or refunded in part.
	CREATE FUNCTION stress.shop() RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		items CONSTANT jsonb := '[{"option_id": 1, "quantity": 2}]';
		-- One of the last orders: another session may be at it.
		one bigint := (SELECT max(order_id) FROM commerce.orders) - floor(random() * 20)::bigint;
	BEGIN
		CASE floor(random() * 4)
			WHEN 0 THEN PERFORM commerce.cancel_order(one);
			WHEN 1 THEN PERFORM commerce.refund_order(one, '[{"option_id": 1, "quantity": 1}]');
			WHEN 2 THEN PERFORM commerce.place_order(1 + floor(random() * 20)::bigint, items),
				commerce.place_order(1 + floor(random() * 20)::bigint, items);
			ELSE PERFORM commerce.place_order(1 + floor(random() * 20)::bigint, items);
		END CASE;
	EXCEPTION WHEN SQLSTATE 'SC303' OR SQLSTATE 'SC304' OR SQLSTATE 'SC004' OR null_value_not_allowed THEN
		NULL;
	END $$;

	CREATE FUNCTION stress.take(name text, batch integer, lease interval) RETURNS bigint
	LANGUAGE plpgsql AS $$
	DECLARE
		event record;
		taken bigint := 0;
	BEGIN
		FOR event IN SELECT * FROM commerce.claim_events(batch, lease, name) LOOP
			taken := taken + 1;
			INSERT INTO stress.held VALUES (name, event.event_id, event.order_id, event.attempt);
		END LOOP;
		RETURN taken;
	END $$;
	CREATE TABLE stress.held (subscription text, event_id bigint, order_id bigint, attempt integer);

	-- What is held is acknowledged, failed, given back, or forgotten.
	CREATE FUNCTION stress.finish(name text, fine double precision, most integer) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		event record;
	BEGIN
		FOR event IN DELETE FROM stress.held h WHERE ctid IN (
				SELECT ctid FROM stress.held WHERE subscription = name LIMIT most FOR UPDATE SKIP LOCKED)
			RETURNING * LOOP
			IF random() < fine THEN
				IF commerce.ack_events(ARRAY[event.event_id], ARRAY[event.attempt], name) = 1 THEN
					INSERT INTO stress.got (subscription, event_id, order_id)
					VALUES (name, event.event_id, event.order_id);
				END IF;
			ELSIF random() < 0.3 THEN
				PERFORM commerce.release_events(ARRAY[event.event_id], ARRAY[event.attempt],
					random() * interval '100 ms', name);
			ELSIF random() < 0.3 THEN
				BEGIN
					PERFORM commerce.fail_event(event.event_id, event.attempt, 'no answer', NULL, name);
				EXCEPTION WHEN SQLSTATE 'SC501' THEN
					NULL;
				END;
			END IF;
		END LOOP;
	END $$;));

my $script_count = 0;
sub script
{
	my ($text) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/' . ++$script_count . '.sql';

	append_to_file($file, $text);
	return $file;
}
my $pick = q((ARRAY['default', 'paid', 'undone'])[:s]);
my @scripts = (
	script("SELECT stress.shop();\n"),
	script("BEGIN;\nSELECT stress.shop();\n\\sleep 3 ms\nSELECT stress.shop();\nCOMMIT;\n"),
	script("BEGIN;\nSELECT stress.shop();\n\\sleep 3 ms\nROLLBACK;\n"),
	script("\\set s random(1, 3)\n\\set batch random(1, 30)\nSELECT stress.take($pick, :batch, '300 ms');\n"),
	script("\\set s random(1, 3)\nBEGIN;\nSELECT stress.take($pick, 10, '1 s');\n\\sleep 20 ms\nCOMMIT;\n"),
	script("\\set s random(1, 3)\nBEGIN;\nSELECT stress.take($pick, 10, '1 s');\n\\sleep 20 ms\nROLLBACK;\n"),
	script("\\set s random(1, 3)\nSELECT stress.finish($pick, 0.8, 50);\n"));

sub work
{
	my ($for) = @_;
	return IPC::Run::start([ 'pgbench', '-n', '-c', 8, '-T', $for, '-R', 400, '--max-tries=1',
			(map { ('-f', $_) } @scripts), $node->connstr('postgres') ],
		'>', \my $out, '2>', \my $error);
}

# ---- the work, in parts, some of them killed; a subscription comes meanwhile ----

$node->safe_psql('postgres', 'SELECT stress.shop() FROM generate_series(1, 20)');
foreach my $part (1 .. 4)
{
	my $clients = work($seconds_each);

	$node->safe_psql('postgres', "SELECT commerce.create_subscription('late')") if $part == 2;
	if ($part == 3)
	{
		sleep 1;
		$node->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE application_name = 'pgbench' AND random() < 0.6));
	}
	my $is_done = $clients->finish;
	ok($is_done, "part $part: nobody met an error") if $part != 3;
	is($node->safe_psql('postgres', q(
		WITH beyond AS (
			SELECT e.subscription, e.event_id FROM commerce.unpassed_events e
			WHERE NOT EXISTS (SELECT FROM commerce.stored_deliveries d
				WHERE d.event_id = e.event_id AND d.subscription_no = e.subscription_no)
		), unclaimed AS (SELECT subscription, event_id FROM commerce.unclaimed_deliveries)
		(TABLE beyond EXCEPT ALL TABLE unclaimed) UNION ALL (TABLE unclaimed EXCEPT ALL TABLE beyond))), '',
		"part $part: what the cursors have not passed and is not stored is what no claim has come to");
}

# ---- and the end ----

my $left = q(SELECT count(*) FROM commerce.deliveries WHERE status NOT IN ('delivered', 'discarded'));
ok($node->poll_query_until('postgres', qq(
		SELECT commerce.retry_events(s), stress.take(s, 10000, '1 s'), stress.finish(s, 1, 100000)
		FROM unnest('{default,paid,undone,late}'::text[]) s \\g /dev/null
		$left), '0'), 'all is delivered in the end');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM commerce.events'), '>', 100, 'there was work');
is($node->safe_psql('postgres', q(
	(SELECT subscription, event_id FROM commerce.wanted_events
	 EXCEPT ALL SELECT subscription, event_id FROM stress.got)
	UNION ALL
	(SELECT subscription, event_id FROM stress.got
	 EXCEPT ALL SELECT subscription, event_id FROM commerce.wanted_events))),
	'', 'each subscription got what it wants, each event once');
is($node->safe_psql('postgres', q(
	SELECT subscription, order_id, array_agg(event_id ORDER BY nth) FROM stress.got
	GROUP BY subscription, order_id
	HAVING array_agg(event_id ORDER BY nth) <> array_agg(event_id ORDER BY event_id))),
	'', 'and those of one order in their order');
is($node->safe_psql('postgres', q(SELECT order_id FROM commerce.events GROUP BY order_id
	HAVING (array_agg(event_type ORDER BY event_id))[1] <> 'order.paid')), '', 'which is that of the changes');
cmp_ok($node->safe_psql('postgres', q(SELECT count(*) FROM stress.got WHERE subscription = 'late')), '>', 0,
	'the late one got some');
is_sound($node, 'and the shop is sound');
# Whoever does two things in one transaction may deadlock.
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC:|TRAP:|XX\d\d\d/, 'no crash, no internal error');
$node->stop;
done_testing();
