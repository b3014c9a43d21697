# A router answers as a node does: the same functions with the same arguments and results,
# the same refusals word for word, and 25001 in a transaction block.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use RouterTest;

my ($router, @nodes) = new_cluster('node', 2);

# ---- the declarations ----

my $declarations = q(
	SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)
	FROM pg_proc p
	WHERE p.pronamespace = 'commerce'::regnamespace
	  AND p.proname NOT IN ('verify', 'access_rights', 'grant_access', 'revoke_access')
	ORDER BY 1);
my %at_node = map { /^(\w+)/ ? ($1 => $_) : () } split /\n/, $nodes[0]->safe_psql('postgres', $declarations);
my %at_router = map { /^(\w+)/ ? ($1 => $_) : () } split /\n/, $router->safe_psql('postgres', $declarations);
is_deeply(\%at_router, { map { $_ => $at_node{$_} } keys %at_router }, 'what a router has is declared as at a node');
is(join(' ', grep { !$at_router{$_} && $at_node{"try_$_"} } sort keys %at_node), 'add_coupon_quota', 'and it has all that a node lets it forward');
my $columns = q(
	SELECT c.relname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	WHERE c.relnamespace = 'commerce'::regnamespace AND c.relkind IN ('r', 'v', 'c') GROUP BY 1 ORDER BY 1);
my %of_node = map { /^(\w+)\|(.*)/ } split /\n/, $nodes[0]->safe_psql('postgres', $columns);
my %of_router = map { /^(\w+)\|(.*)/ } split /\n/, $router->safe_psql('postgres', $columns);
is_deeply(\%of_router, { map { $_ => $of_node{$_} } keys %of_router }, 'rows have the same columns');

# ---- the answers: the same calls at a router, and at a shop on one server ----

my $shop = new_server('shop');
my @set_up = split /;\n/, q(
	SELECT name FROM commerce.create_user('Kim', 1);
	SELECT name FROM commerce.create_user('Lee', 2);
	SELECT name FROM commerce.create_product('shirt', 1);
	SELECT name, price FROM commerce.create_product_option(1, 'red', 1000, 10, 11);
	SELECT name, price FROM commerce.create_product_option(1, 'blue', 500, 3, 12);
	SELECT balance_after FROM commerce.charge_balance(1, 100000, 'c');
	SELECT name FROM commerce.create_coupon_policy('over', 'fixed', 1, 9, issue_from => '2020-01-01', issue_until => '2020-01-02', policy_id => 1);
	SELECT name FROM commerce.create_coupon_policy('soon', 'fixed', 1, 9, issue_from => 'tomorrow', policy_id => 2);
	SELECT name FROM commerce.create_coupon_policy('big', 'fixed', 1, 1, min_order_amount => 5000, policy_id => 3);
	SELECT name FROM commerce.create_coupon_policy('many', 'fixed', 1, 9, per_user_limit => 9, policy_id => 5);
	SELECT policy_id, status FROM commerce.issue_coupon(1, 3);
	SELECT status, total FROM commerce.place_order(1, '[{"option_id": 11, "quantity": 2}]', idempotency_key => 'k');
	SELECT status FROM commerce.hold_order(1, '[{"option_id": 11, "quantity": 1}]', ttl => '1 microsecond'));
my @calls = (q(set_user_name(9, 'x')), q(create_product_option(9, 'x', 1)), q(set_price(9, 1)), q(set_price(11, -1)),
	q(close_coupon_policy(9)), q(charge_balance(1, 0)), q(use_balance(9, 1)), q(use_balance(2, 1)), q(get_balance(9)),
	q(charge_balance(1, 5, 'c')), q(issue_coupon(1, 2)), q(issue_coupon(1, 1)), q(issue_coupon(2, 3)), q(issue_coupon(1, 3)),
	q(issue_coupon(9, 3)), q(use_coupon(1, 999, 100)), q(issue_coupons(9, '{1}')), q(issue_coupons(5, NULL)),
	q(place_order(1, '[{"option_id": 11, "quantity": 99}]', idempotency_key => 'n')),
	q(place_order(1, '[{"option_id": 12, "quantity": 9}, {"option_id": 11, "quantity": 1}, {"option_id": 11, "quantity": 50}]')),
	q(hold_order(1, '[{"option_id": 11, "quantity": 99}]')), q(place_order(1, '[]')), q(place_order(1, '{')),
	q(quote_order(1, '[{"option_id": 9, "quantity": 99}]')), q(pay_order(9)), q(get_order(9)), q(revoke_coupon(9)),
	q(place_order(1, '[{"option_id": 11, "quantity": 1}]', expected_total => 1)),
	q(place_order(1, '[{"option_id": 11, "quantity": 1}]', idempotency_key => 'k')),
	q(place_order(NULL, '[]')), q(place_order(1, NULL)), q(create_user('Kim', 1)), q(create_user('')), q(create_user('x', 0)),
	q(place_orders('{}')), q(place_orders('[1]')), q(place_orders(NULL)), q(place_orders('[{"a": 1}]')),
	q(spread_stock(11, 0)), q(spread_stock(9, 1)), q(expire_orders(0)), q(expire_orders(NULL)),
	q(adjust_stock(11, -99)), q(adjust_stock(9, 1)), q(adjust_stock(11, 9223372036854775807)), q(popular_products(0)),
	q(popular_products(NULL)), q(purge_idempotency_keys('-1 day')), q(erase_user(9)), q(update_coupon_policy(9)),
	q(update_coupon_policy(3, quantity => 0)), q(update_coupon_policy(3, quantity => -1)), q(cancel_order(9)), q(refund_order(9, '[]')));

