# A shop goes from PostgreSQL 15 to 17 and on to 18, by the commands of doc/operation.md.
# All that it holds comes along, with what a DBA added, granted and set. It sells on,
# and every event is delivered once, in its order's order, whichever server wrote it.
#
# test/major_upgrade.sh runs it, in a root with the three servers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../t";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Catalogue;
use CommerceTest;
use Documents;
use Processes;

my @versions = (15, 17, 18);
my $main = '/var/lib/postgresql';
my $one = items([ 1, 1 ]);
my %node = map { ($_ => PostgreSQL::Test::Cluster->new("v$_", install_path => "/usr/lib/postgresql/$_")) } @versions;
my $running;
chdir $main or die $!;
delete @ENV{ grep { /^PG/ } keys %ENV };
$ENV{PGDATABASE} = 'postgres'; # for which pg_upgrade does not ask

# ---- the document's commands ----

my ($section) = document('doc/operation.md') =~ /^## A newer PostgreSQL\n(.*?)^### /ms;
my @commands = map { split /\n/, $_->[1] =~ s/\\\n\s*//gr } grep { $_->[0] eq 'console' } blocks($section);
my @messages = map { $_->[1] =~ s/\n$//r } grep { $_->[0] eq 'text' } blocks($section);
is(@commands, 8, 'the document has the commands');

# The one that begins so, for other versions: true if it succeeds. Its output is in $output.
my $output;
sub typed
{
	my ($pattern, $old, $new, $more) = @_;
	my @found = grep { /$pattern/ } @commands;
	my $command = $found[0] // die "there is no $pattern";

	$command =~ s,(/postgresql/)(15|17)\b,$1 . ($2 == 15 ? $old : $new),ge;
	local %ENV = (%ENV, PGHOST => $node{$running // $old}->host, PGPORT => $node{$running // $old}->port);
	note($command);
	$output = `exec 2>&1 </dev/null; $command @{[ $more // '' ]}`;
	return $? == 0;
}

sub runs
{
	my ($name, @args) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return ok(typed(@args), $name) || diag($output);
}

# Says in postgresql.conf of that version; the last line counts.
sub configure
{
	my ($version, @lines) = @_;

	append_to_file("$main/$version/main/postgresql.conf", "$_\n") foreach @lines;
	return;
}

sub make_server
{
	my ($old, $version, $more) = @_;
	my $node = $node{$version};

	mkdir "$main/$version";
	runs("$version is made", '/initdb ', $old, $version, $more) or die;
	configure($version, 'listen_addresses = \'\'', 'port = ' . $node->port, "unix_socket_directories = '@{[ $node->host ]}'",
		"shared_preload_libraries = 'commerce'", 'max_prepared_transactions = 5', 'fsync = off');
	return;
}

sub start_server
{
	my ($old, $version) = @_;

	$running = undef;
	runs("$version starts", '/pg_ctl .* start$', $old, $version) or die;
	$running = $version;
	return;
}

sub shop { return $node{$running}->safe_psql('shop', @_) }

# Everything that the shop is.
sub everything
{
	return {
		rows => [ split /\n/, shop(q(SELECT relname, query_to_xml(format('SELECT %s FROM commerce.%I t ORDER BY 1',
				CASE relkind WHEN 'S' THEN 'last_value, is_called' ELSE 't::text COLLATE "C"' END, relname), true, true, ''),
				count(*) OVER () > 20
			FROM pg_class WHERE relnamespace = 'commerce'::regnamespace AND relkind IN ('r', 'S') ORDER BY relname)) ],
		tickets => shop('SELECT last_value FROM public.ticket_seq'),
		additions => shop('SELECT commerce.additions()'),
		rights => shop('SELECT * FROM commerce.foreign_rights()'),
		parameter => shop(q(SELECT has_parameter_privilege('auditor', 'commerce.max_charge_amount', 'SET'))),
		settings => $node{$running}->safe_psql('shop', q(SELECT current_setting('commerce.' || s)
			FROM unnest('{max_charge_amount, max_order_lines, actor}'::text[]) s), extra_params => [ '-U', 'web' ]) };
}

sub upgrade
{
	my ($old, $new) = @_;
	my $before = everything();
	my $origin = shop('SELECT commerce.event_origin()');

	# Both would notify and sweep, if they could.
	configure($_, "commerce.databases = 'shop'") foreach $old, $new;
	runs("$old stops", '/pg_ctl .* stop$', $old, $new) or die;
	$running = undef;
	runs("$old becomes $new", '/pg_upgrade -b', $old, $new) or die;
	configure($_, "commerce.databases = ''") foreach $old, $new;
	foreach my $version ($old, $new)
	{
		start_server($old, $version);
		is_deeply(everything(), $before, "$version has all that there was");
		runs('the old one stops again', '/pg_ctl .* stop$', $old, $new) if $version eq $old;
	}

	is(shop(q(SELECT coalesce(sum(value), 0) FROM commerce.metrics()
		WHERE name = 'commerce_calls_total' AND labels->>'function' = 'place_order')), 0, 'but for what metrics() counted');
	my $statistics = q(SELECT count(*) > 0 FROM pg_stats WHERE schemaname = 'commerce');
	is(shop($statistics), $new < 18 ? 'f' : 't', 'and for statistics, before 18');
	runs('statistics are gathered', '/vacuumdb', $old, $new);
	is(shop($statistics), 't', 'and there');
	runs('the shop is looked at', 'verify', $old, $new);
	like($output, qr/^\(0 rows\)$/m, 'and is sound');
	isnt(shop('SELECT commerce.event_origin()'), $origin, 'it is another origin');
	$node{$running}->safe_psql('postgres', 'CREATE DATABASE fresh');
	$node{$running}->safe_psql('fresh', 'CREATE EXTENSION commerce');
	my $added = qr/^right |^relation commerce.orders:|\b(?:note|gone|thousands|ticket|badge|badge_once|look|own_rows|by_note|not_too_rich)\b/;
	same_catalogue([ grep { !/$added/ } @{ catalogue($node{$running}, 'shop') } ],
		[ grep { !/$added/ } @{ catalogue($node{$running}, 'fresh') } ], 'but for what was added, the extension is one made anew');
	$node{$running}->safe_psql('postgres', 'DROP DATABASE fresh');
	sells_on();
	return;
}

sub sells_on
{
	my $node = $node{$running};
	my $order = "SELECT FROM commerce.place_order(1, '$one')";

	is(shop("SELECT order_id FROM commerce.place_order(1, '$one', 1, 'key')"), 1, 'a key still stands for its order');
	is(shop("SELECT order_id > (SELECT max(order_id) FROM commerce.orders), note, thousands > 0
		FROM commerce.place_order(1, '$one')"), 't|NONE|t', 'a new order has an id of its own, and what was added');
	is(shop('SELECT order_id FROM commerce.events ORDER BY event_id DESC LIMIT 1'), shop('SELECT max(order_id) FROM commerce.orders'),
		'so has its event');
	is(sqlstates($node, "SET ROLE web; $order; SELECT commerce.claim_events(1); TABLE commerce.stock_slots", dbname => 'shop'),
		'42501 42501', 'level app may order, and no more');
	is(sqlstates($node, "SET ROLE clerk; TABLE commerce.orders; $order", dbname => 'shop'), '42501', 'level reader may not');
	is(sqlstates($node, 'SET ROLE sender; BEGIN; SELECT commerce.claim_events(1); ROLLBACK; SELECT commerce.charge_balance(1, 1)',
		dbname => 'shop'), '42501', 'level relay may claim');
	is(sqlstates($node, 'SET ROLE auditor; TABLE commerce.stock_slots; SELECT order_id, total FROM commerce.orders;
		TABLE commerce.orders', dbname => 'shop'), '42501', 'what was given by hand is');
	is(sqlstates($node, 'UPDATE commerce.users SET badge = 1; UPDATE commerce.balances SET balance = 1000000', dbname => 'shop'),
		'23505 23514', 'constraints hold');

	configure($running, "commerce.databases = 'shop'");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	$node->poll_query_until('shop', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'commerce notifier'));
	my $notifier = shop(q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'commerce notifier'));
	my (undef, @pids) = told_by($node, 'shop', $order, $notifier);
	is("@pids", $notifier, 'the notifier notifies');
	ok($node->poll_query_until('shop', q(SELECT count(*) = 0 FROM commerce.orders
		WHERE status = 'pending' AND expires_at < now())),
		'and sweeps');
	return;
}

# ---- events ----

my %out; # by subscription and event: the attempt that was claimed
my %told; # by subscription: the events that were delivered, in their order

sub claim
{
	my ($subscription, $limit, $lease) = (@_, '1 hour');
	my @claimed = split /\n/, shop("SELECT event_id, attempt, event_type, order_id
		FROM commerce.claim_events($limit, '$lease', '$subscription') ORDER BY event_id");

	foreach (@claimed)
	{
		my ($event_id, $attempt, $type, $order_id) = split /\|/;
		push @{ $out{$subscription} }, [ $event_id, $attempt, $order_id ];
	}
	return join ', ', map { join ' ', (split /\|/)[ 2, 3, 1 ] } @claimed;
}

# Acknowledges so many that were claimed last, or all.
sub ack
{
	my ($subscription, $count) = @_;
	my @acked = splice @{ $out{$subscription} }, defined $count ? -$count : 0;
	my ($events, $attempts) = map { my $i = $_; join ',', map { $_->[$i] } @acked } 0, 1;

	push @{ $told{$subscription} }, @acked;
	is(shop("SELECT commerce.ack_events('{$events}', '{$attempts}', '$subscription')"), scalar @acked,
		"$subscription: " . @acked . ' are acknowledged');
	return;
}

# A failure, after which the last but one, two and so on is not out any more.
sub give_up
{
	my ($order_id) = @_;
	my ($claimed) = grep { $_->[2] == $order_id } @{ $out{default} };

	shop("SELECT FROM commerce.fail_event($claimed->[0], $claimed->[1], 'broken', '1 hour')");
	$out{default} = [ grep { $_ != $claimed } @{ $out{default} } ];
	return;
}

# Events that were delivered after a later one of their order.
sub out_of_order
{
	my ($subscription) = @_;
	my (%last, @wrong);

	foreach (@{ $told{$subscription} })
	{
		my ($event_id, undef, $order_id) = @$_;
		push @wrong, $event_id if ($last{$order_id} // 0) > $event_id;
		$last{$order_id} = $event_id;
	}
	return "@wrong";
}

sub place { return shop("SELECT order_id FROM commerce.place_order(1, '$one')") }

# ---- the shop ----

make_server(15, 15);
configure(15, "commerce.databases = ''"); # nobody sweeps, nobody notifies
start_server(15, 15);
$node{15}->safe_psql('postgres', 'CREATE DATABASE shop');
shop(slurp_file("$FindBin::RealBin/shop.sql"));

# One order is written by a transaction that others overtake.
my $session = $node{15}->background_psql('shop');
my $late = $session->query_safe("BEGIN; SELECT order_id FROM commerce.place_order(2, '" . items([ 2, 1 ]) . "')");
foreach my $subscription ('default', 'books')
{
	claim($subscription, 1000);
	ack($subscription);
}

# Orders whose events are leased, failed, dead, leased no more, and not looked at.
my ($leased, $failed, $dead, $lapsed, $cancelled, $untouched) = map { place() } 1 .. 6;
is(claim('default', 3), "order.paid $leased 1, order.paid $failed 1, order.paid $dead 1", 'three are claimed');
give_up($failed);
shop("UPDATE commerce.stored_deliveries SET failures = 9 WHERE order_id = $dead");
give_up($dead);
is(shop("SELECT status FROM commerce.deliveries WHERE order_id = $dead AND subscription = 'default'"), 'dead', 'one is dead');
is(claim('default', 1, '1 microsecond'), "order.paid $lapsed 1", 'and one for a moment');
pop @{ $out{default} };
is(claim('books', 2), "order.paid $leased 1, order.paid $failed 1", 'two are claimed for the books');
shop("SELECT FROM commerce.cancel_order($_)") foreach $leased, $cancelled;
$session->query_safe('COMMIT');
$session->quit;
my ($held, $overdue) = map { shop("SELECT order_id FROM commerce.hold_order(1, '$one', ttl => '$_')") } '1 day', '1 microsecond';
shop("SET commerce.notify = off; BEGIN; SELECT FROM commerce.place_order(1, '$one'); PREPARE TRANSACTION 'order 77'");
shop('ANALYZE');

# ---- what stands in the way ----

make_server(15, 17);
ok(!typed('--check', 15, 17), 'with a prepared transaction there is no upgrade');
like($output, qr/^The source cluster contains prepared transactions$/m, 'it says so');
runs('that is committed', 'COMMIT PREPARED', 15, 17);
my $library = '/usr/lib/postgresql/17/lib/commerce.so';
rename $library, "$library.away" or die $!;
END { rename "$library.away", $library if $library && -e "$library.away" }
foreach my $way ([ 'preloaded', "'commerce'", 'pg_upgrade_server.log' ], [ 'not preloaded', "''", 'loadable_libraries.txt' ])
{
	my ($name, $value, $file) = @$way;

	configure(17, "shared_preload_libraries = $value");
	ok(!typed('--check', 15, 17), "nor without the library, $name");
	my ($path) = $output =~ m{(/\S*/$file)};
	like(slurp_file($path), qr/\Q$messages[$value eq "''"]\E$/m, "$file says so");
}
configure(17, "shared_preload_libraries = 'commerce'");
rename "$library.away", $library or die $!;
runs('now it can be done', '--check', 15, 17);

# ---- from 15 to 17 ----

upgrade(15, 17);
is(claim('idle', 100), '', 'a pause is still one');
is(shop("SELECT status FROM commerce.orders WHERE order_id IN ($held, $overdue) ORDER BY 1"), "pending\nexpired",
	'what was overdue has expired');
my $at_17 = place();
my @at_17 = split /\n/, shop("SELECT order_id FROM commerce.orders WHERE order_id > $overdue ORDER BY 1");
shop("SELECT FROM commerce.cancel_order($untouched)");
is(claim('default', 100), join(', ', 'order.refunded 5 1', map { "order.paid $_" } "$late 1", "$lapsed 2", "$cancelled 1", "$untouched 1",
	map { "$_ 1" } @at_17), 'what was not claimed, or is leased no more, is claimed');
ack('default', 5 + @at_17);
is(claim('default', 100), "order.cancelled $cancelled 1, order.cancelled $untouched 1",
	'then what followed it, on whichever server');
claim('books', 3);
ack('books', 2);

# ---- from 17 to 18 ----

make_server(17, 18, '--no-data-checksums');
upgrade(17, 18);
my @at_18 = split /\n/, shop("SELECT order_id FROM commerce.orders WHERE order_id > $at_17 ORDER BY 1");
shop("SELECT FROM commerce.cancel_order($at_17); SELECT FROM commerce.pay_order($held)");
is(claim('default', 100), join(', ', map({ "order.paid $_ 1" } @at_18), "order.cancelled $at_17 1", "order.paid $held 1"),
	'what 18 writes is claimed');
ack('default'); # also what was claimed on 15 and on 17
is(claim('default', 100), "order.cancelled $leased 1", 'and what waited for what was leased all the time');
is(shop('SELECT commerce.retry_events()'), 2, 'what failed, and what is dead, may be tried again');
is(claim('default', 100), "order.paid $failed 2, order.paid $dead 2", 'and is');
shop("SELECT FROM commerce.resume_subscription('idle')");
foreach my $subscription ('default', 'books', 'idle')
{
	do { ack($subscription) } while (claim($subscription, 1000) ne '');

	my @events = map { $_->[0] } @{ $told{$subscription} };
	my %wanted = map { $_ => 1 } split /\n/, shop("SELECT event_id FROM commerce.events"
		. ($subscription eq 'books' ? q( WHERE event_type = 'order.paid') : ''));
	is_deeply([ sort @events ], [ sort keys %wanted ], "$subscription: every event was delivered, once");
	is(out_of_order($subscription), '', "$subscription: in the order of each order");
	is(shop("SELECT DISTINCT status FROM commerce.deliveries WHERE subscription = '$subscription'"), 'delivered',
		"$subscription: nothing is left");
}

runs('18 stops', '/pg_ctl .* stop$', 18, 18);
unlike(join('', map { slurp_file("$main/$_/log") } @versions), qr/terminated by signal|PANIC:|TRAP:|XX\d\d\d/,
	'no process crashed');
done_testing();
