------------------------------------------------------------------------------
-- Functions: verify, and its parts
--
-- All are STABLE, so that they see what their caller sees: one snapshot.
------------------------------------------------------------------------------

CREATE FUNCTION commerce.verify_users()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $verify_users$
SELECT 'user_erased_is_nobody', user_id, 1, 0 FROM commerce.users
WHERE erased_at IS NOT NULL AND name <> '(erased)'
$verify_users$;
COMMENT ON FUNCTION commerce.verify_users IS
'Part of verify(): an erased user has no name (level admin).';

CREATE FUNCTION commerce.verify_balances()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $verify_balances$
SELECT 'balance_is_sum_of_history', coalesce(b.user_id, h.user_id),
	   coalesce(h.amount, 0), coalesce(b.balance, 0)::numeric
FROM commerce.balances b
FULL JOIN (SELECT user_id, sum(amount) AS amount
		   FROM commerce.balance_history GROUP BY user_id) h USING (user_id)
WHERE coalesce(b.balance, 0) <> coalesce(h.amount, 0)
UNION ALL
SELECT 'balance_entry_count', b.user_id, coalesce(h.entries, 0), b.entry_count
FROM commerce.balances b
LEFT JOIN (SELECT user_id, count(*) AS entries
		   FROM commerce.balance_history GROUP BY user_id) h USING (user_id)
WHERE b.entry_count <> coalesce(h.entries, 0)
UNION ALL
SELECT c.check_name, h.user_id, c.expected, c.actual
FROM (SELECT user_id, entry_no, type, amount, balance_after, order_id,
			 row_number() OVER w AS nth,
			 coalesce(lag(balance_after) OVER w, 0) AS balance_before
	  FROM commerce.balance_history
	  WINDOW w AS (PARTITION BY user_id ORDER BY entry_no)) h,
	 LATERAL (VALUES
		('balance_entry_no_gapless', h.nth::numeric, h.entry_no::numeric),
		('balance_after_continues', h.balance_before::numeric + h.amount,
		 h.balance_after::numeric),
		('balance_entry_sign',
		 CASE WHEN h.type IN ('charge', 'refund') THEN 1 ELSE -1 END,
		 sign(h.amount)::numeric),
		('balance_entry_has_its_order',
		 (h.type IN ('payment', 'refund'))::integer,
		 (h.order_id IS NOT NULL)::integer)) c (check_name, expected, actual)
WHERE c.expected <> c.actual
$verify_balances$;
COMMENT ON FUNCTION commerce.verify_balances IS
'Part of verify(): the account is the sum of its history, and the history a chain (level admin).';

CREATE FUNCTION commerce.verify_stock()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $verify_stock$
SELECT 'stock_conserved', o.option_id,
	   coalesce(a.quantity, 0) + coalesce(t.received, 0) - coalesce(t.sent, 0) + coalesce(m.quantity, 0),
	   coalesce(s.quantity, 0) + coalesce(i.quantity, 0)
FROM commerce.product_options o
LEFT JOIN (SELECT option_id, sum(quantity) AS quantity
		   FROM commerce.stock_adjustments GROUP BY option_id) a USING (option_id)
LEFT JOIN (SELECT option_id, sum(quantity) AS quantity
		   FROM commerce.stock_slots GROUP BY option_id) s USING (option_id)
LEFT JOIN (SELECT i.option_id, sum(i.quantity - i.refunded_quantity) AS quantity
		   FROM commerce.order_items i JOIN commerce.orders USING (order_id)
		   WHERE status NOT IN ('cancelled', 'expired')
		   GROUP BY i.option_id) i USING (option_id)
LEFT JOIN commerce.transfer_sums t ON t.counter = 'stock' AND t.object_id = o.option_id
LEFT JOIN commerce.moved_units m ON m.counter = 'stock' AND m.object_id = o.option_id
WHERE coalesce(a.quantity, 0) + coalesce(t.received, 0) - coalesce(t.sent, 0) + coalesce(m.quantity, 0)
	<> coalesce(s.quantity, 0) + coalesce(i.quantity, 0)
$verify_stock$;
COMMENT ON FUNCTION commerce.verify_stock IS
'Part of verify(): what was brought in is either there or sold (level admin).';

CREATE FUNCTION commerce.verify_coupons()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $verify_coupons$
SELECT 'coupon_quota_conserved', p.policy_id, p.quantity + coalesce(m.quantity, 0),
	   coalesce(s.quantity, 0) + coalesce(c.issued, 0)
