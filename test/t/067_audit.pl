# pgAudit, set as doc/operation.md says: a call is in the log once, with its role and
# parameters, also a refused one; what it writes is not, but for three functions; what
# anybody changes past the functions is.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CommerceTest;
use Documents;
use Processes;

my $sharedir = qx($ENV{PG_CONFIG} --sharedir) =~ s/\n//r;
plan skip_all => 'pgAudit is not there' unless -e "$sharedir/extension/pgaudit.control";

my ($section) = document('doc/operation.md') =~ /^## Audit\n(.*?)^## /ms;
my %block = map { @$_ } blocks($section);

my $node = new_server('audit', empty => 1,
	conf => [ split(/\n/, $block{text}), "commerce.databases = 'shop'" ]);
$node->safe_psql('postgres', 'CREATE ROLE shop_app LOGIN; CREATE DATABASE shop');
$node->safe_psql('shop', "CREATE EXTENSION commerce; SELECT commerce.grant_access('shop_app', 'app'); $block{sql}");
$node->safe_psql('shop', q(
	SELECT FROM commerce.create_user('kim', 1);
	SELECT FROM commerce.charge_balance(1, 1000);
	SELECT FROM commerce.create_product('mug', 1);
	SELECT FROM commerce.create_product_option(1, 'red', 100, 5, 1);));

# What is logged while it runs: [role@database, kind, class, command, object, rest,
# number of the statement] each.
sub logged
{
	my ($code) = @_;
	my $before = -s $node->logfile;

	$code->();
	return map { /^\S+ \S+ \S+ \[\d+\] (\S*) LOG:  AUDIT: (\w+),(\d+),\d+,(\w+),([^,]*),[^,]*,([^,]*),(.*)/;
			[ $1, $2, $4, $5, $6, $7, $3 ] }
		grep { /AUDIT: / } split /\n/, substr(slurp_file($node->logfile), $before);
}

sub run_sql
{
	my ($sql) = @_;
	return logged(sub { $node->psql('shop', $sql, on_error_stop => 0, stderr => \my $stderr) });
}

# ---- calls ----

# With bound parameters, as a driver sends it.
sub call
{
	my ($quantity) = @_;
	my $script = write_file(qq(\\set quantity $quantity
SELECT order_id FROM commerce.place_order(1, jsonb_build_array(jsonb_build_object('option_id', 1, 'quantity', :quantity::bigint)));
), 0644);
	return logged(sub {
		IPC::Run::run([ 'pgbench', '-n', '-t1', '-M', 'extended', '-f', $script, '-U', 'shop_app', '-h', $node->host,
				'-p', $node->port, 'shop' ], '>', \my $stdout, '2>', \my $stderr);
	});
}

my @lines = call(2);
is(scalar @lines, 1, 'a call is one line');
is(join(' ', @{ $lines[0] }[ 0 .. 3 ]), 'shop_app@shop SESSION READ SELECT', 'of its role');
like($lines[0][5], qr/commerce\.place_order\(1, .*\$1.*,2$/, 'with what was asked, and its parameters');
is($node->safe_psql('shop', 'SELECT balance, placed_by FROM commerce.balances, commerce.orders'), '800|shop_app',
	'what was done, and by whom, is in the tables');

@lines = call(100);
is(scalar @lines, 1, 'a refused call is in the log');
is($node->safe_psql('shop', 'SELECT count(*) FROM commerce.orders'), 1, 'though nothing was done');

# ---- past the functions ----

@lines = run_sql('UPDATE commerce.balances SET balance = balance + 1; UPDATE commerce.balances SET balance = balance - 1');
is(join(', ', map { "@$_[0 .. 4]" } grep { $_->[1] eq 'OBJECT' } @lines),
	join(', ', ('postgres@shop OBJECT WRITE UPDATE commerce.balances') x 2), 'a superuser who changes a table is logged');
@lines = run_sql(q(BEGIN; DELETE FROM commerce.orders; TRUNCATE commerce.coupons; ROLLBACK));
is(join(', ', map { "@$_[1, 3]" } @lines), 'SESSION DELETE, OBJECT DELETE, SESSION TRUNCATE TABLE', 'also if that is rolled back');
@lines = run_sql('ALTER TABLE commerce.orders ADD COLUMN note text; GRANT SELECT ON commerce.users TO shop_app');
is(join(' ', map { $_->[2] } @lines), 'DDL ROLE', 'so is who alters one, or grants rights');
is(scalar run_sql('SET pgaudit.role = $$$$; SET pgaudit.log = none; UPDATE commerce.balances SET balance = balance'), 0,
	'but a superuser can turn it off');
cmp_ok($node->safe_psql('shop', q(SELECT count(*) FROM commerce.foreign_rights() WHERE grantee = 'auditor')), '>', 50,
	q(the auditor's rights are foreign ones));

# ---- every function ----

my @calls = slurp_file("$FindBin::RealBin/../day.psql") =~ /\$x\$([a-z_]+\(.*?\))\$x\$/g;
push @calls, 'erase_user(1)', 'advance_sequences()', q(place_orders('[]')), q(set_user_name(1, 'lee')), 'expire_orders()',
	q(create_subscription('other')), q(drop_subscription('other'));
@lines = run_sql('SET pgaudit.log = read;' . join '', map { "SELECT FROM commerce.$_;\n" } @calls);
my (%called, %writes);
foreach my $line (@lines)
{
	my ($kind, $class, $text, $number) = @$line[ 1, 2, 5, 6 ];
	$called{$number} //= $1 if $kind eq 'SESSION' && $text =~ /^"?SELECT FROM commerce\.(\w+)\(/;
	$writes{ $called{$number} // $number } = 1 if $kind eq 'OBJECT' && $class eq 'WRITE';
}
cmp_ok(scalar keys %called, '>=', 30, 'many calls are logged');
is(join(' ', sort keys %writes), 'erase_user purge_events purge_idempotency_keys', 'three functions write by statements');

# ---- the notifier ----

my ($hold) = map { "SELECT FROM commerce.hold_order(1, '$_', NULL, '1 microsecond')" } items([ 1, 1 ]);
@lines = logged(sub {
	$node->safe_psql('shop', $hold);
	$node->poll_query_until('shop', q(SELECT count(*) = 0 FROM commerce.orders WHERE status = 'pending' AND expires_at < now())) or die;
});
is(scalar @lines, 0, 'the notifier fills no log');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
