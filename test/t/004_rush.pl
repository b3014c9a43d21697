# A flash sale: 32 clients at once, 1,024 users, and too little for all. What is
# there is sold to the last unit, and not one more.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;

my $node = new_server('rush', conf => [ 'max_connections = 50' ]);
my $one = items([ 1, 1 ]);
my $three = items([ 2, 3 ]);

$node->safe_psql('postgres', qq(
	SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 1000))
	FROM generate_series(1, 1024) AS id;
	SELECT commerce.create_coupon_policy('a hundred', 'fixed', 10, 100, policy_id => 1),
		commerce.create_product('shirt', 1),
		commerce.create_product_option(1, 'fifty', 100, 50, 1),
		commerce.create_product_option(1, 'five hundred', 100, 500, 2);

	CREATE TABLE public.outcome (user_id bigint, asked text, code text);
	CREATE FUNCTION public.ask(who bigint, asked text) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		CASE asked
		WHEN 'coupon' THEN PERFORM commerce.issue_coupon(who, 1);
		WHEN 'one' THEN PERFORM commerce.place_order(who, '$one');
		WHEN 'three' THEN PERFORM commerce.place_order(who, '$three');
		END CASE;
		INSERT INTO public.outcome VALUES (who, asked, 'ok');
	EXCEPTION WHEN OTHERS THEN
		IF SQLSTATE !~ '^SC' THEN
			RAISE;
		END IF;
		INSERT INTO public.outcome VALUES (who, asked, SQLSTATE);
	END \$\$;
));

# Every user asks once; each client serves 32 users.
sub rush
{
	my ($asked) = @_;
	$node->pgbench('--no-vacuum --client=32 --jobs=2 --transactions=32 -D n=0',
		0, [ qr/processed: 1024\/1024/, qr/^number of failed transactions: 0 /m ], [ qr/^$/ ],
		"$asked: everybody gets an answer",
		{ "004_$asked" => qq(
			\\set n :n + 1
			SELECT public.ask(:client_id * 32 + :n, '$asked');
		) });
	return $node->safe_psql('postgres', qq(
		SELECT code, count(*), count(DISTINCT user_id) FROM public.outcome
		WHERE asked = '$asked' GROUP BY code ORDER BY code));
}

is(rush('coupon'), "SC203|924|924\nok|100|100", 'a hundred coupons, a hundred owners');
is($node->safe_psql('postgres', 'SELECT issued, remaining FROM commerce.coupon_quota'),
	'100|0', 'none is left');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT user_id) FROM commerce.coupons'),
	'100|100', 'a hundred coupons exist');

is(rush('one'), "SC301|974|974\nok|50|50", 'fifty units, fifty buyers');
is(rush('three'), "SC301|858|858\nok|166|166", 'five hundred units by threes');
is($node->safe_psql('postgres', 'SELECT option_id, available FROM commerce.stock ORDER BY 1'),
	"1|0\n2|2", 'what is left is less than anybody asked for');
is($node->safe_psql('postgres', q(
	SELECT sum(1000 - balance), (SELECT sum(total) FROM commerce.orders) FROM commerce.balances)),
	'54800|54800', 'the buyers paid for it');

is_sound($node, 'no invariant is violated');
log_is_clean($node, 'no crash, no deadlock, no internal error');

$node->stop;
done_testing();