FROM commerce.coupon_policies p
LEFT JOIN (SELECT policy_id, sum(quantity) AS quantity
		   FROM commerce.coupon_quota_slots GROUP BY policy_id) s USING (policy_id)
LEFT JOIN (SELECT policy_id, count(*) AS issued
		   FROM commerce.coupons GROUP BY policy_id) c USING (policy_id)
LEFT JOIN commerce.moved_units m ON m.counter = 'coupon_quota' AND m.object_id = p.policy_id
WHERE p.quantity + coalesce(m.quantity, 0) <> coalesce(s.quantity, 0) + coalesce(c.issued, 0)
UNION ALL
SELECT 'coupon_per_user_limit', p.policy_id, p.highest_limit::numeric,
	   greatest(c.issued, c.last_issue_no)
FROM (SELECT policy_id, user_id, count(*) AS issued, max(issue_no) AS last_issue_no
	  FROM commerce.coupons GROUP BY policy_id, user_id) c
JOIN commerce.coupon_policies p USING (policy_id)
WHERE greatest(c.issued, c.last_issue_no) > p.highest_limit
UNION ALL
SELECT 'coupon_highest_limit', policy_id, per_user_limit::numeric, highest_limit::numeric
FROM commerce.coupon_policies
WHERE highest_limit < per_user_limit
UNION ALL
SELECT 'coupon_used_by_its_order', c.coupon_id, 1, 0
FROM commerce.coupons c
JOIN commerce.coupon_policies p USING (policy_id)
LEFT JOIN commerce.orders o
	ON o.order_id = c.order_id AND o.coupon_id = c.coupon_id AND o.user_id = c.user_id
WHERE c.order_id IS NOT NULL
  AND (c.status <> 'used' OR o.order_id IS NULL
	   OR o.discount IS DISTINCT FROM c.discount_amount
	   OR o.status = 'expired'
	   OR o.status = 'cancelled' AND o.paid_at IS NULL
	   OR o.status IN ('cancelled', 'refunded') AND p.restore_on_cancel)
UNION ALL
SELECT 'coupon_status_fits', c.coupon_id, 1, 0
FROM commerce.coupons c
WHERE (c.status = 'used') <> (c.used_at IS NOT NULL)
   OR (c.status = 'used') <> (c.discount_amount IS NOT NULL)
UNION ALL
SELECT 'order_holds_its_coupon', o.order_id, o.coupon_id::numeric, c.coupon_id::numeric
FROM commerce.orders o
LEFT JOIN commerce.coupons c
	ON c.coupon_id = o.coupon_id AND c.order_id = o.order_id AND c.status = 'used'
LEFT JOIN (commerce.coupons k JOIN commerce.coupon_policies p USING (policy_id))
	ON k.coupon_id = o.coupon_id
WHERE o.coupon_id IS NOT NULL AND c.coupon_id IS NULL
  AND (o.status IN ('pending', 'paid', 'partially_refunded')
	   OR o.status = 'refunded' AND NOT p.restore_on_cancel
	   OR o.status = 'cancelled' AND o.paid_at IS NOT NULL AND NOT p.restore_on_cancel)
$verify_coupons$;
COMMENT ON FUNCTION commerce.verify_coupons IS
'Part of verify(): quota, limits, and what used them (level admin).';

CREATE FUNCTION commerce.verify_orders()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $verify_orders$
SELECT c.check_name, o.order_id, c.expected, c.actual
FROM commerce.orders o
LEFT JOIN (SELECT order_id, count(*) AS lines, max(line_no) AS last_line_no,
				  sum(quantity::numeric * unit_price) AS subtotal,
				  sum(discount_amount) AS discount,
				  -- 0 nothing returned, 1 some of it, 2 all of it
				  CASE WHEN max(refunded_quantity) <= 0 THEN 0
					   WHEN min(quantity - refunded_quantity) > 0
						 OR max(quantity - refunded_quantity) > 0 THEN 1
					   ELSE 2 END AS returned,
				  sum(div((quantity::numeric * unit_price - discount_amount)
						  * refunded_quantity, nullif(quantity, 0))) AS refunded
		   FROM commerce.order_items GROUP BY order_id) i USING (order_id)
