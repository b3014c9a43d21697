# The server's notification queue is full, as one listener sits in a transaction:
# orders go on, and listeners are told within a second of there being room. With
# and without the notifier.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CommerceTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $order = q(SELECT FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]'););
my $shop = q(SELECT FROM commerce.create_user('kim', 1);
	SELECT FROM commerce.charge_balance(1, 1000000);
	SELECT FROM commerce.create_product('mug', 1);
	SELECT FROM commerce.create_product_option(1, 'red', 100, 10000, 1););

foreach my $preloads (0, 1)
{
	my $with = $preloads ? 'with the notifier' : 'without one';
	my $node = PostgreSQL::Test::Cluster->new("queue$preloads");

	$node->init;
	if ($node->config_data('--version') !~ /PostgreSQL (1[7-9]|[2-9]\d)/)
	{
		plan skip_all => 'before 17, the queue of a server cannot be made small';
	}
	$node->append_conf('postgresql.conf', "max_notify_queue_pages = 64\nlog_statement = none\n");
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'commerce'\n"
			. "commerce.databases = 'postgres'\n") if $preloads;
	$node->start;
	$node->safe_psql('postgres', "CREATE EXTENSION commerce; $shop");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity
		WHERE backend_type = 'commerce notifier'") if $preloads;

	# Any role that may connect can do this.
	my $idle = $node->background_psql('postgres');
	$idle->query_safe('LISTEN anything; BEGIN; SELECT 1');
	$node->psql('postgres', "DO \$\$ BEGIN
		FOR i IN 1 .. 64 LOOP PERFORM pg_notify('x', i || repeat('x', 7980)); END LOOP;
		END \$\$") for 1 .. 2;
	is(sqlstates($node, "SELECT pg_notify('x', 'y')"), '54000', "$with: the queue is full");

	my ($stdout, $stderr);
	$node->psql('postgres', "$order $order $order", stdout => \$stdout, stderr => \$stderr);
	unlike($stderr, qr/ERROR/, "$with: orders go on");
	unlike($stderr, qr/NOTIFY queue is/, 'without a warning of the server\'s own');
	my $warned = () = $stderr =~ /WARNING/g;
	is($warned, $preloads ? 0 : 1, 'and with one of ours where it is the session that tells');

	# A sweep goes on too, and the notifier lives.
	if ($preloads)
	{
		my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity
			WHERE backend_type = 'commerce notifier'");
		$node->safe_psql('postgres', q(SELECT FROM commerce.hold_order(1, '[{"option_id": 1, "quantity": 1}]',
			ttl => '1 microsecond')));
		ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM commerce.orders
			WHERE status = 'expired'"), "$with: sweeps go on");
		is($node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity
			WHERE backend_type = 'commerce notifier'"), $pid, 'and the notifier is the same');
		sleep 3;
		my $said = () = slurp_file($node->logfile) =~ /are not notified: the server's notification queue/g;
		is($said, 1, 'it says once that nobody is notified');
	}

	# Room again: the listener has gone; nobody else looks at the queue.
	my $listener = $node->background_psql('postgres');
	$listener->query_safe('LISTEN commerce_outbox');
	$idle->quit;
	my $output = '';
	my $end = time + 60;
	my $began = time;
	while ($output !~ /"commerce_outbox"/ && time < $end)
	{
		sleep 0.05;
		# Without a notifier it is the next order that finds the room.
		$node->safe_psql('postgres', $order) if !$preloads;
		$output .= $listener->query_safe('SELECT 1');
	}
	like($output, qr/"commerce_outbox"/, "$with: listeners are told when there is room");
	note(sprintf('after %.2f s', time - $began));
	$listener->quit;
	is_sound($node, 'nothing was lost');
	log_is_clean($node, 'no process crashed');
	$node->stop;
}

done_testing();
