# A dump restored is the same shop: every row and every sequence, the grants,
# and it goes on selling. Dropping the extension takes nothing else away.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;

my $node = new_server('shop');
my $one = items([ 7, 1 ]);
my $two = items([ 8, 2 ], [ 7, 1 ]);

# Awkward text, explicit ids, endless and ended periods, every coupon status,
# orders and events in several states, keys of every kind, a widened stock.
$node->safe_psql('postgres', qq(
	CREATE ROLE clerk; CREATE ROLE shop; CREATE ROLE sender;
	SELECT commerce.grant_access('clerk', 'reader');
	SELECT commerce.grant_access('shop', 'app');
	SELECT commerce.grant_access('sender', 'relay');

	SELECT commerce.create_user(E'tab\\tline\\nback\\\\slash ''quote'' 사용자', 10);
	SELECT commerce.create_user('generated');
	SELECT commerce.create_product('셔츠', 5);
	SELECT commerce.create_product_option(5, 'red', 100, 50, 7);
	SELECT commerce.create_product_option(5, '\\N', 0, 50, 8);
	SELECT commerce.create_product_option(5, 'generated', 100, 50);
	SELECT commerce.adjust_stock(7, -3, 'lost', 'key');
	SELECT commerce.create_coupon_policy('endless', 'fixed', 10, 5,
		per_user_limit => 5, policy_id => 3);
	SELECT commerce.create_coupon_policy('short', 'percent', 7, 5,
		max_discount_amount => 5, valid_for => '1 second', issue_until => 'infinity');
	SELECT commerce.charge_balance(10, 5000, 'key'), commerce.use_balance(10, 1, 'key');
	SELECT commerce.issue_coupon(10, 3, 'key'), commerce.issue_coupon(10, 3),
		commerce.issue_coupon(10, 3), commerce.issue_coupon(10, 3);
	SELECT commerce.use_coupon(10, 2, 500), commerce.revoke_coupon(3);
	SELECT subscription FROM commerce.create_subscription('books', '{order.paid}');
	SELECT commerce.place_order(10, '$one');
	SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
	FROM commerce.claim_events();
	SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt), 'books')
	FROM commerce.claim_events(subscription => 'books');
	SELECT commerce.purge_events('0');
	SELECT commerce.place_order(10, '$one', 1), commerce.place_order(10, '$two', NULL, 'key'),
		commerce.place_order(10, '$one');
	SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
	FROM commerce.claim_events(1);
	SELECT commerce.fail_event(event_id, attempt, 'no answer')
	FROM commerce.claim_events(1);
	SELECT * FROM commerce.claim_events(1);
	SELECT commerce.hold_order(10, '$one'), commerce.hold_order(10, '$one', 4, '1 hour', 'key'),
		commerce.hold_order(10, '$one', ttl => '1 microsecond');
	SELECT commerce.expire_orders();
	SELECT commerce.pay_order(order_id), commerce.refund_order(order_id, '[{"option_id": 7, "quantity": 1}]', 'key')
	FROM commerce.hold_order(10, '[{"option_id": 7, "quantity": 2}]') AS held;
	SELECT commerce.cancel_order(order_id, E'tab\t, back\\slash, 이유')
	FROM commerce.place_order(10, '$one') AS placed;

	SELECT commerce.join_cluster(1, int4multirange(int4range(0, 4096)), force => true);
	SELECT commerce.give_bucket(7, 2);
	SELECT commerce.transfer_out('stock', 7, 1, 2), commerce.transfer_in('stock', 7, 1, 2, 1);

	CREATE TABLE public.notes AS SELECT 'not ours' AS note;
));
is_sound($node, 'the shop is sound before the dump');

my $before = contents($node, 'postgres');
foreach my $name (sort keys %$before)
{
	isnt($before->{$name}, '', "commerce.$name has something to dump");
}

my $acls = q(
	SELECT relname, relacl::text FROM pg_class
	WHERE relnamespace = 'commerce'::regnamespace AND relkind IN ('r', 'S', 'v')
	UNION ALL
	SELECT p.oid::regprocedure::text, proacl::text FROM pg_proc p
	WHERE pronamespace = 'commerce'::regnamespace
	UNION ALL
	SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname = 'commerce'
	ORDER BY 1);

my $folder = PostgreSQL::Test::Utils::tempdir();
$node->command_ok([ 'pg_dump', '-f', "$folder/plain.sql", $node->connstr('postgres') ],
	'a plain dump is made');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/custom", $node->connstr('postgres') ],
	'a custom dump is made');