LEFT JOIN (SELECT order_id,
				  -coalesce(sum(amount) FILTER (WHERE type = 'payment'), 0) AS paid,
				  coalesce(sum(amount) FILTER (WHERE type = 'refund'), 0) AS refunded,
				  min(user_id) AS first_user_id, max(user_id) AS last_user_id
		   FROM commerce.balance_history WHERE order_id IS NOT NULL
		   GROUP BY order_id) h USING (order_id),
	 LATERAL (VALUES
		('order_has_lines', coalesce(i.last_line_no, 1)::numeric,
		 coalesce(i.lines, 0)::numeric),
		('order_subtotal_is_sum_of_lines', coalesce(i.subtotal, 0), o.subtotal::numeric),
		('order_discount_is_sum_of_shares', coalesce(i.discount, 0), o.discount::numeric),
		('order_total', o.subtotal::numeric - o.discount, o.total::numeric),
		('order_paid_once', CASE WHEN o.paid_at IS NULL THEN 0 ELSE o.total END,
		 coalesce(h.paid, 0)),
		('order_refund_entries', o.refunded::numeric, coalesce(h.refunded, 0)),
		('order_refunded_is_sum_of_lines', coalesce(i.refunded, 0), o.refunded::numeric),
		('order_lines_returned', CASE o.status WHEN 'refunded' THEN 2
			WHEN 'cancelled' THEN CASE WHEN o.paid_at IS NULL THEN 0 ELSE 2 END
			WHEN 'partially_refunded' THEN 1 ELSE 0 END, i.returned),
		('order_discount_has_coupon', 0,
		 CASE WHEN o.coupon_id IS NULL THEN o.discount ELSE 0 END),
		('order_payer', o.user_id::numeric,
		 coalesce(nullif(h.first_user_id, o.user_id), h.last_user_id, o.user_id)::numeric),
		('order_closed_refund', CASE
			WHEN o.status IN ('cancelled', 'refunded') AND o.paid_at IS NOT NULL
			THEN o.total::numeric ELSE o.refunded END, o.refunded::numeric),
		('order_closed_by_status',
		 (o.status IN ('cancelled', 'refunded', 'expired'))::integer::numeric,
		 (o.closed_at IS NOT NULL)::integer::numeric),
		('order_held_until', (o.status IN ('pending', 'expired')
			OR o.status = 'cancelled' AND o.paid_at IS NULL
			OR o.expires_at IS NOT NULL)::integer::numeric,
		 (o.expires_at IS NOT NULL)::integer::numeric),
		('order_paid_by_status', (CASE o.status WHEN 'pending' THEN 0 WHEN 'expired' THEN 0
			WHEN 'cancelled' THEN (o.paid_at IS NOT NULL)::integer ELSE 1 END)::numeric,
		 (o.paid_at IS NOT NULL)::integer::numeric)
		) c (check_name, expected, actual)
WHERE c.expected <> c.actual
UNION ALL
SELECT 'order_refunded_at_most_total', order_id, total::numeric, refunded::numeric
FROM commerce.orders WHERE refunded > total OR refunded < 0
UNION ALL
SELECT 'line_discount_at_most_line', order_id, quantity::numeric * unit_price,
	   discount_amount::numeric
FROM commerce.order_items
WHERE discount_amount < 0 OR discount_amount > quantity::numeric * unit_price
UNION ALL
SELECT 'line_refunded_at_most_bought', order_id, quantity::numeric, refunded_quantity::numeric
FROM commerce.order_items
WHERE refunded_quantity < 0 OR refunded_quantity > quantity OR quantity < 1
$verify_orders$;
COMMENT ON FUNCTION commerce.verify_orders IS
'Part of verify(): lines, totals, money (level admin).';

CREATE FUNCTION commerce.verify_events()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $verify_events$
SELECT 'order_event_' || e.event_type, o.order_id, e.expected, e.actual
FROM commerce.orders o
LEFT JOIN (SELECT order_id,
				  count(*) FILTER (WHERE event_type = 'order.paid') AS paid,
				  count(*) FILTER (WHERE event_type = 'order.cancelled') AS cancelled,
				  count(*) FILTER (WHERE event_type = 'order.refunded') AS refunded
		   FROM commerce.events GROUP BY order_id) x USING (order_id)
LEFT JOIN (SELECT order_id, max(created_at) AS refunded_at
		   FROM commerce.balance_history WHERE type = 'refund'
		   GROUP BY order_id) r USING (order_id),
	 LATERAL (SELECT coalesce(max(purged_until), '-infinity') AS purged_until
			  FROM commerce.event_horizon) z,
	 LATERAL (VALUES
		('paid', (o.paid_at IS NOT NULL)::integer, coalesce(x.paid, 0), o.paid_at),
		('cancelled', (o.status = 'cancelled' AND o.paid_at IS NOT NULL)::integer,
		 coalesce(x.cancelled, 0), o.closed_at),
		('refunded', CASE WHEN o.status NOT IN ('partially_refunded', 'refunded') THEN 0
			ELSE greatest(coalesce(x.refunded, 0), 1) END,
		 coalesce(x.refunded, 0), coalesce(o.closed_at, r.refunded_at))
		) e (event_type, expected, actual, happened_at)
