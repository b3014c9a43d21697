# What the clients of StressShop.pm do with orders that are there: pay, cancel,
# refund and expire them.
package StressOrders;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw($after_order);

# Everybody wants the same few orders, the latest ones.
our $after_order = q(
	-- One of the latest orders in these states, or none that is there.
	CREATE FUNCTION stress.order_in(states commerce.order_status[], step integer) RETURNS bigint LANGUAGE sql
	RETURN coalesce((SELECT order_id FROM commerce.orders
					 WHERE status = ANY (states) AND order_id % step = 0
					 ORDER BY order_id DESC OFFSET CASE step WHEN 1 THEN floor(random() * 3) ELSE 0 END LIMIT 1), 0);

	-- Does what done.op says, and fills in what came of it.
	CREATE FUNCTION stress.follow(done stress.log) RETURNS stress.log LANGUAGE plpgsql AS $$
	DECLARE
		o	commerce.orders;
	BEGIN
		CASE done.op
		WHEN 'pay' THEN
			SELECT order_id, user_id, total INTO STRICT done.object_id, done.user_id, done.amount
			FROM commerce.pay_order(stress.order_in('{pending}', 1));
		WHEN 'cancel' THEN
			o := commerce.cancel_order(stress.order_in('{pending, paid, refunded}', 1));
			done.op := CASE WHEN o.paid_at IS NULL THEN 'drop' ELSE 'cancel' END;
			done.object_id := o.order_id;
			done.user_id := o.user_id;
			done.amount := o.refunded;
			done.coupon_id := o.coupon_id;
			done.items := commerce.get_order(o.order_id) -> 'items';
		WHEN 'refund' THEN
			done.object_id := stress.order_in('{paid, partially_refunded}',
											  CASE WHEN done.key IS NULL THEN 1 ELSE 4 END);
			SELECT option_id INTO done.subject_id FROM commerce.order_items
			WHERE order_id = done.object_id
			ORDER BY CASE WHEN done.key IS NULL THEN random() END, line_no LIMIT 1;
			done.items := jsonb_build_array(jsonb_build_object(
				'option_id', coalesce(done.subject_id, 0), 'quantity', 1 + done.amount % 2));
			o := commerce.refund_order(done.object_id, done.items, done.key);
			done.user_id := o.user_id;
			IF o.status = 'refunded' THEN
				done.coupon_id := o.coupon_id;
			END IF;
			SELECT (refund ->> 'amount')::bigint INTO done.amount FROM commerce.events
			WHERE order_id = o.order_id AND event_type = 'order.refunded' AND created_at = now();
			IF NOT FOUND THEN
				done.outcome := 'replay';
			END IF;
		WHEN 'expire' THEN
			done.amount := commerce.expire_orders(3);
		END CASE;
		RETURN done;
	END $$;
);

1;