# What it prints, and what it raises: SQLSTATE, message, DETAIL and HINT.
sub answer
{
	my ($node, $sql) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return "$stdout\n" . join "\n", $stderr =~ /^(?:psql:[^:]*:\d+: )?(ERROR:.*|DETAIL:.*|HINT:.*)$/mg;
}
foreach my $statement (@set_up)
{
	is(answer($router, $statement), answer($shop, $statement), $statement =~ s/\s+/ /gr);
}
my %refused;
foreach my $call (@calls)
{
	my $expected = answer($shop, "SELECT commerce.$call");

	is(answer($router, "SELECT commerce.$call"), $expected, $call);
	$refused{$1} = 1 if $expected =~ /ERROR:  (SC\d+)/;
}
cmp_ok(scalar keys %refused, '>', 15, 'many refusals were met: ' . join ' ', sort keys %refused);

# Of an order its id leads to it; ids differ.
foreach my $call (q(pay_order(%s)), q(cancel_order(%s)), q(refund_order(%s, '[{"option_id": 11, "quantity": 3}]')))
{
	my $order = 'SELECT order_id FROM commerce.hold_order(1, \'[{"option_id": 12, "quantity": 1}]\')';
	my ($here, $there) = map { my $node = $_;
		my $id = $node->safe_psql('postgres', $order);
		join "\n", map { s/\b$id\b/ID/gr } map { answer($node, $_) }
			sprintf("SELECT status, total, refunded FROM commerce.$call", $id), sprintf("SELECT status FROM commerce.$call", $id) } $router, $shop;
	is($here, $there, "$call, twice");
}
is(answer($router, q(SELECT line_no, option_id, quantity, unit_price, line_total, discount_amount, available
	FROM commerce.quote_order(2, '[{"option_id": 11, "quantity": 2}]'))),
	answer($shop, q(SELECT * FROM commerce.quote_order(2, '[{"option_id": 11, "quantity": 2}]'))), 'a quote, with what there is in all');
foreach my $view (qw(stock coupon_quota))
{
	is(answer($router, "SELECT * FROM commerce.$view ORDER BY 1"), answer($shop, "SELECT * FROM commerce.$view ORDER BY 1"), $view);
}
is(answer($router, 'SELECT * FROM commerce.popular_products()'), answer($shop, 'SELECT * FROM commerce.popular_products()'), 'popular products');
is(answer($router, "SELECT user_id, sqlstate, message, detail FROM commerce.issue_coupons(5, '{1, 9, 2, 1}')"),
	answer($shop, "SELECT user_id, sqlstate, message, detail FROM commerce.issue_coupons(5, '{1, 9, 2, 1}')"), 'coupons for many');
my $requests = q('[{"user_id": 1, "items": [{"option_id": 11, "quantity": 1}]}, {"user_id": 9, "items": [{"option_id": 11, "quantity": 1}]},
	{"user_id": 2, "items": [{"option_id": 11, "quantity": 1}]}, {"user_id": 1, "items": [{"option_id": 11, "quantity": 99}]}, {}]');
is(answer($router, "SELECT request_no, order_id IS NULL, sqlstate, message, detail FROM commerce.place_orders($requests)"),
	answer($shop, "SELECT request_no, order_id IS NULL, sqlstate, message, detail FROM commerce.place_orders($requests)"), 'many orders');
my $change = "SELECT name, quantity, per_user_limit FROM commerce.update_coupon_policy(5, 'more', quantity => 20, per_user_limit => 8)";
is(answer($router, $change), answer($shop, $change), 'a policy is changed');

# ---- transactions, and errors ----

my @writers = map { /^(\w+)/ } split /\n/, $router->safe_psql('postgres', q(
	SELECT proname FROM pg_proc WHERE pronamespace = 'commerce'::regnamespace AND provolatile = 'v'
	  AND proname NOT IN ('verify', 'metrics', 'quote_order', 'grant_access', 'revoke_access')));
cmp_ok(scalar @writers, '>', 20, 'there are many writers');
foreach my $writer (@writers)
{
	my $call = $router->safe_psql('postgres', qq(SELECT format('%I(%s)', proname, (SELECT string_agg(format('NULL::%s', t::regtype), ', ')
		FROM unnest(proargtypes) t)) FROM pg_proc WHERE proname = '$writer' AND pronamespace = 'commerce'::regnamespace));
	is(sqlstates($router, "BEGIN; SELECT * FROM commerce.$call; ROLLBACK"), '25001', "$writer is refused in a transaction block");
}
is(sqlstates($router, 'BEGIN; SELECT commerce.get_balance(1); COMMIT'), '', 'reading is not');
is(sqlstates($router, q(SELECT commerce_router.refuse('SC9', 'no', NULL, NULL))), '22023', 'a code has five characters');
like(answer($router, 'SELECT commerce_router.remove_node(2)'), qr/ERROR:  55000: node 2 has users/, 'one with users stays');
is(sqlstates($router, 'CREATE EXTENSION commerce'), '42P06', 'a router is no node');
is($router->safe_psql('postgres', 'SELECT * FROM commerce.verify()'), '', 'the cluster is sound');

done_testing();