WHERE e.actual > e.expected
   OR e.actual < e.expected AND e.happened_at > z.purged_until
UNION ALL

-- Refunds as their events tell them; those of before the horizon may be gone.
SELECT 'order_refund_is_sum_of_events', o.order_id, o.refunded::numeric, x.amount
FROM commerce.orders o
JOIN (SELECT order_id, coalesce(sum((refund ->> 'amount')::numeric), 0) AS amount
	  FROM commerce.events WHERE event_type = 'order.refunded'
	  GROUP BY order_id) x USING (order_id)
LEFT JOIN (SELECT order_id, min(created_at) AS refunded_at
		   FROM commerce.balance_history WHERE type = 'refund'
		   GROUP BY order_id) r USING (order_id),
	 LATERAL (SELECT coalesce(max(purged_until), '-infinity') AS purged_until
			  FROM commerce.event_horizon) z
WHERE x.amount > o.refunded
   OR x.amount < o.refunded AND r.refunded_at > z.purged_until
UNION ALL
SELECT 'event_refund_adds_up', e.event_id, (e.refund ->> 'amount')::numeric, i.amount
FROM commerce.events e,
	 LATERAL (SELECT sum((item ->> 'amount')::numeric) AS amount
			  FROM jsonb_array_elements(e.refund -> 'items') item) i
WHERE (e.event_type = 'order.refunded') <> (e.refund IS NOT NULL)
   OR e.refund IS NOT NULL
	  AND ((e.refund ->> 'amount')::numeric = i.amount) IS NOT TRUE
UNION ALL
SELECT 'event_type_known', event_id, 1, 0 FROM commerce.events
WHERE event_type NOT IN ('order.paid', 'order.cancelled', 'order.refunded')
UNION ALL
SELECT 'event_id_once', event_id, 1, count(*) FROM commerce.events
GROUP BY event_id HAVING count(*) > 1
UNION ALL
SELECT 'delivery_finished_at_end', event_id, 1, 0 FROM commerce.stored_deliveries
WHERE (status IN ('delivered', 'discarded')) <> (finished_at IS NOT NULL)
   OR (status IN ('available', 'running')) <> (due_at IS NOT NULL)
$verify_events$;
COMMENT ON FUNCTION commerce.verify_events IS
'Part of verify(): an order''s events are those its state calls for (level admin).';

CREATE FUNCTION commerce.verify_quantities()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $verify_quantities$
SELECT 'balance_not_negative', user_id, 0, balance FROM commerce.balances WHERE balance < 0
UNION ALL
SELECT 'stock_not_negative', option_id, 0, quantity FROM commerce.stock_slots WHERE quantity < 0
UNION ALL
SELECT 'coupon_quota_not_negative', policy_id, 0, quantity
FROM commerce.coupon_quota_slots WHERE quantity < 0
UNION ALL
SELECT 'coupon_policy_not_negative', policy_id, 0, least(quantity, min_order_amount)
FROM commerce.coupon_policies WHERE least(quantity, min_order_amount) < 0
UNION ALL
SELECT 'price_not_negative', option_id, 0, price FROM commerce.product_options WHERE price < 0
$verify_quantities$;
COMMENT ON FUNCTION commerce.verify_quantities IS
'Part of verify(): no quantity is negative anywhere (level admin).';

