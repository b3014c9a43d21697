# Whatever a shop on one server refuses, a router refuses word for word: every SQLSTATE of the
# reference that a function of a router raises, with its message, DETAIL and HINT.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use RouterTest;

# SC007, SC008, SC501 and SC502 are of events, which are claimed at the nodes.
my @codes = map { "SC$_" } qw(001 002 003 004 005 006 101 102 103 104 201 202 203 204 205 211 212 213 214
	301 302 303 304 305 306 401);
my @conf = ('commerce.max_charge_amount = 9223372036854775807', 'commerce.max_batch_requests = 4', 'commerce.max_batch_users = 4');
my ($router, @nodes) = new_cluster('node', 2, conf => \@conf);
my $shop = new_server('shop', conf => \@conf);

# What looks like the id of an order or a coupon is one.
$_->safe_psql('postgres', q(SELECT setval('commerce.order_id_seq', 70000001), setval('commerce.coupon_id_seq', 80000001))) foreach $shop, @nodes;
# Kim is at the home of the catalogue, the others are elsewhere; Ivy has no account.
my ($kim) = users_of($router, 1, 1);
my ($lee, $ivy, $may) = users_of($router, 2, 3);
my %stands_for = (Kim => $kim, Lee => $lee, Ivy => $ivy, May => $may, RAW => items([ 11, 1 ]),
	RED => "'" . items([ 11, 1 ]) . "'", REDS => "'" . items([ 11, 3 ]) . "'", BLUE => "'" . items([ 12, 1 ]) . "'",
	MANY => "'" . items([ 12, 9 ], [ 11, 1 ], [ 11, 999 ]) . "'");

# ---- the same calls at both, in this order: what it raises, "ok", or the name of an id ----

