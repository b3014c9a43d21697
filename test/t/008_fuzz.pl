# Thousands of calls with odd arguments. Every one succeeds or raises an error of
# a kind that a user can cause; none is an internal error or ends the backend.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;

srand(21);
my $calls = 6000;
my $node = new_server('fuzz',
	conf => [ 'commerce.max_charge_amount = 9223372036854775807' ]);

$node->safe_psql('postgres', q(
	SELECT commerce.create_user('buyer', id), commerce.charge_balance(id, 100000)
	FROM generate_series(1, 3) AS id;
	SELECT commerce.create_product('shirt', 1), commerce.create_product('hat', 2);
	SELECT commerce.create_product_option(1, 'red', 100, 20, 1),
		commerce.create_product_option(1, 'dear', 9223372036854775807, 1000, 2),
		commerce.create_product_option(2, 'free', 0, 9223372036854775807, 3);
	SELECT commerce.create_coupon_policy('fixed', 'fixed', 10, 1000, per_user_limit => 1000, policy_id => 1),
		commerce.create_coupon_policy('percent', 'percent', 33, 9223372036854775807,
			per_user_limit => 2147483647, policy_id => 2);));

sub any { return $_[ rand @_ ]; }

my @number = (qw(1 1 1 2 2 3), 0, -1, 10, 1_000_000_000, 1_000_000_001, 2147483647,
	2147483648, '9223372036854775807', "'-9223372036854775808'", 'NULL');
my @json_value = (qw(1 1 2 2 3 1.0 1e2 0.5 -1 -0 0 1e400 1e-400 9223372036854775807
	9223372036854775808 1000000000 1000000001 null true "1" "" [] {} [1]), '{"option_id": 1}');
my @json_key = (qw(option_id option_id option_id quantity quantity quantity Option_id
	price), '', 'ⓧ');
my @interval = (qw('0' '1s' '-1s' '1us' NULL), map { "'$_'" }
	'178000000 years', '-178000000 years', '1 mon -30 days', '1 day 1 year', '7 days');

sub object
{
	return '{' . join(', ', map { '"' . any(@json_key) . '": ' . any(@json_value) } 1 .. rand 4) . '}';
}

sub line { return sprintf '{"option_id": %s, "quantity": %s}', map { any(1, 2, 3, 1, 2, 3, any(@json_value)) } 1, 2; }

# Mostly something like items, now and then anything.
sub odd_items
{
	my $kind = int rand 14;
	return 'NULL' if $kind == 0;
	return "'" . any(@json_value, object()) . "'" if $kind == 1;
	return "'[" . join(', ', map { object() } 1 .. rand 4) . "]'" if $kind == 2;
	return "'" . ('[' x 300) . (']' x 300) . "'" if $kind == 3;
	return "(SELECT jsonb_agg(jsonb_build_object('option_id', 1 + i % 3, 'quantity', 1)) FROM generate_series(1, "
	  . any(999, 1000, 1001, 5000) . ") AS i)" if $kind == 4;
	return "'[" . join(', ', map { line() } 1 .. 1 + rand 5) . "]'";
}

# place_orders' argument: requests with any values in them, now and then anything.
sub odd_requests
{
	return odd_items() if rand() < 0.2;
	return "'[" . join(', ', map {
		my %value = (user_id => any(1, 2, 3, @json_value), coupon_id => any('null', @json_value),
			idempotency_key => any('null', '"a"', '"b"', '""', @json_value),
			items => '[' . join(', ', map { line() } 1 .. 1 + rand 3) . ']');
		my @keys = grep { rand() < 0.9 } sort keys %value;
		'{' . join(', ', map { qq("$_": $value{$_}) } @keys) . '}';
	} 1 .. rand 5) . "]'";
}

my %any = (
	id => sub { return any(@number) },
	types => sub { return any("'{order.paid}'", "'{order.paid,order.refunded}'", "'{}'", "'{NULL}'", "'{{order.paid},{x}}'", 'NULL') },
	subscription => sub { return any("'default'", "'default'", "'audit'", "''", "'Audit'", 'NULL', "repeat('a', 64)", "repeat('글', 300)") },
	order => sub { return any(1 .. 30, any(@number)) },
	coupon => sub { return any('NULL', 'NULL', 'NULL', any(@number)) },
	total => sub { return any(('NULL') x 9, any(@number)) },
	integer => sub { return any(grep { !/\d{10}/ } @number) },
	text => sub { return any("'x'", "'x'", "''", 'NULL', "repeat('x', 200)", "repeat('ⓧ', 201)",
		"repeat('x', 100000)", "E'\\x01'", "'%s%n%d'") },
	key => sub { return any('NULL', 'NULL', "'a'", "'b'", "''", "repeat('k', 255)", "repeat('k', 256)") },
	type => sub { return any("'fixed'", "'percent'", "'Percent'", "''", 'NULL') },
	time => sub { return any("'infinity'", "'-infinity'", 'now()', 'NULL', "'294276-12-31'",
		"'4714-11-24 BC'") },
	interval => sub { return any(@interval) },
	boolean => sub { return any('true', 'false', 'NULL') },
	level => sub { return any("'app'", "'reader'", "'root'", "''", 'NULL') },
	role => sub { return any("'pg_read_all_data'", '0', '4294967295', 'NULL') . '::regrole' },
	ids => sub { return any("'{1,2,3}'", "'{1}'", "'{}'", "'{NULL,1}'", "'{{1,2},{3,4}}'",
		"'[5:6]={1,2}'", "'{1,1,1}'", 'NULL', "array_fill(1, ARRAY[1000])") },
	items => \&odd_items,
	requests => \&odd_requests);