CREATE FUNCTION commerce.verify_parents()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $verify_parents$
SELECT 'balance_has_user', user_id, 1, 0 FROM commerce.balances b
WHERE NOT EXISTS (SELECT FROM commerce.users u WHERE u.user_id = b.user_id)
UNION ALL
SELECT DISTINCT 'balance_history_has_balance', user_id, 1, 0 FROM commerce.balance_history h
WHERE NOT EXISTS (SELECT FROM commerce.balances b WHERE b.user_id = h.user_id)
UNION ALL
SELECT 'balance_history_has_order', order_id, 1, 0 FROM commerce.balance_history h
WHERE order_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM commerce.orders o WHERE o.order_id = h.order_id)
UNION ALL
SELECT 'coupon_has_user', coupon_id, 1, 0 FROM commerce.coupons c
WHERE NOT EXISTS (SELECT FROM commerce.users u WHERE u.user_id = c.user_id)
UNION ALL
SELECT 'coupon_has_policy', coupon_id, 1, 0 FROM commerce.coupons c
WHERE NOT EXISTS (SELECT FROM commerce.coupon_policies p WHERE p.policy_id = c.policy_id)
UNION ALL
SELECT 'coupon_quota_has_policy', policy_id, 1, 0 FROM commerce.coupon_quota_slots s
WHERE NOT EXISTS (SELECT FROM commerce.coupon_policies p WHERE p.policy_id = s.policy_id)
UNION ALL
SELECT 'option_has_product', option_id, 1, 0 FROM commerce.product_options o
WHERE NOT EXISTS (SELECT FROM commerce.products p WHERE p.product_id = o.product_id)
UNION ALL
SELECT 'stock_has_option', option_id, 1, 0 FROM commerce.stock_slots s
WHERE NOT EXISTS (SELECT FROM commerce.product_options o WHERE o.option_id = s.option_id)
UNION ALL
SELECT 'stock_adjustment_has_option', option_id, 1, 0 FROM commerce.stock_adjustments a
WHERE NOT EXISTS (SELECT FROM commerce.product_options o WHERE o.option_id = a.option_id)
UNION ALL
SELECT 'order_has_user', order_id, 1, 0 FROM commerce.orders o
WHERE NOT EXISTS (SELECT FROM commerce.users u WHERE u.user_id = o.user_id)
UNION ALL
SELECT 'order_has_coupon', order_id, 1, 0 FROM commerce.orders o
WHERE coupon_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM commerce.coupons c WHERE c.coupon_id = o.coupon_id)
UNION ALL
SELECT 'line_has_order', order_id, 1, 0 FROM commerce.order_items i
WHERE NOT EXISTS (SELECT FROM commerce.orders o WHERE o.order_id = i.order_id)
UNION ALL
SELECT 'line_has_option', order_id, 1, 0 FROM commerce.order_items i
WHERE NOT EXISTS (SELECT FROM commerce.product_options o
				  WHERE o.option_id = i.option_id AND o.product_id = i.product_id)
UNION ALL
SELECT 'idempotency_key_has_object', k.object_id, 1, 0 FROM commerce.idempotency_keys k
WHERE NOT CASE
	WHEN function_name IN ('charge_balance', 'use_balance') THEN EXISTS (
		SELECT FROM commerce.balance_history h
		WHERE h.user_id = k.user_id AND h.entry_no = k.object_id)
	WHEN function_name IN ('issue_coupon', 'use_coupon') THEN EXISTS (
		SELECT FROM commerce.coupons c WHERE c.coupon_id = k.object_id)
	WHEN function_name = 'adjust_stock' THEN EXISTS (
		SELECT FROM commerce.product_options o WHERE o.option_id = k.object_id)
	ELSE EXISTS (
		SELECT FROM commerce.orders o WHERE o.order_id = k.object_id)
	END
UNION ALL
SELECT 'event_has_order', event_id, 1, 0 FROM commerce.events e
WHERE NOT EXISTS (SELECT FROM commerce.orders o WHERE o.order_id = e.order_id)
UNION ALL
-- What a dropped subscription left may stay until it is purged.
SELECT 'delivery_has_event', d.event_id, 1, 0
FROM commerce.stored_deliveries d
JOIN commerce.live_subscriptions s USING (subscription_no)
WHERE NOT EXISTS (
	SELECT FROM commerce.wanted_events w
	WHERE w.event_id = d.event_id AND w.subscription_no = d.subscription_no
	  AND w.origin = d.origin AND w.xact_id = d.xact_id AND w.order_id = d.order_id)
$verify_parents$;
COMMENT ON FUNCTION commerce.verify_parents IS
'Part of verify(): no row is without its parent (level admin).';

CREATE FUNCTION commerce.verify()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off -- compiling takes longer than it saves
AS $verify$
SELECT * FROM commerce.verify_users()
UNION ALL
SELECT * FROM commerce.verify_balances()
UNION ALL
SELECT * FROM commerce.verify_stock()
UNION ALL
SELECT * FROM commerce.verify_coupons()
UNION ALL
SELECT * FROM commerce.verify_orders()
UNION ALL
SELECT * FROM commerce.verify_events()
UNION ALL
SELECT * FROM commerce.verify_quantities()
UNION ALL
SELECT * FROM commerce.verify_parents()
$verify$;
COMMENT ON FUNCTION commerce.verify IS
'Checks every invariant over all data in one snapshot: one row per violation, none when all hold (level admin). Reads every table: run it when the shop is quiet, or on a standby.';