my %restore = (
	plain => [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/plain.sql" ],
	custom => [ 'pg_restore', '--exit-on-error', "$folder/custom" ],
	parallel => [ 'pg_restore', '-j', '2', '--exit-on-error', "$folder/custom" ]);

foreach my $copy (sort keys %restore)
{
	$node->safe_psql('postgres', "CREATE DATABASE $copy TEMPLATE template0");
	ok(run_log([ @{ $restore{$copy} }, '-d', $node->connstr($copy) ]),
		"$copy: restored without an error") or next;

	my $after = contents($node, $copy);
	is_deeply([ sort keys %$after ], [ sort keys %$before ], "$copy: the same tables");
	foreach my $name (sort keys %$before)
	{
		is($after->{$name}, $before->{$name}, "$copy: the same commerce.$name");
	}
	is($node->safe_psql($copy, $acls), $node->safe_psql('postgres', $acls),
		"$copy: the same grants");
	is_sound($node, "$copy: sound after the restore", $copy);

	# What was not delivered comes to whom it would have come, and nothing else.
	my $claims = q(BEGIN;
		SELECT 'default', event_id, attempt FROM commerce.claim_events(1000) ORDER BY 2;
		SELECT 'books', event_id, attempt FROM commerce.claim_events(1000, '1 hour', 'books') ORDER BY 2;
		ROLLBACK);
	my $due = $node->safe_psql('postgres', $claims);
	like($due, qr/^default.*^books/ms, 'something is due');
	is($node->safe_psql($copy, $claims), $due, "$copy: the same events are due");
	my $ordered = $node->safe_psql($copy, "SELECT order_id FROM commerce.place_order(10, '$one')");
	like($node->safe_psql($copy, "SELECT string_agg(payload #>> '{data, order_id}', ' ')
			FROM commerce.claim_events(1000, '1 hour', 'books')"), qr/\b$ordered\b/,
		"$copy: so is the event of a new order");

	# A replay finds its order; what is new gets an id of its own.
	is($node->safe_psql($copy, "SELECT order_id, total
			FROM commerce.place_order(10, '$two', NULL, 'key')"),
		$node->safe_psql('postgres', "SELECT order_id, total
			FROM commerce.orders WHERE total = 100 AND order_id IN
			(SELECT order_id FROM commerce.order_items WHERE option_id = 8)"),
		"$copy: a key still stands for its order");
	is($node->safe_psql($copy, "
		SELECT order_id > (SELECT max(order_id) FROM commerce.orders)
		FROM commerce.place_order(10, '$one');
		SELECT max(event_id) > (SELECT max(event_id) FROM commerce.events o
								WHERE o.event_id < max(e.event_id))
		FROM commerce.events e"), "t\nt", "$copy: the next order and event are new");
	is($node->safe_psql($copy, "
		SELECT (commerce.create_user('next')).user_id IN (SELECT user_id FROM commerce.users),
			   (commerce.create_product('next')).product_id IN (SELECT product_id FROM commerce.products),
			   (commerce.create_product_option(5, 'next', 1)).option_id IN
					(SELECT option_id FROM commerce.product_options),
			   (commerce.create_coupon_policy('next', 'fixed', 1, 1)).policy_id IN
					(SELECT policy_id FROM commerce.coupon_policies),
			   (commerce.issue_coupon(10, 3)).coupon_id > (SELECT max(coupon_id) FROM commerce.coupons)"),
		'f|f|f|f|t', "$copy: the next user, product, option, policy and coupon are new");
	is_sound($node, "$copy: sound after selling on", $copy);

	# The levels hold in the copy as well.
	my %refused = (
		clerk => "SELECT commerce.place_order(10, '$one')",
		shop => 'SELECT * FROM commerce.claim_events()',
		sender => "SELECT commerce.charge_balance(10, 1)");
	my %allowed = (
		clerk => 'SELECT commerce.get_balance(10), count(*) FROM commerce.orders',
		shop => "SELECT commerce.place_order(10, '$one')",
		sender => 'SELECT * FROM commerce.claim_events(1)');
	foreach my $role (sort keys %refused)
	{
		is(sqlstates($node, "SET ROLE $role; $allowed{$role};", dbname => $copy),
			'', "$copy: $role may do its work");
		is(sqlstates($node, "SET ROLE $role; $refused{$role};
				INSERT INTO commerce.users VALUES (99, 'x');
				UPDATE commerce.balances SET balance = 0;
				DELETE FROM commerce.events;
				TRUNCATE commerce.orders;", dbname => $copy),
			'42501 42501 42501 42501 42501', "$copy: $role may do no more");
	}
}

# The extension goes alone, and comes back empty.
my $others = q(SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
	WHERE nspname NOT IN ('commerce', 'pg_toast'));
my $objects = $node->safe_psql('plain', $others);
$node->safe_psql('plain', 'DROP EXTENSION commerce');
is($node->safe_psql('plain', $others), $objects, 'no table of another schema is gone');
is($node->safe_psql('plain', 'SELECT note FROM public.notes'), 'not ours',
	'nor a row of it');
is($node->safe_psql('plain', "SELECT to_regnamespace('commerce') IS NULL"), 't',
	'the schema went with its extension');
is($node->safe_psql('plain', "CREATE EXTENSION commerce;
		SELECT user_id FROM commerce.create_user('first')"), '1',
	'a new extension starts anew');

$node->stop;
done_testing();
