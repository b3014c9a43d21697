# The books of StressShop.pm's shop: what the calls said they did against what
# the tables hold.
package StressBooks;

use strict;
use warnings;
use Exporter 'import';
use Test::More;
use CommerceTest;

our @EXPORT = qw(what_was_missed close_shop);

# Each query returns a row where tables and model disagree.
my %disagreement = (
	'each balance is what was charged and given back, less used, less paid' => q(
		SELECT b.user_id, b.balance, m.balance FROM commerce.balances b LEFT JOIN (
			SELECT user_id, 1 + sum(CASE WHEN op IN ('charge', 'cancel', 'refund') THEN amount
										 ELSE -amount END) AS balance
			FROM stress.done WHERE op IN ('charge', 'use', 'order', 'pay', 'cancel', 'refund')
			GROUP BY user_id) m USING (user_id)
		WHERE b.balance IS DISTINCT FROM m.balance),
	"each option's stock is what was brought in and given back, less taken" => q(
		SELECT s.option_id, s.available, a.quantity, o.quantity FROM commerce.stock s
		LEFT JOIN (SELECT subject_id, sum(amount) AS quantity FROM stress.done
				   WHERE op = 'adjust' GROUP BY 1) a ON a.subject_id = s.option_id
		LEFT JOIN (SELECT (line ->> 'option_id')::bigint AS option_id,
						  sum((line ->> 'quantity')::bigint
							  * CASE WHEN op IN ('order', 'hold') THEN 1 ELSE -1 END) AS quantity
				   FROM stress.done LEFT JOIN commerce.orders o
						ON op = 'hold' AND order_id = object_id AND status = 'expired',
					   jsonb_array_elements(items) AS line
				   WHERE op IN ('order', 'hold', 'cancel', 'drop', 'refund') AND order_id IS NULL
				   GROUP BY 1) o USING (option_id)
		WHERE s.available <> coalesce(a.quantity, 0) - coalesce(o.quantity, 0)),
	'as many coupons of each policy were issued as there are, and no more than its quantity' => q(
		SELECT q.* FROM commerce.coupon_quota q LEFT JOIN (
			SELECT subject_id AS policy_id, count(DISTINCT object_id) AS issued
			FROM stress.done WHERE op = 'issue' GROUP BY 1) m USING (policy_id)
		WHERE q.issued IS DISTINCT FROM m.issued OR q.issued > q.quantity),
	'each coupon was used, and given back, as often as its status says' => q(
		SELECT c.coupon_id, c.status, m.uses FROM commerce.coupons c LEFT JOIN (
			SELECT d.coupon_id, sum(CASE WHEN op NOT IN ('use_coupon', 'order', 'hold') THEN -1
										 WHEN order_id IS NULL THEN 1 ELSE 0 END) AS uses
			FROM stress.done d LEFT JOIN commerce.orders o
				ON op = 'hold' AND order_id = object_id AND status = 'expired'
			WHERE d.coupon_id IS NOT NULL GROUP BY 1) m USING (coupon_id)
		WHERE (c.status = 'used')::integer <> coalesce(m.uses, 0)),
	'every order was told to its buyer, at its total' => q(
		(SELECT order_id, user_id, total FROM commerce.orders EXCEPT ALL
		 SELECT object_id, user_id, amount FROM stress.done WHERE op IN ('order', 'hold'))
		UNION ALL
		(SELECT object_id, user_id, amount FROM stress.done WHERE op IN ('order', 'hold') EXCEPT ALL
		 SELECT order_id, user_id, total FROM commerce.orders)),
	'as many orders expired as were swept' => q(
		SELECT * FROM (SELECT count(*) FROM commerce.orders WHERE status = 'expired') o (found),
			(SELECT sum(amount) FROM stress.done WHERE op = 'expire') d (told)
		WHERE found <> told),
	'every call with one key got one object' => q(
		SELECT op, user_id, key, array_agg(DISTINCT object_id) FROM stress.log
		WHERE key IS NOT NULL AND outcome IN ('ok', 'replay') AND op <> 'adjust'
		GROUP BY op, user_id, key HAVING count(DISTINCT object_id) <> 1),
	'every change that the outside must know of has its event, and every event was delivered, once' => q(
		(SELECT order_id, event_type FROM commerce.deliveries e JOIN stress.delivered d USING (event_id, order_id)
		 WHERE e.status = 'delivered' EXCEPT ALL
		 SELECT object_id, CASE op WHEN 'cancel' THEN 'order.cancelled' WHEN 'refund' THEN 'order.refunded'
								   ELSE 'order.paid' END
		 FROM stress.done WHERE op IN ('order', 'pay', 'cancel', 'refund'))
		UNION ALL
		(SELECT object_id, CASE op WHEN 'cancel' THEN 'order.cancelled' WHEN 'refund' THEN 'order.refunded'
								   ELSE 'order.paid' END
		 FROM stress.done WHERE op IN ('order', 'pay', 'cancel', 'refund') EXCEPT ALL
		 SELECT order_id, event_type FROM commerce.deliveries)));

# It was no walk in the park: every kind of success, every kind of refusal. Those
# that no call has met yet.
sub what_was_missed
{
	my ($node) = @_;

	return $node->safe_psql('postgres', q(
		SELECT string_agg(missed, ' ') FROM (
			SELECT op FROM unnest('{adjust,batch,cancel,charge,drop,expire,hold,issue,order,pay,price,refund,use,use_coupon}'::text[]) AS u (op)
			WHERE NOT EXISTS (SELECT FROM stress.log l WHERE l.op = u.op AND outcome = 'ok')
			UNION ALL
			SELECT code FROM unnest('{SC103,SC203,SC204,SC211,SC213,SC301,SC303,SC304,SC401}'::text[]) AS code
			WHERE NOT EXISTS (SELECT FROM stress.log WHERE outcome = code)) AS m (missed)));
}

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

	is(what_was_missed($node), '', 'every call succeeded at times, and every refusal was met');
	note($node->safe_psql('postgres',
		'SELECT op, outcome, count(*) FROM stress.log GROUP BY 1, 2 ORDER BY 1, 2'));
	log_is_clean($node, 'no crash, no deadlock, no internal error');
	return;
}

1;