my %arguments = (
	create_user => [qw(text id)],
	set_user_name => [qw(id text)],
	erase_user => [qw(id)],
	create_product => [qw(text id)],
	create_product_option => [qw(id text id id id)],
	set_price => [qw(id id)],
	spread_stock => [qw(id integer)],
	spread_coupon_quota => [qw(id integer)],
	update_coupon_policy => [qw(id text id integer time time time)],
	issue_coupons => [qw(id ids)],
	advance_sequences => [qw(integer)],
	additions => [qw(text)],
	adjust_stock => [qw(id id text key)],
	create_coupon_policy => [qw(text type id id time time id id integer interval time boolean id)],
	close_coupon_policy => [qw(id)],
	revoke_coupon => [qw(id)],
	charge_balance => [qw(id id key)],
	use_balance => [qw(id id key)],
	get_balance => [qw(id)],
	issue_coupon => [qw(id id key)],
	use_coupon => [qw(id id id key)],
	place_order => [qw(id items coupon key total)],
	place_orders => [qw(requests)],
	quote_order => [qw(id items coupon)],
	hold_order => [qw(id items coupon interval key total)],
	pay_order => [qw(order)],
	cancel_order => [qw(order text boolean)],
	refund_order => [qw(order items key boolean)],
	expire_orders => [qw(integer)],
	get_order => [qw(order)],
	purge_idempotency_keys => [qw(interval)],
	claim_events => [qw(integer interval subscription)],
	create_subscription => [qw(subscription types time)],
	drop_subscription => [qw(subscription)],
	pause_subscription => [qw(subscription time text)],
	resume_subscription => [qw(subscription)],
	ack_events => [qw(ids ids subscription)],
	release_events => [qw(ids ids interval subscription)],
	fail_event => [qw(id integer text interval subscription)],
	retry_event => [qw(id subscription)],
	retry_events => [qw(subscription)],
	discard_event => [qw(id subscription)],
	purge_events => [qw(interval)],
	grant_access => [qw(role level)],
	revoke_access => [qw(role)]);
# Orders are where most can go wrong.
my @functions = (sort(keys %arguments), ('place_order') x 12, ('place_orders') x 8, ('hold_order') x 8,
	('refund_order') x 20, ('quote_order') x 4, ('issue_coupon') x 4);

my @statements;
foreach (1 .. $calls)
{
	my $function = any(@functions);
	my $call = "commerce.$function(" . join(', ', map { $any{$_}->() } @{ $arguments{$function} }) . ')';
	push @statements, any("SELECT $call;", "SELECT * FROM $call;", "SELECT * FROM $call LIMIT 1;",
		"SELECT $call FROM generate_series(1, 2);", "BEGIN; SELECT $call; ROLLBACK;",
		"SET TimeZone = 'Asia/Seoul'; SET search_path = pg_catalog; SELECT $call;");
}
my $file = PostgreSQL::Test::Utils::tempdir() . '/fuzz.sql';
append_to_file($file, join("\n", @statements, "SELECT 'the end';"));

my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my ($stdout, $stderr) = run_command([ 'psql', '-X', '-A', '-t', '-v', 'VERBOSITY=sqlstate',
	'-f', $file, '-d', $node->connstr('postgres') ]);
like($stdout, qr/the end$/, 'one session survived all calls');

my (%seen, @wrong);
while ($stderr =~ /:(\d+): (?:ERROR|FATAL|PANIC):\s+(\w+)/g)
{
	my ($line, $code) = ($1, $2);
	$seen{$code}++;
	push @wrong, "$code: $statements[$line - 1]" unless $code =~ /^(?:SC|22|54)|^23505$/;
}
is(join("\n", @wrong[0 .. ($#wrong > 9 ? 9 : $#wrong)]), '', 'no call raised anything but an error of its caller');
note join ' ', map { "$_: $seen{$_}" } sort keys %seen;

# The calls were odd, not all alike.
ok($seen{$_}, "$_ was met") foreach qw(22004 22023 23505 SC001 SC003 SC004 SC101 SC103 SC301 SC302
	SC303 SC304);
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM commerce.orders'), '>', 20,
	'many orders were placed');
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started,
	'the server is the same');
is_sound($node, 'no invariant is violated');
log_is_clean($node, 'no crash, no internal error');

$node->stop;
done_testing();