my @story = split /\n/, <<'END';
ok     name FROM create_user('K', Kim)
ok     name FROM create_user('L', Lee)
ok     name FROM create_user('I', Ivy)
ok     name FROM create_user('M', May)
ok     name FROM create_product('shirt', 1)
ok     name, price FROM create_product_option(1, 'red', 1000, 60, 11)
ok     name, price FROM create_product_option(1, 'blue', 500, 3, 12)
ok     balance_after FROM charge_balance(Kim, 10000, 'c')
ok     balance_after FROM charge_balance(Lee, 10000, 'c')
ok     balance_after FROM use_balance(Lee, 1, 'u')
ok     available FROM adjust_stock(11, 40, 'restock', 'a')
SC001  set_user_name(9, 'x')
SC001  erase_user(9)
SC001  charge_balance(9, 1)
SC001  issue_coupon(9, 3)
SC001  place_order(9, RED)
SC001  hold_order(9, RED)
SC002  create_product_option(9, 'x', 1)
SC003  set_price(9, 1)
SC003  adjust_stock(9, 1)
SC003  spread_stock(9, 1)
SC004  pay_order(9)
SC004  pay_order(9000000000)
SC004  pay_order(-9223372036854775808)
SC004  cancel_order(9223372036854775807)
SC004  refund_order(9, RED)
SC004  get_order(9)
SC005  update_coupon_policy(9)
SC005  update_coupon_policy(9, quantity => 1)
SC005  close_coupon_policy(9)
SC005  issue_coupon(Lee, 9)
SC005  issue_coupons(9, '{Lee}')
SC005  spread_coupon_quota(9, 1)
SC006  revoke_coupon(9)
SC006  place_order(Lee, RED, 9000000000)
SC101  charge_balance(Lee, 0)
SC101  use_coupon(Lee, 9, 0)
SC102  use_balance(Ivy, 1)
SC102  place_order(Ivy, RED)
SC103  use_balance(Lee, 99999)
SC103  place_order(Lee, '[{"option_id": 11, "quantity": 90}]')
SC301  place_order(Lee, MANY)
SC301  hold_order(Kim, MANY)
SC301  adjust_stock(11, -101)
SC302  place_order(Lee, '[]')
SC302  place_order(Lee, '[{"option_id": 11, "quantity": 1}, {"option_id": 11}]')
SC302  hold_order(Lee, '{}')
SC306  place_order(Lee, RED, expected_total => 1)
ok     name FROM create_coupon_policy('over', 'fixed', 1, 9, issue_from => '2020-01-01', issue_until => '2020-01-02', policy_id => 1)
ok     name FROM create_coupon_policy('soon', 'fixed', 1, 9, issue_from => '2999-01-01', policy_id => 2)
ok     name FROM create_coupon_policy('one', 'fixed', 1, 1, policy_id => 3)
ok     name FROM create_coupon_policy('big', 'fixed', 1, 9, min_order_amount => 5000, policy_id => 4)
ok     name FROM create_coupon_policy('two', 'fixed', 1, 5, per_user_limit => 2, policy_id => 5)
ok     name FROM create_coupon_policy('late', 'fixed', 1, 9, valid_until => '2020-01-01', policy_id => 6)
ok     name FROM create_coupon_policy('few', 'fixed', 1, 2, policy_id => 7)
ok     user_id, sqlstate, message, detail FROM issue_coupons(7, '[0:2]={Lee, Ivy, May}')
SC201  issue_coupon(Lee, 2)
SC202  issue_coupon(Lee, 1)
one    coupon_id AS one FROM issue_coupon(Lee, 3, 'i')
SC203  issue_coupon(Kim, 3)
SC204  issue_coupon(Lee, 3)
ok     sqlstate, message, detail FROM issue_coupons(3, '{Lee, 9, Kim}')
used   coupon_id AS used FROM issue_coupon(Lee, 5)
paid   coupon_id AS paid FROM issue_coupon(Kim, 5)
gone   coupon_id AS gone FROM issue_coupon(Lee, 5)
SC204  issue_coupon(Lee, 5)
SC205  update_coupon_policy(5, quantity => 2)
SC205  update_coupon_policy(5, 'x', 2, 1, '2020-01-01', '2020-01-02')
22023  update_coupon_policy(5, '', 2)
22023  update_coupon_policy(5, 'x', 2, per_user_limit => 0)
22023  update_coupon_policy(5, 'x', -1)
ok     status FROM use_coupon(Lee, :used, 100, 'u')
ok     status FROM revoke_coupon(:gone)
SC006  use_coupon(Kim, :used, 100)
SC006  place_order(Kim, RED, :one)
SC211  use_coupon(Lee, :used, 100)
SC211  place_order(Lee, RED, :used)
first  order_id AS first FROM place_order(Kim, RED, :paid)
SC211  place_order(Kim, RED, :paid)
SC211  quote_order(Kim, RED, :paid)
SC211  revoke_coupon(:paid)
SC214  use_coupon(Lee, :gone, 100)
SC214  hold_order(Lee, RED, :gone)
SC214  revoke_coupon(:gone)
late   coupon_id AS late FROM issue_coupon(Lee, 6)
SC212  use_coupon(Lee, :late, 100)
SC212  place_order(Lee, RED, :late)
big    coupon_id AS big FROM issue_coupon(Lee, 4)
SC213  use_coupon(Lee, :big, 4999)
SC213  place_order(Lee, RED, :big)
order  order_id AS order FROM place_order(Lee, REDS, idempotency_key => 'p')
held   order_id AS held FROM hold_order(Lee, RED, idempotency_key => 'h')
over   order_id AS over FROM hold_order(Lee, RED, ttl => '1 microsecond')
until  get_order->>'expires_at' AS until FROM get_order(:over)
SC303  pay_order(:order)
SC303  refund_order(:held, RED)
SC304  refund_order(:order, '[{"option_id": 11, "quantity": 4}]')
SC304  refund_order(:order, BLUE)
ok     status, refunded FROM refund_order(:order, RED, 'r')
SC303  cancel_order(:order)
ok     expire_orders FROM expire_orders()
SC305  pay_order(:over)
SC401  charge_balance(Lee, 5, 'c')
SC401  use_balance(Lee, 5, 'u')
SC401  adjust_stock(11, 1, 'restock', 'a')
SC401  issue_coupon(Lee, 5, 'i')
SC401  use_coupon(Lee, :used, 101, 'u')
SC401  place_order(Lee, RED, idempotency_key => 'p')
SC401  hold_order(Lee, BLUE, idempotency_key => 'h')
SC401  refund_order(:order, REDS, 'r')
ok     balance_after > 0 FROM charge_balance(Lee, 9223372036854775807 - commerce.get_balance(Lee))
SC104  charge_balance(Lee, 1)
SC104  refund_order(:order, RED)
second order_id AS second FROM place_order(Kim, RED)
ok     balance_after > 0 FROM charge_balance(Kim, 9223372036854775807 - commerce.get_balance(Kim))
SC104  cancel_order(:second)
22023  place_orders('[{"user_id": Kim, "items": []}, {"user_id": Lee, "items": [], "a": 1}]')
22023  place_orders('[{"user_id": Kim, "items": []}, {"user_id": 1.5, "items": []}]')
22023  place_orders('[{"user_id": Lee, "items": []}, {"user_id": "Kim", "items": []}]')
22023  place_orders('[{}, {}, {}, {}, {}]')
22023  issue_coupons(5, '{1, 2, 3, 4, 5}')
22023  issue_coupons(5, '{1, 2, 3, 4, NULL}')
ok     user_id, sqlstate FROM issue_coupons(5, '{{1, 2}, {3, 4}}')
ok     request_no, sqlstate, message, detail FROM place_orders('[{"user_id": Lee.0, "items": []}, {"user_id": -5, "items": RAW}, {"user_id": 9223372036854775807, "items": RAW}, {"items": 1}]')
ok     request_no, sqlstate, message, detail FROM place_orders('[{"user_id": Ivy, "items": RAW}, {"user_id": Lee, "items": RAW, "expected_total": 1}, {"user_id": Kim, "items": RAW, "coupon_id": 9}]')
ok     request_no, sqlstate, message, detail FROM place_orders('[{"user_id": May, "items": RAW}, {"user_id": Lee, "items": [{"option_id": 11, "quantity": 999}]}]')
ok     option_id, available FROM stock ORDER BY 1
ok     * FROM coupon_quota ORDER BY 1
END
my @moved = split /\n/, <<'END';
ok     request_no, sqlstate, message, detail FROM place_orders('[{"user_id": Ivy, "items": RAW}, {"user_id": Lee, "items": RAW, "expected_total": 1}, {"user_id": 9, "items": RAW}]')
ok     user_id, sqlstate, message, detail FROM issue_coupons(5, '{May, Kim, 9, Lee}')
SC401  use_balance(Lee, 5, 'u')
SC302  quote_order(Kim, '[]')
END

