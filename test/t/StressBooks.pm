# The books of StressShop.pm's shop: what the calls said they did against what
# the tables hold.
package StressBooks;

use strict;
use warnings;
use Exporter 'import';
use Test::More;
use CommerceTest;

our @EXPORT = qw(close_shop);

# Each query returns a row where tables and model disagree.
my %disagreement = (
	'each balance is what was charged, less used, less paid' => q(
		SELECT b.user_id, b.balance, m.balance FROM commerce.balances b LEFT JOIN (
			SELECT user_id, 1 + sum(CASE op WHEN 'charge' THEN amount ELSE -amount END) AS balance
			FROM stress.done WHERE op IN ('charge', 'use', 'order') GROUP BY user_id) m USING (user_id)
		WHERE b.balance IS DISTINCT FROM m.balance),
	"each option's stock is what was brought in, less sold" => q(
		SELECT s.option_id, s.available, a.quantity, o.quantity FROM commerce.stock s
		LEFT JOIN (SELECT subject_id, sum(amount) AS quantity FROM stress.done
				   WHERE op = 'adjust' GROUP BY 1) a ON a.subject_id = s.option_id
		LEFT JOIN (SELECT (line ->> 'option_id')::bigint AS option_id,
						  sum((line ->> 'quantity')::bigint) AS quantity
				   FROM stress.done, jsonb_array_elements(items) AS line
				   WHERE op = 'order' GROUP BY 1) o USING (option_id)
		WHERE s.available <> coalesce(a.quantity, 0) - coalesce(o.quantity, 0)),
	'as many coupons of each policy were issued as there are, and no more than its quantity' => q(
		SELECT q.* FROM commerce.coupon_quota q LEFT JOIN (
			SELECT subject_id AS policy_id, count(DISTINCT object_id) AS issued
			FROM stress.done WHERE op = 'issue' GROUP BY 1) m USING (policy_id)
		WHERE q.issued IS DISTINCT FROM m.issued OR q.issued > q.quantity),
	'each coupon was used as often as its status says' => q(
		SELECT c.coupon_id, c.status, m.uses FROM commerce.coupons c LEFT JOIN (
			SELECT coupon_id, count(*) AS uses FROM stress.done
			WHERE coupon_id IS NOT NULL GROUP BY 1) m USING (coupon_id)
		WHERE (c.status = 'used')::integer <> coalesce(m.uses, 0)),
	'every order was told to its buyer, at its total' => q(
		(SELECT order_id, user_id, total FROM commerce.orders EXCEPT ALL
		 SELECT object_id, user_id, amount FROM stress.done WHERE op = 'order')
		UNION ALL
		(SELECT object_id, user_id, amount FROM stress.done WHERE op = 'order' EXCEPT ALL
		 SELECT order_id, user_id, total FROM commerce.orders)),
	'every call with one key got one object' => q(
		SELECT op, user_id, key, array_agg(DISTINCT object_id) FROM stress.log
		WHERE key IS NOT NULL AND outcome = 'ok' AND op <> 'adjust'
		GROUP BY op, user_id, key HAVING count(DISTINCT object_id) <> 1),
	'every order has one event, and every event was delivered, once' => q(
		SELECT * FROM commerce.orders o FULL JOIN commerce.outbox e USING (order_id)
		FULL JOIN stress.delivered d USING (event_id)
		WHERE o.user_id IS NULL OR e.status IS DISTINCT FROM 'delivered'
		   OR e.event_type <> 'order.paid' OR d.event_id IS NULL));

# Delivers what is left, then compares.
sub close_shop
{
	my ($node) = @_;

	ok($node->poll_query_until('postgres', 'SELECT stress.drain()', '0'),
		'the outbox can be drained');
	is_sound($node, 'no invariant is violated');
	foreach my $name (sort keys %disagreement)
	{
		is($node->safe_psql('postgres', $disagreement{$name}), '', $name);
	}

	# It was no walk in the park: every kind of success, every kind of refusal.
	is($node->safe_psql('postgres', q(
		SELECT string_agg(op, ' ' ORDER BY op COLLATE "C")
		FROM (SELECT DISTINCT op FROM stress.log WHERE outcome = 'ok') d)),
		'adjust charge issue order price use use_coupon', 'every call succeeded at times');
	is($node->safe_psql('postgres', q(
		SELECT string_agg(code, ' ') FROM unnest(ARRAY['SC103', 'SC203', 'SC204', 'SC211',
			'SC213', 'SC301', 'SC401']) AS code
		WHERE NOT EXISTS (SELECT FROM stress.log WHERE outcome = code))),
		'', 'every refusal was met');
	note($node->safe_psql('postgres',
		'SELECT op, outcome, count(*) FROM stress.log GROUP BY 1, 2 ORDER BY 1, 2'));
	log_is_clean($node, 'no crash, no deadlock, no internal error');
	return;
}

1;