# Does the same at both, and returns the SQLSTATEs that it met.
sub compare
{
	my ($name, @lines) = @_;

	s/\b(\w+)\b/$stands_for{$1} \/\/ $1/ge foreach @lines;
	my @statements = map { my $call = (split ' ', $_, 2)[1];
		$call = $call =~ /^(\w+)\(/ ? "SELECT commerce.$call" : "SELECT $call" =~ s/\bFROM /FROM commerce./r;
		$call =~ / AS \w+ FROM / ? "$call \\gset" : $call } @lines;
	my @at_router = answers_at($router, @statements);
	my @at_shop = answers_at($shop, @statements);
	my %met;

	foreach my $i (0 .. $#lines)
	{
		my ($expected) = $lines[$i] =~ /^((?:SC|22)\d{3}) /;
		my ($raised) = $at_router[$i] =~ /^ERROR:  (\w{5}): /m;

		$met{$raised} = 1 if $raised;
		is($raised // 'ok', $expected // 'ok', "$name: $lines[$i]");
		is($at_router[$i], $at_shop[$i], 'as the shop says');
	}
	return sort keys %met;
}

is_deeply([ grep { /^SC/ } compare('as it is', @story) ], \@codes, 'every code was met');

# A router with an old map asks the wrong node first.
$router->safe_psql('postgres', 'UPDATE commerce_router.buckets SET node_no = 3 - node_no; SELECT commerce_router.map_changed()');
compare('with an old map', @moved);
is($router->safe_psql('postgres', 'SELECT * FROM commerce.verify()'), '', 'the cluster is sound');
is_sound($shop, 'so is the shop');
done_testing();
